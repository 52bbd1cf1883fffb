"""An answer: what must be true before anything is stored (pure; OpenID4VP 1.0 sections 8, 14, RFC 9901).

The desk does the I/O between these rules: it fetches status lists and the log's evidence, and stores at the end.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from protocol import dcql
from protocol.attributes import short_name
from protocol.canonical import JsonValue, b64u_decode
from protocol.consent import KEY_BINDING_AGE, Asked, CredentialStatus, StandingAnswer
from protocol.direct_post import MAX_PRESENTATIONS, ResponseObject
from protocol.errors import Rejected, Unavailable
from protocol.formats import Challenge, VerifiedContent, credential_format
from protocol.light_check import GrantOpening
from protocol.log_keys import LogKeys, log_keys
from protocol.policy import Policy, VerifiedQuorum, parse_policy, satisfied
from protocol.presentation import grant_opening
from protocol.receipt import parse_tlog_proof
from protocol.seal import KemPrivate
from protocol.standing import VerifiedStandingGrant, verify_standing
from protocol.status_list import SUPERSEDED, VALID, StatusList, StatusReference
from protocol.trust_list import TrustedLog, TrustList
from verifier.explain import failed_step
from verifier.transaction import check_transactions
from verifier.verdict import Outcome, Trace


@dataclass(frozen=True)
class LogTrust:
    """The pinned log: its keys and the policy that its checkpoints must meet."""

    origin: str
    url: str
    key: LogKeys
    policy: Policy


class Shared(msgspec.Struct, frozen=True):
    """What one card showed of what was asked. `id`: its credential query; `claims`: the asked parts (DCQL 7.1)."""

    id: str
    vct: str
    issuer: str
    claims: dict[str, Any]


@dataclass(frozen=True)
class VerifiedCopy:
    """What a resident shared once; only `verify_copy` makes one. Holds nothing that was not asked.

    `contents`: the cards by the label of each presentation, for their status.
    """

    shared: tuple[Shared, ...]
    contents: Mapping[str, VerifiedContent]


def log_trust(log: TrustedLog) -> LogTrust:
    """Raises `Unavailable`: `log_policy` when the trust list holds no policy for the log that could be met."""
    try:
        return LogTrust(log.origin, log.url, log_keys(log), parse_policy(log.policy))
    except Rejected as error:
        raise Unavailable("log_policy", "the trust list has no usable policy for this log") from error


def grant_opening_of(answer: StandingAnswer) -> GrantOpening:
    """What the light check compares the grant leaf with."""
    terms = answer.terms
    return GrantOpening(
        terms.log, b64u_decode(terms.lock), grant_opening(terms), b64u_decode(answer.sealed.opening_key)
    )


def standing_answer(response: ResponseObject) -> StandingAnswer:
    """The parts of an answer under standing access: one presentation each. Raises `Rejected`: `bad_vp_token`."""
    if response.regie_sealed is UNSET:
        raise Rejected("bad_vp_token", "the answer has no sealed part")
    if any(len(presentations) != 1 for presentations in response.vp_token.values()):
        raise Rejected("bad_vp_token", "one presentation for each query")
    return StandingAnswer({name: one for name, (one,) in response.vp_token.items()}, response.regie_sealed)


def receipt_quorum(answer: StandingAnswer, log: LogTrust, now: int) -> VerifiedQuorum:
    """The checkpoint of the grant's receipt, witnessed at any time: its freshness is the light check's matter.

    Raises `Rejected` as `parse_tlog_proof` and `satisfied` do.
    """
    note = parse_tlog_proof(answer.sealed.proof).checkpoint
    return satisfied(log.policy, note, now, max_age=None, log_keys=(log.key,))


def verify_grant(
    answer: StandingAnswer, asked: Asked, *, trust: TrustList, kem: KemPrivate, log: LogTrust, now: int
) -> VerifiedStandingGrant:
    """Everything about a grant that needs neither network nor value.

    1. it is in the pinned log; 2. its receipt's checkpoint has a quorum; 3. `standing.verify_standing`.
    The caller MUST then see credential status and light check, and only then store.
    Raises `Rejected`: `wrong_log` and those of the parts.
    """
    if answer.terms.log != log.origin:  # 1.
        raise Rejected("wrong_log", "the grant is in another log than this agency uses")
    quorum = receipt_quorum(answer, log, now)  # 2.
    return verify_standing(answer, asked, trust=trust, kem=kem, quorum=quorum, now=now)  # 3.


def verify_copy(
    response: ResponseObject,
    query: dcql.Query,
    *,
    trust: TrustList,
    challenge: Challenge,
    now: int,
    trace: Trace,
    transactions: Sequence[str] = (),
) -> VerifiedCopy:
    """A plain OpenID4VP answer (section 8.6):

    1. as many presentations as were asked, under the ids that were asked; 2. every presentation: issuer, holder's
    signature for this audience and nonce, disclosures (`CredentialFormat.verify_presented`); 3. no card of who is
    represented by the holder: a copy could be neither seen nor stopped by that person; one `set`: not the
    attributes of two residents; 4. the query is answered: we look ourselves (section 14.9), and drop what was not
    asked; 5. `transactions`, as sent, are signed, and nothing else is.
    **Not** checked: credential status; the caller MUST.
    Raises `Rejected`: `bad_vp_token`, `mandate_unsupported` 403, `claim_mismatch`, `dcql_not_satisfied`,
    `bad_transaction`, and those of `verify_presented`.
    """
    with trace.step("presentations"):
        _check_presentations(response, query)  # 1.
    presented = _verify_presentations(response, query, trust, challenge, now, trace)  # 2.
    contents = {label: content for found in presented.values() for label, content in found.items()}
    _check_own_data(contents.values(), trace)
    _check_one_person(contents.values(), trace)  # 3.
    with trace.step("query"):
        cards = {name: [content.card for content in found.values()] for name, found in presented.items()}
        asked = dcql.check_answer(query, cards)  # 4.
    with trace.step("transaction"):
        bindings = {
            name: [content.key_binding for content in found.values() if content.key_binding is not None]
            for name, found in presented.items()
        }
        check_transactions(transactions, bindings)  # 5.
    shared = (
        Shared(name, content.vct, content.iss, claims)
        for name, found in presented.items()
        for content, claims in zip(found.values(), asked[name], strict=True)
    )
    return VerifiedCopy(tuple(shared), contents)


def _check_presentations(response: ResponseObject, query: dcql.Query) -> None:
    """Before anything is verified: a wallet neither keeps us busy nor puts words of its own into the verdict."""
    if response.regie_sealed is not UNSET:
        raise Rejected("bad_vp_token", "a sealed part was not asked for")
    asked = {item.id: item for item in query.credentials}
    for name, texts in response.vp_token.items():
        if name not in asked or (len(texts) > 1 and not asked[name].multiple):
            raise Rejected("dcql_not_satisfied", "the answer names another query or too many presentations")
    texts = [text for many in response.vp_token.values() for text in many]
    if len(texts) > MAX_PRESENTATIONS:
        raise Rejected("bad_vp_token", f"at most {MAX_PRESENTATIONS} cards in one answer are read")
    cards = [(name, text.partition("~")[0]) for name, many in response.vp_token.items() for text in many]
    if len(set(texts)) != len(texts) or len(set(cards)) != len(cards):  # signed anew, it is still one card
        raise Rejected("bad_vp_token", "one card stands in the answer twice")


def _verify_presentations(
    response: ResponseObject, query: dcql.Query, trust: TrustList, challenge: Challenge, now: int, trace: Trace
) -> dict[str, dict[str, VerifiedContent]]:
    """Contents by credential query and label: the id, with `.2` and on after it for further presentations."""
    presented: dict[str, dict[str, VerifiedContent]] = {}
    for name, texts in response.vp_token.items():
        found, kind = presented.setdefault(name, {}), credential_format(query.credential(name).format)
        for number, text in enumerate(texts, start=1):
            label = name if number == 1 else f"{name}.{number}"
            try:
                found[label] = kind.verify_presented(text, trust, challenge, now, max_age=KEY_BINDING_AGE)
            except Rejected as error:
                trace.presentation(label, *failed_step(text, trust, challenge, now, error.code))
                raise
            trace.presentation(label)
    return presented


def _check_own_data(contents: Iterable[VerifiedContent], trace: Trace) -> None:
    with trace.step("own_data"):
        if any(content.mandate is not None for content in contents):
            raise Rejected("mandate_unsupported", "data of another person are not shared as a copy", status=403)


def _check_one_person(contents: Collection[VerifiedContent], trace: Trace) -> None:
    """Cards of our issuers name their `set`; what strangers issued may be of anybody, and the verdict says so."""
    sets = {content.set_id for content in contents if content.set_id is not None}
    if len(sets) > 1:
        trace.note("one_person", "failed", code="claim_mismatch")
        raise Rejected("claim_mismatch", "credentials are not of one set")
    is_known = len(contents) == 1 or all(content.set_id is not None for content in contents)
    trace.note("one_person", "passed" if is_known else "undetermined")


def status_of(
    reference: StatusReference | None, found: StatusList | None, *, is_listed: bool = True
) -> CredentialStatus:
    """An issuer that cannot be asked has not said that a credential is valid: `undetermined`.

    Without a `status` member there is nothing to revoke; those of our vocabulary always have one. Only of a listed
    issuer do we know what it means by a status that the standard leaves to applications.
    """
    if reference is None:
        return "valid"
    if found is None:
        return "undetermined"
    try:
        status = found.status(reference.idx)
    except Rejected:  # an index outside the list says nothing
        return "undetermined"
    if status == SUPERSEDED and is_listed:
        return "superseded"
    return "valid" if status == VALID else "revoked"


_STATUS_STEPS: dict[CredentialStatus, tuple[Outcome, str | None]] = {
    "valid": ("passed", None),
    "superseded": ("passed", None),
    "revoked": ("failed", "credential_revoked"),
    "undetermined": ("undetermined", "status_undetermined"),
}


def judge_statuses(statuses: Mapping[str, CredentialStatus], *, accept_undetermined: bool, trace: Trace) -> None:
    """`check_statuses`, with the outcome of each card and the service's decision in the verdict. Raises as it."""
    for name, status in statuses.items():
        outcome, code = _STATUS_STEPS[status]
        trace.note("status", outcome, name, code)
        if status == "superseded":
            trace.note("current", "undetermined", name, "out_of_date")
    with trace.step("status_decision"):
        check_statuses(statuses, accept_undetermined=accept_undetermined)


