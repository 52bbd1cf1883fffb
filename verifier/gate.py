"""The gate: no log entry, no value (pure; protocol section 8).

A READ is made and kept before it is sent, with its one-use reply key, so that a repetition is the same READ and
never a second entry. What comes back is judged in the order of section 8.4; values exist only at the very end.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.attributes import short_name
from protocol.canonical import JsonValue, b64u_encode, sha256
from protocol.consent import Asked, CredentialStatus, StandingAnswer
from protocol.consent_api import ReadAnswer, ReadRequest
from protocol.errors import Rejected
from protocol.keys import Es256Private
from protocol.light_check import KeptCheckpoint, verify_light_check
from protocol.reading import Channel, Read, sign_read
from protocol.seal import KemPrivate
from protocol.standing import VerifiedReading, open_reading, verify_entry
from protocol.terms import Terms, Zone, places_of, salted_hash, with_flag_digests
from protocol.trust_list import TrustList
from verifier.verify import LogTrust, grant_opening_of, label_values

REFUSALS = frozenset(
    {"not_yet", "expired", "reads_spent", "out_of_scope", "out_of_context", "revoked", "no_share"}
)
"""The log refused this READ for good and left an entry; another READ is another try."""
NEVER_ADMITTED = frozenset({"stale", "read_id_used", "bad_read", "unknown_lock", "not_recipient", "too_soon"})
"""The log did not take this READ and never will."""
ENDED = frozenset({"revoked", "no_share"})
"""After these the grant has ended."""
Outcome: TypeAlias = Literal["refused", "void", "pending"]


@dataclass(frozen=True)
class Purpose:
    """Why and by whom: `case` and `officer` are the agency's own words, of which the log sees salted hashes."""

    case: str
    officer: str
    channel: Channel = "desk"
    zone: Zone = "office"


@dataclass(frozen=True)
class PendingRead:
    """A READ that was or will be sent. `reply_seed` is a secret until the answer has been opened; then it goes."""

    read_id: str
    token: str
    read: Read
    reply_seed: bytes
    case_salt: bytes
    officer_salt: bytes

    @property
    def request(self) -> ReadRequest:
        """The body of `POST /v1/reads`: the same bytes at every try."""
        return ReadRequest(self.token, b64u_encode(KemPrivate(self.reply_seed).public_bytes()))


def choose_digests(terms: Terms, only: Sequence[str]) -> list[str]:
    """Digests of the attributes in `only` (`postcode` or `adres.postcode`), of all when it is empty, with the
    register flags of every credential they touch.

    Raises `Rejected`: `not_granted` 403 for a name that the terms do not have.
    """
    digests = []
    for claim, place in zip(terms.claims, places_of(terms), strict=True):
        if not only or place.name in only or f"{short_name(place.vct)}.{place.name}" in only:
            digests.append(claim.digest)
    names = {name for place in places_of(terms) for name in (place.name, f"{short_name(place.vct)}.{place.name}")}
    if not set(only) <= names:
        raise Rejected("not_granted", "an attribute is not in this grant", status=403)
    return with_flag_digests(terms, digests)


def make_read(
    terms: Terms,
    slot: int,
    digests: Sequence[str],
    purpose: Purpose,
    *,
    case_salt: bytes | None,
    key: Es256Private,
    x5c: Sequence[str],
    now: int,
    random: Callable[[int], bytes],
) -> PendingRead:
    """A fresh READ. `case_salt`: the one of the request when T names a case, which the READ must repeat.

    Raises `Rejected`: `other_case` 403 when T is for another case; `ValueError` for digests outside T.
    """
    salt = random(32) if terms.case is None or case_salt is None else case_salt
    case = salted_hash(salt, purpose.case)
    if terms.case not in (None, case):
        raise Rejected("other_case", "the grant is for another case", status=403)
    reply_seed, officer_salt, read_id = random(96), random(32), b64u_encode(random(16))
    read = Read(
        slot=slot,
        lock=terms.lock,
        read_id=read_id,
        claims=list(digests),
        reply_key_hash=b64u_encode(sha256(KemPrivate(reply_seed).public_bytes())),
        case=case,
        officer=salted_hash(officer_salt, purpose.officer),
        channel=purpose.channel,
        zone=purpose.zone,
        iat=now,
        aud=terms.log,
    )
    return PendingRead(read_id, sign_read(read, key, x5c), read, reply_seed, salt, officer_salt)


def is_same(pending: PendingRead, terms: Terms, digests: Sequence[str], purpose: Purpose) -> bool:
    """Whether a kept READ asks what is asked now, so that it is repeated instead of making another entry."""
    read = pending.read
    return (
        read.lock == terms.lock
        and read.claims == list(digests)
        and (read.channel, read.zone) == (purpose.channel, purpose.zone)
        and read.case == salted_hash(pending.case_salt, purpose.case)
        and read.officer == salted_hash(pending.officer_salt, purpose.officer)
    )


def outcome_of(error: Rejected) -> Outcome:
    """What becomes of a READ after the log's refusal `error`: only what may still succeed is kept."""
    if error.code in REFUSALS:
        return "refused"
    return "void" if error.code in NEVER_ADMITTED else "pending"


def open_answer(
    answer: StandingAnswer,
    asked: Asked,
    pending: PendingRead,
    released: ReadAnswer,
    *,
    trust: TrustList,
    log: LogTrust,
    kept: KeptCheckpoint | None,
    kem: KemPrivate,
    now: int,
    used: Container[int],
    statuses: Mapping[str, CredentialStatus],
    accept_undetermined: bool,
    pieces: Mapping[str, str] | None = None,
) -> VerifiedReading:
    """Section 8.4: light check under the pinned policy and against the checkpoint kept, then `open_reading`.

    `pieces`: what each operator that released has sealed, by name, when T names operators.
    `used`: numbers n of other READs under the grant's tag_key. The caller MUST keep n and the checkpoint before it
    hands any value on. Raises `Rejected` as the two parts do.
    """
    standing = verify_light_check(
        released.evidence, grant_opening_of(answer), log_key=log.key, policy=log.policy, now=now, kept=kept
    )
    return open_reading(
        answer,
        asked,
        pending.token,
        released,
        standing,
        trust=trust,
        kem=kem,
        reply=KemPrivate(pending.reply_seed),
        now=now,
        used=used,
        pieces=pieces,
        statuses=statuses,
        accept_undetermined=accept_undetermined,
    )


def check_entry(
    answer: StandingAnswer,
    pending: PendingRead,
    released: ReadAnswer,
    *,
    log: LogTrust,
    kept: KeptCheckpoint | None,
    now: int,
    used: Container[int],
) -> None:
    """The log's part of `open_answer`, before operators are asked. Raises `Rejected` as that does."""
    standing = verify_light_check(
        released.evidence, grant_opening_of(answer), log_key=log.key, policy=log.policy, now=now, kept=kept
    )
    public = KemPrivate(pending.reply_seed).public_bytes()
    verify_entry(answer.terms, pending.token, released, standing, public, used)


def reading_values(reading: VerifiedReading) -> dict[str, JsonValue]:
    """The values under the names that a desk uses."""
    return label_values({(place.vct, place.name): value for place, value in reading.values.items()})
