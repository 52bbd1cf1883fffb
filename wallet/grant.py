"""Granting standing access (protocol sections 4 and 7): the terms, what is sealed, the receipt, the answer.

Pure: nothing here sends or keeps. `errand_grant` keeps what `draft_grant` made before a byte of it leaves.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from protocol.canonical import b64u_decode, b64u_encode, parse_object, to_builtins
from protocol.consent_api import GrantAnswer, GrantRequest
from protocol.credential import split_sd_jwt
from protocol.dcql import Query
from protocol.direct_post import encrypt_response
from protocol.errors import Rejected
from protocol.jws import parse_jws
from protocol.key_binding import sign_key_binding
from protocol.keys import Es256Private
from protocol.log_keys import log_keys
from protocol.mandate import VerifiedMandate, check_mandated, lock_salt, show_mandate
from protocol.narrowing import check_element, check_within, meet_contexts
from protocol.openid4vp import VerifiedRequest
from protocol.operators import Dealing, deal, seal_pieces
from protocol.policy import parse_policy, satisfied
from protocol.presentation import (
    RegieSealed,
    SealedDisclosure,
    grant_leaf,
    make_claim,
    seal_deposit,
    seal_presentation,
)
from protocol.reading import verify_ticket
from protocol.receipt import VerifiedInclusion, parse_tlog_proof, verify_tlog_proof
from protocol.request_object import REQUEST_TYP
from protocol.revocation_code import lock_for, view_hash
from protocol.terms import ConsentElement, Place, Terms, parse_element, parse_terms, terms_hash
from protocol.trust_list import Agency, Service, TrustedLog, TrustedWitness
from wallet.choose import Chosen, disclosures_of
from wallet.consent import decide_end, decide_places, decide_reads
from wallet.records import Choice, Deposit, GrantRecord

CLOCK_MARGIN = 60
"""Seconds that a grant begins before our own now: the log's clock may be behind ours, and it refuses what has not
begun."""
FIRST_VERSION = 1
FINAL_REFUSALS = frozenset({"bad_ticket", "widened", "bad_terms", "bad_deposit", "bad_form", "flags_missing"})
"""Codes of the log after which the same bytes will never be taken."""


@dataclass(frozen=True)
class Decision:
    """What the resident gives: to whom, for which service, and where each attribute stands; flags included."""

    agency: Agency
    element: ConsentElement
    service: Service
    places: tuple[Place, ...]
    choice: Choice


@dataclass(frozen=True)
class Draft:
    """All of a grant that is made once and then kept: the log's part, the agency's part, the operators'."""

    agency: Agency
    body: GrantRequest
    sealed: list[SealedDisclosure]
    share_a: str
    ticket_exp: int
    deposits: list[Deposit]


def decide_grant(request: VerifiedRequest, choice: Choice) -> Decision:
    """1. it asks for standing access; 2. the resident's choice per attribute; 3. what remains is registered.

    Raises `Rejected`: `not_standing`, those of `decide_places` and `check_element`.
    """
    if request.consent is None or request.service is None or request.agency is None:  # 1.
        raise Rejected("not_standing", "this asks for a copy; share it once with `regie wallet present`")
    places = tuple(decide_places(request, choice))  # 2.
    given = {(place.credential, place.name) for place in places}
    kept = [claim for claim in request.consent.claims if (claim.credential, claim.path[0]) in given]
    check_element(replace(request.consent, claims=kept), request.vcts, request.agency, request.service)  # 3.
    return Decision(request.agency, request.consent, request.service, places, choice)


def latest_end(request: VerifiedRequest, now: int) -> int | None:
    """The latest end that the asker may have, whatever cards are used; None for a copy."""
    if request.consent is None or request.service is None:
        return None
    return min(request.consent.max_not_after, now - CLOCK_MARGIN + request.service.longest_term)


