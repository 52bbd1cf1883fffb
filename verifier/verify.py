"""An answer: what must be true before anything is stored (pure; clauses 18 to 20 of openid4vc.md).

The desk does the I/O between these rules: it fetches status lists and the log's evidence, and stores at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from protocol import dcql
from protocol.attributes import short_name
from protocol.canonical import JsonValue, b64u_decode
from protocol.consent import KEY_BINDING_AGE, Asked, CredentialStatus, StandingAnswer
from protocol.credential import VerifiedPresentation, verify_presentation
from protocol.direct_post import ResponseObject
from protocol.errors import Rejected, Unavailable
from protocol.issuer_jwt import VerifiedIssuerJwt
from protocol.light_check import GrantOpening
from protocol.log_keys import LogKeys, log_keys
from protocol.policy import Policy, VerifiedQuorum, parse_policy, satisfied
from protocol.presentation import grant_opening
from protocol.receipt import parse_tlog_proof
from protocol.seal import KemPrivate
from protocol.standing import VerifiedStandingGrant, verify_standing
from protocol.status_list import VALID, StatusList
from protocol.trust_list import TrustedLog, TrustList


@dataclass(frozen=True)
class LogTrust:
    """The pinned log: its keys and the policy that its checkpoints must meet."""

    origin: str
    url: str
    key: LogKeys
    policy: Policy


@dataclass(frozen=True)
class VerifiedCopy:
    """What a resident shared once; only `verify_copy` makes one. Holds nothing that was not asked.

    `values`: credential type and attribute name to value; `credentials` under their DCQL id, for their status.
    """

    values: Mapping[tuple[str, str], JsonValue]
    credentials: Mapping[str, VerifiedIssuerJwt]


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
    response: ResponseObject, query: dcql.Query, *, trust: TrustList, audience: str, nonce: str, now: int
) -> VerifiedCopy:
    """A plain OpenID4VP answer (section 8.6):

    1. no sealed part: nobody asked for one; 2. every presentation: issuer, holder's signature for this audience
    and nonce, disclosures (`credential.verify_presentation`); 3. one `set`: not the attributes of two residents;
    4. the query is answered: we look ourselves (section 14.9), and drop what was not asked.
    **Not** checked: credential status; the caller MUST.
    Raises `Rejected`: `bad_vp_token`, `claim_mismatch`, `dcql_not_satisfied`, and those of `verify_presentation`.
    """
    if response.regie_sealed is not UNSET:  # 1.
        raise Rejected("bad_vp_token", "a sealed part was not asked for")
    presented: dict[str, list[VerifiedPresentation]] = {}
    for name, texts in response.vp_token.items():  # 2.
        presented[name] = [
            verify_presentation(text, trust, now=now, audience=audience, nonce=nonce, max_age=KEY_BINDING_AGE)
            for text in texts
        ]
    jwts = {name: one.credential.issuer_jwt for name, many in presented.items() for one in many}
    if len({jwt.set_id for jwt in jwts.values() if jwt.set_id is not None}) > 1:  # 3.
        raise Rejected("claim_mismatch", "credentials are not of one set")
    cards = {name: [_card(one) for one in many] for name, many in presented.items()}
    asked = dcql.check_answer(query, cards)  # 4.
    values = {
        (jwts[name].vct, attribute): value
        for name, answers in asked.items()
        for answer in answers
        for attribute, value in answer.items()
    }
    return VerifiedCopy(values, jwts)


def _card(presentation: VerifiedPresentation) -> dcql.Card:
    return dcql.Card(presentation.credential.issuer_jwt.vct, presentation.credential.claims)


def status_of(credential: VerifiedIssuerJwt, found: StatusList | None) -> CredentialStatus:
    """Three outcomes: an issuer that cannot be asked has not said that a credential is valid.

    Without a `status` member there is nothing to revoke; those of our vocabulary always have one.
    """
    if credential.status is None:
        return "valid"
    if found is None:
        return "undetermined"
    try:
        return "valid" if found.status(credential.status.idx) == VALID else "revoked"
    except Rejected:  # an index outside the list says nothing
        return "undetermined"


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


def labels(places: Sequence[tuple[str, str]]) -> list[str]:
    """The names that `label_values` would give."""
    return list(label_values(dict.fromkeys(places, None)))
