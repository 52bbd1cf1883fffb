"""What an agency checks before it stores a grant, and before it hands out a value (**ours**).

Protocol sections 7.4 and 8.4. Each verifier is a list of numbered steps; a step that fails ends it and nothing of
what was sent may be used. Values exist only in the `VerifiedReading` at the very end; we never write them to disk.
"""

from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypedDict

from protocol.canonical import JsonValue, b64u_decode, sha256
from protocol.checkpoint import VerifiedStanding
from protocol.consent import (
    Asked,
    CredentialStatus,
    StandingAnswer,
    VerifiedConsent,
    check_status,
    verify_consent,
)
from protocol.consent_api import ReadAnswer
from protocol.disclosure import parse_disclosure
from protocol.errors import Rejected
from protocol.leaf import LeafType, Read, commitment, event_tag
from protocol.narrowing import check_listed_operators, check_refresh, check_within
from protocol.operators import Combined, combine, open_pieces_release
from protocol.policy import VerifiedQuorum
from protocol.presentation import check_sealed_form, check_share, grant_leaf, open_disclosure, open_share_a
from protocol.reading import UnverifiedRead, is_in_scope, open_release, parse_read
from protocol.receipt import parse_tlog_proof, verify_tlog_proof
from protocol.seal import KemPrivate
from protocol.terms import Operators, Place, Terms, check_terms, places_of, terms_hash
from protocol.trust_list import TrustList


@dataclass(frozen=True)
class VerifiedStandingGrant:
    """A grant that may be stored; only `verify_standing` makes one. No value in it is readable."""

    answer: StandingAnswer
    consent: VerifiedConsent
    grant_index: int


@dataclass(frozen=True)
class VerifiedReading:
    """Values, with what proves that they might be read; only `open_reading` makes one."""

    values: Mapping[Place, JsonValue]
    read: str
    n: int
    index: int
    opening_key: bytes
    standing: VerifiedStanding
    consent: VerifiedConsent
    statuses: Mapping[str, CredentialStatus]
    combined: Combined | None = None
    """What came of the operators, where there are any."""


def verify_standing(
    answer: StandingAnswer,
    asked: Asked,
    *,
    trust: TrustList,
    kem: KemPrivate,
    quorum: VerifiedQuorum,
    now: int,
    statuses: Mapping[str, CredentialStatus] | None = None,
    accept_undetermined: bool = True,
) -> VerifiedStandingGrant:
    """Every check of section 8.4 that needs no value, before anything is stored:

    1. terms: form and limits, register flags; 2. T answers this request (`request_hash`) and is not over;
    3. T is never wider than asked and registered (`check_within`), its shares are dealt as the trust list says of
    its log; 4. consent (`verify_consent`), KB-JWTs at most
    300 s old; 5. credential status; 6. sealed form: every digest once, exact sizes; 7. `share_a` opens with the
    agency's key; 8. the grant leaf opens to T with its lock and is in the tree of the log that T names.
    `quorum`: the checkpoint in `regie_sealed.proof`, which the caller held against its pinned policy.
    Raises `Rejected`: `bad_terms`, `flags_missing`, `wrong_request`, `expired`, `widened`, `over_asking`,
    `needed_missing`, `bad_sealed`, `bad_share_a`, those of `verify_consent`, `check_status` and receipts.
    """
    terms = answer.terms
    check_terms(terms)  # 1.
    if b64u_decode(terms.request_hash) != asked.request_hash:  # 2.
        raise Rejected("wrong_request", "terms answer another request")
    _check_not_over(terms, now)
    check_within(terms, asked.element, asked.service)  # 3.
    check_listed_operators(terms, trust.log(terms.log).operators)
    consent = verify_consent(answer, asked, trust=trust, now=now, fresh=True)  # 4.
    check_status(consent, statuses or {}, accept_undetermined)  # 5.
    check_sealed_form(terms, answer.sealed.sealed)  # 6.
    open_share_a(kem, terms, b64u_decode(answer.sealed.share_a))  # 7.
    return VerifiedStandingGrant(answer, consent, _verify_receipt(answer, quorum))  # 8.


def _check_not_over(terms: Terms, now: int) -> None:
    if now >= terms.not_after:
        raise Rejected("expired", "the grant has ended", status=403)


def _verify_receipt(answer: StandingAnswer, quorum: VerifiedQuorum) -> int:
    """Index of the grant leaf. Raises `Rejected`: `wrong_log` and those of `verify_tlog_proof`."""
    if quorum.checkpoint.origin != answer.terms.log:
        raise Rejected("wrong_log", "receipt is of another log than the terms name")
    leaf = grant_leaf(answer.terms, answer.sealed.slot, b64u_decode(answer.sealed.opening_key))
    proof = parse_tlog_proof(answer.sealed.proof)
    return verify_tlog_proof(proof, leaf.to_bytes(), quorum.checkpoint).index


