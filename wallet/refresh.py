"""A newer version of a grant, because the register changed (protocol section 9). Pure.

A refresh renews and narrows; it never widens, and its copies are of the sets of before, so that it is about the
same person. Nothing here sends or keeps: `errand_refresh` keeps what `draft_refresh` made before a byte leaves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from msgspec.structs import replace

from protocol.canonical import b64u_decode, b64u_encode, parse_object, sha256, to_builtins
from protocol.consent import refresh_nonce
from protocol.consent_api import GrantRequest
from protocol.credential import split_sd_jwt
from protocol.errors import Rejected
from protocol.jws import parse_jws
from protocol.key_binding import sign_key_binding
from protocol.keys import Es256Private
from protocol.narrowing import check_refresh
from protocol.operators import deal
from protocol.presentation import RegieSealed, make_claim, seal_deposit, seal_presentation
from protocol.request_object import REQUEST_TYP
from protocol.revocation_code import lock_for, revocation_secret, view_hash
from protocol.terms import Terms, parse_element, parse_terms, places_of, terms_hash
from protocol.trust_list import Agency, TrustedLog, TrustedWitness
from wallet.card import claims_of
from wallet.choose import Chosen, disclosures_of
from wallet.grant import CLOCK_MARGIN, seal_deposits
from wallet.records import Copy, GrantRecord
from wallet.records_refresh import RefreshIntent
from wallet.revoke import MAX_VERSIONS

Wait: TypeAlias = Literal["not_chosen", "secrecy"]
"""Why the wallet does not send new data by itself: the resident did not choose that, or the register keeps the
person secret now, and the receiver is no public body."""
SECRECY = "geheimhouding"
FINAL = frozenset({"revoked", "widened", "bad_terms", "bad_deposit", "bad_form", "flags_missing", "lock_used"})
"""Codes of the log after which the same bytes will never be taken."""


@dataclass(frozen=True)
class Renewable:
    """A running grant for which newer copies are here. `copies`: all of the new version, by DCQL id."""

    copies: Mapping[str, Chosen]
    wait: Wait | None


def newer_copies(record: GrantRecord, copies: Mapping[str, Copy]) -> dict[str, Chosen] | None:
    """The copies of a newer version: of each card the newest in the same set; None when none is newer."""
    chosen: dict[str, Chosen] = {}
    for query_id, name in record.copies.items():
        old = copies.get(name)
        if old is None:
            return None
        same = {
            each: copy
            for each, copy in copies.items()
            if copy.set_id and _place(copy) == _place(old) and copy.received > old.received
        }
        best = max(same, key=lambda each: (same[each].received, each), default=name)
        chosen[query_id] = Chosen(best, copies[best])
    return chosen if any(chosen[query_id].name != name for query_id, name in record.copies.items()) else None


def _place(copy: Copy) -> tuple[str, str, str, str | None]:
    """What a copy that takes the place of another shares with it."""
    return copy.issuer, copy.vct, copy.set_id, copy.mandate


def find_renewable(record: GrantRecord, copies: Mapping[str, Copy]) -> Renewable | None:
    """Whether a running grant can be renewed, and whether that waits for the resident."""
    if record.state != "active" or record.stop is not None or not record.request:
        return None
    if record.body.terms.on_behalf_of is not None:  # a newer version needs the signatures of all parties again
        return None
    chosen = newer_copies(record, copies)
    if chosen is None:
        return None
    wait: Wait | None = None
    if record.follow is not True:
        wait = "not_chosen"
    elif is_secret(chosen) and not is_public_body(record.agency):
        wait = "secrecy"
    return Renewable(chosen, wait)


def is_secret(chosen: Mapping[str, Chosen]) -> bool:
    """Whether the register keeps this person secret (Wet BRP 2.59)."""
    return any(claims_of(item.copy).get(SECRECY) is True for item in chosen.values())


def is_public_body(agency: Agency) -> bool:
    """Whether secrecy does not stand in its way: it limits what others get, not a government body at its task.
    Those are who the law lets use the BSN (Wabb 10), as the trust list says.
    """
    return agency.bsn_allowed


def draft_refresh(
    record: GrantRecord,
    chosen: Mapping[str, Chosen],
    code: bytes,
    log: TrustedLog,
    *,
    operators: Sequence[TrustedWitness] = (),
    now: int,
    random: Callable[[int], bytes],
) -> RefreshIntent:
    """The next version with fresh secrets throughout; the terms of before but for what a refresh changes.

    1. T' by the old T and the new copies; never wider (`check_refresh` has the last word); 2. disclosures sealed
    to the agency's key of the first request and to the log, or the operators.
    Raises `Rejected`: `no_request`, `too_many_versions`, `widened`, `expired`, `bad_key`, `no_deposit_key`.
    """
    old = record.body.terms
    if not record.request:
        raise Rejected("no_request", "this agreement was found in the log: its request is not here", status=409)
    if old.version >= MAX_VERSIONS:
        raise Rejected("too_many_versions", "the paper code of this agreement reaches no further; make a new one")
    a, opening_key = random(32), random(32)
    dealing = deal(log.operators.needed, log.operators.members, random) if log.operators is not None else None
    b = random(32) if dealing is None else dealing.b
    terms = _next_terms(old, chosen, code, b, now)  # 1.
    if dealing is not None:
        terms = replace(terms, operators=dealing.operators)
    parse_terms(to_builtins(terms))
    check_refresh(old, terms)
    disclosures = {
        claim.digest: disclosures_of(chosen[claim.credential].copy)[claim.path[0]] for claim in terms.claims
    }
    kem_key = b64u_decode(parse_element(element_text(record.request)).kem_key)
    sealed, share_a = seal_presentation(terms, disclosures, a, b, kem_key, random)  # 2.
    deposit = b64u_encode(seal_deposit(b64u_decode(log.deposit_key), terms, b)) if dealing is None else None
    body = GrantRequest(
        terms=terms,
        opening_key=b64u_encode(opening_key),
        deposit=deposit,
        view_hash=b64u_encode(view_hash(code)),
        replaced_r=b64u_encode(revocation_secret(code, old.version)),
    )
    deposits = [] if dealing is None else seal_deposits(terms, dealing, operators)
    copies = {query_id: item.name for query_id, item in chosen.items()}
    return RefreshIntent(body, copies, sealed, b64u_encode(share_a), deposits, now)


def _next_terms(old: Terms, chosen: Mapping[str, Chosen], code: bytes, b: bytes, now: int) -> Terms:
    version = old.version + 1
    ends = min(old.not_after, *(item.copy.exp for item in chosen.values()))
    begins = max(old.not_before, now - CLOCK_MARGIN)
    if begins >= ends:
        raise Rejected("expired", "the agreement or its cards have ended", status=410)
    claims = [
        make_claim(place, disclosures_of(chosen[place.credential].copy)[place.name], b) for place in places_of(old)
    ]
    return replace(
        old,
        lock=b64u_encode(lock_for(code, version)),
        version=version,
        claims=claims,
        not_before=begins,
        not_after=ends,
        operators=None,
    )


def element_text(token: str) -> str:
    """The one `transaction_data` of a request that was verified when it was kept, as it was sent."""
    return str(parse_object(parse_jws(token, typ=REQUEST_TYP).payload)["transaction_data"][0])


def renewed_record(record: GrantRecord, intent: RefreshIntent, *, slot: int, index: int | None) -> GrantRecord:
    """The record of the grant once the log has the newer version: from now on that is what a stop ends."""
    return replace(
        record,
        state="renewing",
        body=intent.body,
        copies=intent.copies,
        sealed=intent.sealed,
        share_a=intent.share_a,
        deposits=intent.deposits,
        slot=slot,
        index=index,
        proof=None,
        problem=None,
    )


def sign_delivery(
    record: GrantRecord, chosen: Mapping[str, Chosen], keys: Mapping[str, Es256Private], now: int
) -> tuple[dict[str, list[str]], RegieSealed]:
    """What the agency's inbox gets, with KB-JWTs made now: `vp_token` and `regie_sealed`.

    `keys` by DCQL id. No disclosure leaves in the clear.
    """
    terms, text = record.body.terms, element_text(record.request)
    signing = parse_element(text).credential_ids
    binding, nonce, element_hash = terms_hash(terms), refresh_nonce(terms), sha256(text.encode("ascii"))
    vp_token = {}
    for query_id, item in chosen.items():
        presented = split_sd_jwt(item.copy.credential).jwt + "~"
        bound = sign_key_binding(
            presented,
            keys[query_id],
            audience=record.client_id,
            nonce=nonce,
            iat=now,
            consent=binding,
            transaction_data_hashes=[element_hash] if query_id in signing else None,
        )
        vp_token[query_id] = [presented + bound]
    sealed = RegieSealed(
        terms=terms,
        slot=record.slot or 0,
        sealed=record.sealed,
        opening_key=record.body.opening_key,
        share_a=record.share_a,
        proof=record.proof or "",
    )
    return vp_token, sealed