def draft_grant(
    request: VerifiedRequest,
    decision: Decision,
    chosen: Mapping[str, Chosen],
    log: TrustedLog,
    *,
    operators: Sequence[TrustedWitness] = (),
    code: bytes,
    now: int,
    random: Callable[[int], bytes],
    mandate: VerifiedMandate | None = None,
) -> Draft:
    """Terms, sealed disclosures and deposits, with fresh secrets throughout. `chosen`: what `presented_query`
    asks; `operators`: the entries of the log's, if it has some; `mandate`: under which it is given.

    1. T from the decision, never wider than asked or than the mandate (`check_within` and `check_mandated` have
    the last word); 2. the ticket is for exactly T and
    still good; 3. disclosures sealed to agency and log together, or to agency and operators.
    Raises `Rejected`: `bad_date`, `too_long`, `too_many_reads`, `no_moment_left`, `bad_ticket`, `widened`,
    `over_asking`, `needed_missing`, `bad_key`, `mandate_ended`, `mandate_widened`.
    """
    a, opening_key = random(32), random(32)
    dealing = deal(log.operators.needed, log.operators.members, random) if log.operators is not None else None
    b = random(32) if dealing is None else dealing.b
    expires = min(item.copy.exp for item in chosen.values())
    if mandate is not None:
        expires = min(expires, mandate.mandate.until)
    terms = _make_terms(  # 1.
        request, decision, chosen, code=code, tag_key=random(32), b=b, now=now, expires=expires
    )
    if mandate is not None:
        terms = replace(terms, on_behalf_of=b64u_encode(mandate.hash))
    if dealing is not None:
        terms = replace(terms, operators=dealing.operators)
    parse_terms(to_builtins(terms))  # a record that is kept must be readable again, or the wallet opens no more
    check_within(terms, decision.element, decision.service)
    shown = None
    if mandate is not None:
        check_mandated(terms, dataclasses.replace(mandate, salt=lock_salt(code, FIRST_VERSION)))
        shown = show_mandate(mandate.token, code, FIRST_VERSION)
    ticket = verify_ticket(decision.element.ticket, decision.agency, terms, now).ticket  # 2.
    disclosures = {
        claim.digest: disclosures_of(chosen[claim.credential].copy)[claim.path[0]] for claim in terms.claims
    }
    kem_key = b64u_decode(decision.element.kem_key)
    sealed, share_a = seal_presentation(terms, disclosures, a, b, kem_key, random)  # 3.
    body = GrantRequest(
        terms=terms,
        opening_key=b64u_encode(opening_key),
        deposit=b64u_encode(seal_deposit(b64u_decode(log.deposit_key), terms, b)) if dealing is None else None,
        view_hash=b64u_encode(view_hash(code)),
        ticket=decision.element.ticket,
        mandate=shown,
    )
    deposits = [] if dealing is None else seal_deposits(terms, dealing, operators)
    return Draft(decision.agency, body, sealed, b64u_encode(share_a), ticket.exp, deposits)


def seal_deposits(terms: Terms, dealing: Dealing, operators: Sequence[TrustedWitness]) -> list[Deposit]:
    """Each operator's pieces under its own key. Raises `Rejected`: `no_deposit_key`, `bad_key`."""
    listed = {operator.name: operator.deposit_key for operator in operators}
    deposits = []
    for name in dealing.operators.members:
        key = listed.get(name)
        if key is None:
            raise Rejected("no_deposit_key", "the trust list names no deposit key of an operator of this log")
        sealed = seal_pieces(b64u_decode(key), terms, name, dealing.pieces_of(name))
        deposits.append(Deposit(name, b64u_encode(sealed)))
    return deposits


def has_enough_deposits(record: GrantRecord) -> bool:
    """Whether as many operators hold their pieces as a read needs; always so when the log holds the share."""
    operators = record.body.terms.operators
    return operators is None or len(operators.members) - len(record.deposits) >= operators.needed