def verify_refresh(old: VerifiedStandingGrant, new: VerifiedStandingGrant) -> None:
    """A refresh only renews and narrows, and never swaps the person. Both were verified on their own.

    The caller MUST also see the old slot revoked in the log. Raises `Rejected`: `widened` 403, `claim_mismatch`.
    """
    check_refresh(old.answer.terms, new.answer.terms)
    if new.consent.set_id != old.consent.set_id:
        raise Rejected("claim_mismatch", "a refresh comes with another person's set")


def open_reading(
    answer: StandingAnswer,
    asked: Asked,
    token: str,
    released: ReadAnswer,
    standing: VerifiedStanding,
    *,
    trust: TrustList,
    kem: KemPrivate,
    reply: KemPrivate,
    now: int,
    used: Container[int] = (),
    pieces: Mapping[str, str] | None = None,
    statuses: Mapping[str, CredentialStatus] | None = None,
    accept_undetermined: bool = True,
) -> VerifiedReading:
    """Section 8.4, in its order. `token`: the READ as this agency signed it; `reply`: its one-use key; `pieces`:
    `sealed` of each operator that released, by name, when T names operators.

    1. the light check (`standing`, made under the pinned policy) is of this grant; 2. the leaf is this agency's
    own READ, under the same checkpoint, tag and n right, n not `used` before and below max_reads; 3. shares open
    and match T; 4. disclosures open; 5. the digests of T stand in the JWT of their credential, issuer's signature,
    one `set`, key binding (`verify_consent`; the age of KB-JWTs counted once, at acceptance), dates, credential
    status; 6. the disclosure's name and place = T.path; 7. scope: READ within T, T within request and
    registration. Only then are there values.
    The caller MUST keep n as used. Raises `Rejected`: `wrong_grant`, `wrong_read`, `read_number`, `bad_release`,
    `share_mismatch` (log or operators lie), `digest_mismatch` and `bad_dealing` (the wallet lies),
    `claim_mismatch`, `expired`, `out_of_scope`, and those of `verify_standing`.
    """
    terms = answer.terms
    check_terms(terms)
    if (standing.slot, standing.lock) != (answer.sealed.slot, b64u_decode(terms.lock)):  # 1.
        raise Rejected("wrong_grant", "the light check is of another grant")
    if standing.checkpoint.origin != terms.log:
        raise Rejected("wrong_log", "the light check is of another log")
    read = _verify_own_read(terms, token, released, standing, reply.public_bytes(), used)  # 2.
    shares, combined = _take_shares(terms, read, released, standing, reply, pieces or {})  # 3.
    disclosures = _open_disclosures(answer, read, shares, kem)  # 4.
    consent = verify_consent(answer, asked, trust=trust, now=now, fresh=False)  # 5.
    _check_not_over(terms, now)
    if now < terms.not_before:
        raise Rejected("not_yet", "the grant has not begun", status=403)
    check_status(consent, statuses or {}, accept_undetermined)
    values = _take_values(terms, disclosures)  # 6.
    if not is_in_scope(terms, read.read):  # 7.
        raise Rejected("out_of_scope", "the READ asks more than the terms grant", status=403)
    check_within(terms, asked.element, asked.service)
    opening_key = b64u_decode(released.opening_key)
    return VerifiedReading(
        values, token, released.n, released.index, opening_key, standing, consent, dict(statuses or {}), combined
    )


def verify_entry(
    terms: Terms,
    token: str,
    released: ReadAnswer,
    standing: VerifiedStanding,
    reply_key: bytes,
    used: Container[int] = (),
) -> None:
    """Steps 1 and 2 of `open_reading`: the entry of this READ is there, and it names this (public) reply key.

    An agency looks before it asks operators, an operator before it releases. **Not** whose READ it is.
    Raises `Rejected`: `wrong_grant`, `wrong_read`, `read_number` and those of the entry's proof.
    """
    if standing.lock != b64u_decode(terms.lock):
        raise Rejected("wrong_grant", "the light check is of another grant")
    _verify_own_read(terms, token, released, standing, reply_key, used)