def check_statuses(statuses: Mapping[str, CredentialStatus], *, accept_undetermined: bool) -> None:
    """Raises `Rejected`: `credential_revoked`, `status_undetermined`, both 403."""
    if "revoked" in statuses.values():
        raise Rejected("credential_revoked", "the issuer revoked a credential", status=403)
    if "undetermined" in statuses.values() and not accept_undetermined:
        raise Rejected("status_undetermined", "the status of a credential is not known", status=403)


def label_values(values: Mapping[tuple[str, str], JsonValue]) -> dict[str, JsonValue]:
    """Values under their attribute's name, with the credential before it where two credentials have that name.

    Shape: `{"postcode": "1234AB", "adres.geheimhouding": null, "persoon.geheimhouding": null}`.
    """
    names = [name for _, name in values]
    return {
        f"{short_name(vct)}.{name}" if names.count(name) > 1 else name: value
        for (vct, name), value in values.items()
    }


def flat_values(shared: Sequence[Shared]) -> dict[str, JsonValue]:
    """The attributes of all cards under one name each: `postcode`; `adres.postcode` where two types have it, and
    `adres.postcode.2` where two cards of a type were shown.
    """
    found: dict[tuple[str, str], list[JsonValue]] = {}
    for card in shared:
        for name, value in card.claims.items():
            found.setdefault((card.vct, name), []).append(value)
    named = label_values({place: number for number, place in enumerate(found)})
    values: dict[str, JsonValue] = {}
    for name, many in zip(named, found.values(), strict=True):
        values |= {
            name if number == 1 else f"{name}.{number}": value for number, value in enumerate(many, start=1)
        }
    return values


def labels(places: Sequence[tuple[str, str]]) -> list[str]:
    """The names that `label_values` would give."""
    return list(label_values(dict.fromkeys(places, None)))