def _make_terms(
    request: VerifiedRequest,
    decision: Decision,
    chosen: Mapping[str, Chosen],
    *,
    code: bytes,
    tag_key: bytes,
    b: bytes,
    now: int,
    expires: int,
) -> Terms:
    element, service, places = decision.element, decision.service, decision.places
    not_before = now - CLOCK_MARGIN
    claims = []
    for place in places:
        claims.append(make_claim(place, disclosures_of(chosen[place.credential].copy)[place.name], b))
    return Terms(
        type="urn:regie:terms:1",
        log=element.log.origin,
        lock=b64u_encode(lock_for(code, FIRST_VERSION)),
        tag_key=b64u_encode(tag_key),
        recipient=element.recipient,
        service=service.id,
        service_version=service.version,
        basis=service.basis,
        claims=claims,
        not_before=not_before,
        not_after=decide_end(element, service, decision.choice, not_before, expires),
        retention=element.retention,
        mode=element.mode,
        request_hash=b64u_encode(request.request_hash),
        version=FIRST_VERSION,
        max_reads=decide_reads(element, decision.choice),
        case=element.case,
        context=meet_contexts(decision.choice.context, element.context),
    )


def presented_query(request: VerifiedRequest, decision: Decision) -> Query:
    """The part of the query to answer: cards that T touches, the one that signs the element, and no more."""
    ids = {place.credential for place in decision.places} | set(decision.element.credential_ids)
    return replace(request.query, credentials=[item for item in request.query.credentials if item.id in ids])


def verify_receipt(
    answer: GrantAnswer, terms: Terms, opening_key: bytes, log: TrustedLog, now: int
) -> VerifiedInclusion:
    """That this very grant stands in the log, before the agency gets anything.

    1. the log that T names; 2. its checkpoint is signed by it and by a quorum of the pinned policy; 3. the leaf
    that T and our opening key make, at this slot and index, is in its tree. Age does not matter: the tree only
    grows.
    Raises `Rejected`: `wrong_log`, `bad_receipt`, `no_quorum`, `bad_inclusion` and those of notes and proofs.
    """
    if terms.log != log.origin:  # 1.
        raise Rejected("wrong_log", "the grant is for another log")
    proof = parse_tlog_proof(answer.proof)
    quorum = satisfied(parse_policy(log.policy), proof.checkpoint, now, None, log_keys=(log_keys(log),))  # 2.
    leaf = grant_leaf(terms, answer.slot, opening_key)
    found = verify_tlog_proof(proof, leaf.to_bytes(), quorum.checkpoint)  # 3.
    if found.index != answer.index:
        raise Rejected("bad_receipt", "the receipt is for another entry than the log says")
    return found


def sign_answer(
    request: VerifiedRequest,
    sealed: RegieSealed,
    credentials: Mapping[str, str],
    keys: Mapping[str, Es256Private],
    now: int,
) -> bytes:
    """The form for the agency's `response_uri`, with KB-JWTs made now (the agency takes them for 5 minutes).

    `credentials` and `keys` by DCQL id, as `presented_query` names them. No disclosure leaves in the clear.
    Raises `Rejected`: `request_expired`.
    """
    if now >= request.exp:
        raise Rejected("request_expired", "the request has expired; ask for a new one", status=410)
    if request.encryption is None:
        raise ValueError("a request for standing access names a key to encrypt to")
    vp_token = {
        query_id: [_bind(request, query_id, credential, keys[query_id], sealed.terms, now)]
        for query_id, credential in credentials.items()
    }
    return encrypt_response(
        request.encryption, nonce=request.nonce, state=request.state, vp_token=vp_token, sealed=sealed
    )


def _bind(
    request: VerifiedRequest, query_id: str, credential: str, key: Es256Private, terms: Terms, now: int
) -> str:
    """Issuer-signed JWT `~` KB-JWT: the consent signature."""
    presented = split_sd_jwt(credential).jwt + "~"
    signs_element = request.consent is not None and query_id in request.consent.credential_ids
    return presented + sign_key_binding(
        presented,
        key,
        audience=request.client_id,
        nonce=request.nonce,
        iat=now,
        consent=terms_hash(terms),
        transaction_data_hashes=request.transaction_data_hashes if signs_element else None,
    )


def consent_of(token: str) -> ConsentElement:
    """The consent element of a request that was verified when it was kept. Raises `Rejected` if it is not one."""
    payload = parse_object(parse_jws(token, typ=REQUEST_TYP).payload)
    return parse_element(str(payload["transaction_data"][0]))