def _verify_own_read(
    terms: Terms,
    token: str,
    released: ReadAnswer,
    standing: VerifiedStanding,
    reply_key: bytes,
    used: Container[int],
) -> UnverifiedRead:
    """Step 2. The READ is our own, so its signature is not checked; that it is about this grant is."""
    own = parse_read(token)
    about = (own.read.slot, b64u_decode(own.read.lock), own.read.aud)
    if about != (standing.slot, standing.lock, standing.checkpoint.origin):
        raise Rejected("wrong_read", "the READ is about another grant")
    if b64u_decode(own.read.reply_key_hash) != sha256(reply_key):
        raise Rejected("wrong_read", "the READ names another reply key")
    commit = commitment(b64u_decode(released.opening_key), LeafType.READ, token.encode("ascii"))
    leaf = Read(event_tag(b64u_decode(terms.tag_key), LeafType.READ, released.n), commit)
    inclusion = verify_tlog_proof(parse_tlog_proof(released.proof), leaf.to_bytes(), standing.checkpoint)
    if inclusion.index != released.index or inclusion.index <= standing.grant_index:
        raise Rejected("wrong_read", "the entry does not stand where the log says")
    if released.n in used or (terms.max_reads is not None and released.n >= terms.max_reads):
        raise Rejected("read_number", "the log counts a number twice or beyond the terms")
    return own


def _take_shares(
    terms: Terms,
    read: UnverifiedRead,
    released: ReadAnswer,
    standing: VerifiedStanding,
    reply: KemPrivate,
    pieces: Mapping[str, str],
) -> tuple[Sequence[bytes], Combined | None]:
    """Step 3: the shares of this READ, each the one that T names; from the log, or from the operators."""
    claims = {claim.digest: claim for claim in terms.claims}
    if not set(read.read.claims) <= set(claims):
        raise Rejected("out_of_scope", "the READ asks more than the terms grant", status=403)
    asked = [claims[digest] for digest in read.read.claims]
    if terms.operators is not None:
        given = _opened(terms.operators, pieces, reply, len(asked), _binding(read, standing, released))
        combined = combine(terms.operators, asked, given)
        if combined is None:
            raise Rejected("share_mismatch", "no set of operators released the shares that the terms name")
        unreadable = tuple(name for name in pieces if name not in given)
        combined = replace(combined, odd=combined.odd + unreadable, liars=combined.liars + unreadable)
        return combined.shares, combined
    if released.sealed is None:
        raise Rejected("bad_release", "the log released no shares")
    shares = open_release(reply, b64u_decode(released.sealed), len(asked), **_binding(read, standing, released))
    for claim, share in zip(asked, shares, strict=True):
        check_share(claim, share)
    return shares, None


def _opened(
    operators: Operators, pieces: Mapping[str, str], reply: KemPrivate, count: int, binding: "_Binding"
) -> dict[str, list[tuple[bytes, ...]]]:
    """What each operator gave, by name; one whose answer does not open gave nothing."""
    given = {}
    for name, sealed in pieces.items():
        with suppress(Rejected):
            given[name] = open_pieces_release(reply, b64u_decode(sealed), operators, name, count, **binding)
    return given


class _Binding(TypedDict):
    lock: bytes
    read_id: bytes
    index: int
    body_hash: bytes


def _binding(read: UnverifiedRead, standing: VerifiedStanding, released: ReadAnswer) -> _Binding:
    """What a release is bound to."""
    read_id = b64u_decode(read.read.read_id)
    body_hash = standing.checkpoint.body_hash
    return _Binding(lock=standing.lock, read_id=read_id, index=released.index, body_hash=body_hash)


def _open_disclosures(
    answer: StandingAnswer, read: UnverifiedRead, shares: Sequence[bytes], kem: KemPrivate
) -> Mapping[str, str]:
    """Step 4: the disclosures (base64url) of this READ under their digest, and of no other attribute."""
    terms = answer.terms
    claims = {claim.digest: claim for claim in terms.claims}
    sealed = {item.digest: item for item in answer.sealed.sealed}
    if not set(read.read.claims) <= set(sealed):
        raise Rejected("out_of_scope", "the READ asks more than the terms grant", status=403)
    a = open_share_a(kem, terms, b64u_decode(answer.sealed.share_a))
    binding = terms_hash(terms)
    return {
        digest: open_disclosure(terms, claims[digest], sealed[digest], a, share, binding=binding)
        for digest, share in zip(read.read.claims, shares, strict=True)
    }


def _take_values(terms: Terms, disclosures: Mapping[str, str]) -> dict[Place, JsonValue]:
    """Step 6: a disclosure of another name would pass off one attribute as another. Raises: `claim_mismatch`."""
    places = {claim.digest: place for claim, place in zip(terms.claims, places_of(terms), strict=True)}
    values: dict[Place, JsonValue] = {}
    for digest, encoded in disclosures.items():
        disclosure = parse_disclosure(encoded)
        if disclosure.name != places[digest].name:
            raise Rejected("claim_mismatch", "a disclosure is not the attribute that the terms name")
        values[places[digest]] = disclosure.value
    return values
