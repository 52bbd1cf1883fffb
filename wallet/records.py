"""What the vault keeps: plain values, sealed as JSON. A member is never renamed; a new one has a default.

Times are POSIX seconds, binary values b64u. Attribute values stand in `Copy.credential` and nowhere else.
"""

from datetime import date
from typing import Literal, TypeAlias

import msgspec

from protocol.consent_api import GrantRequest
from protocol.presentation import SealedDisclosure
from protocol.terms import Context
from protocol.trust_list import Agency, Service, TrustedLog, TrustedWitness
from wallet.records_mandate import Joint

GrantState: TypeAlias = Literal["intended", "logged", "delivering", "active", "renewing", "uncertain", "failed"]
"""How far a grant has come:

    intended    kept here; the log may have it or not: the same bytes are sent until it answers
    logged      the log's receipt is verified; the agency has nothing yet
    delivering  the answer is about to leave, or has left without a confirmation
    active      the agency confirmed
    renewing    the log has a newer version (a refresh); the agency does not have it yet
    uncertain   the agency refused a second delivery: it may have taken the first
    failed      the log refused for good: there is no grant
"""


ActivityKind: TypeAlias = Literal["shared", "maybe_shared", "declined", "reported", "deletion_begun"]
"""A copy was given; it left, but the agency did not confirm; the resident said no; complained of a request; was
led to where an organisation takes requests to erase (EUDI TS7, TS8: that it was begun is all a wallet knows)."""


class Secrets(msgspec.Struct, frozen=True):
    """The one secret, and how many grant codes were made from it. `restored`: from a backup, and not yet held
    against every log. `codes`: 2 when codes come from the stop seed, so that one paper stops everything; wallets
    of before keep 1, for the codes of what they gave stand in a log (see `seed`).
    """

    seed: str
    next_code: int = 0
    restored: bool = False
    codes: int = 1


class Copy(msgspec.Struct, frozen=True):
    """One copy of a credential. `set_id`: copies of all types that may stand in one grant share it; empty for a
    type outside our vocabulary, of which each copy stands alone. `mandate`: the hash of the mandate under which it
    may be used, and only so; None for a card of the resident's own. `identifier`: by which the issuer issues the
    same batch again (VCI 6.2), empty where it named none.

    `batch` and `number` name its holder key (see `seed`). `agency`: the asker (`Asker.id`; of an agency its OIN)
    that this copy's whole set was spent on; no other ever sees a copy of the set. `format`: see
    `protocol/formats.py`. `exp`: `issuer_jwt.NO_END` when only its status ends it. `is_bound`: whether a key of
    ours proves that it is ours. `title`: what the issuer calls the card, empty where the vocabulary knows.
    """

    issuer: str
    configuration: str
    vct: str
    set_id: str
    batch: str
    number: int
    credential: str
    iat: int
    exp: int
    received: int
    agency: str | None = None
    format: str = "dc+sd-jwt"
    is_bound: bool = True
    title: str = ""
    mandate: str | None = None
    identifier: str = ""


class Access(msgspec.Struct, frozen=True):
    """How the wallet can come back to an issuer for more copies of what it got there.

    `issuer`: its identifier, `server`: that of its OAuth server; `client` names our keys there (see `seed`);
    `client_id`: what the server knows us by, None where access was anonymous; `attested`: whether it wants to see
    a wallet attestation. `expires`: of the access token, POSIX seconds. `signed_by`: the `iss` of what came.
    `mandate`: of the cards, as in `Copy`.
    """

    issuer: str
    server: str
    client: str
    client_id: str | None
    attested: bool
    configurations: list[str]
    access_token: str
    token_type: str
    expires: int
    refresh_token: str | None = None
    signed_by: list[str] = []
    mandate: str | None = None


class Awaited(msgspec.Struct, frozen=True):
    """Copies that an issuer will make later (OpenID4VCI section 9), bound to the keys of `batch`.

    `access`: name of the record that says how to ask; `next`: not before then, POSIX seconds.
    """

    access: str
    configuration: str
    vct: str
    batch: str
    copies: int
    transaction_id: str
    next: int
    format: str = "dc+sd-jwt"
    title: str = ""
    identifier: str = ""


class Choice(msgspec.Struct, frozen=True):
    """What the resident narrows: attributes left out (`postcode`, `adres.postcode`), last day, number of reads,
    and when and from where somebody may look.
    """

    without: tuple[str, ...] = ()
    until: date | None = None
    max_reads: int | None = None
    context: Context | None = None


class ShareChoice(msgspec.Struct, frozen=True):
    """What the resident says to a request for a copy.

    `cards`: `QUERY=CARD` or `CARD`, for what more than one card can answer. `optional`: give also what the asker
    can do without. `unregistered`: a stranger may ask without a registration that can be checked. `reuse`: of a
    stranger's card without copies left one may be shown that somebody else has, who can then recognise it.
    `secret`: the second yes of somebody whose data are secret, to who is no government body.
    """

    cards: tuple[str, ...] = ()
    optional: bool = False
    unregistered: bool = False
    reuse: bool = False
    secret: bool = False


class Stop(msgspec.Struct, frozen=True):
    """A revocation that the resident asked for.

    `receipt`: the log's signed promise; `cosigners`: who else holds r; `confirmed`: index of the revocation leaf,
    once its inclusion and the grant's own status bit were verified. `moot_after`: when a grant that never reached
    the log can no longer reach it.
    """

    asked_at: int
    receipt: str | None = None
    cosigners: list[str] = []
    confirmed: int | None = None
    moot_after: int | None = None


class Seen(msgspec.Struct, frozen=True):
    """How many events of a kind the log has shown: a later answer may not hold fewer."""

    reads: int = 0
    refusals: int = 0
    messages: int = 0


class Deposit(msgspec.Struct, frozen=True):
    """The pieces of a grant's share for one operator (name in the trust list), sealed to its key."""

    operator: str
    sealed: str


class GrantRecord(msgspec.Struct, frozen=True):
    """A grant from the moment it is intended.

    `code_number` leads to its code; `agency` as listed when it was made, without services (its roots must verify
    reads even after it has left the list); `request` is the agency's signed request, kept as evidence of what was
    asked; `copies`: DCQL id to the name of the copy; `body` is what the log gets, byte for byte the same each
    time; `sealed` and `share_a` are the agency's part, dropped once it has them; `deposits`: of operators that do
    not have theirs yet. A grant that was found again in the log after a restore has neither request nor copies.
    `about`: the version of the service as it was listed, so that what was said can be shown for ever; None in
    records of before, and of a service that was not listed any more. `follow`: whether the agency gets new data by
    itself when the register changes; None, in records of before: not. `renewed_at`: when it last did. Under a
    mandate (`mandate`: its hash, b64u)
    the code comes from the mandate's seed; `joint`: when others have to sign too; `by_other`: another party gave
    it, and it was found in the log.
    """

    state: GrantState
    code_number: int
    made_at: int
    agency: Agency
    service: str
    client_id: str
    request: str
    choice: Choice
    copies: dict[str, str]
    body: GrantRequest
    sealed: list[SealedDisclosure]
    share_a: str
    ticket_exp: int
    index: int | None = None
    slot: int | None = None
    proof: str | None = None
    problem: str | None = None
    stop: Stop | None = None
    seen: Seen = Seen()
    deposits: list[Deposit] = []
    about: Service | None = None
    follow: bool | None = None
    renewed_at: int | None = None
    mandate: str | None = None
    joint: Joint | None = None
    by_other: bool = False


class OutgoingMessage(msgspec.Struct, frozen=True):
    """A signed message about a grant, until log and agency both have it."""

    grant: str
    token: str
    made_at: int
    at_log: bool = False
    at_agency: bool = False


class Activity(msgspec.Struct, frozen=True):
    """What the wallet did that no log knows: names of attributes, never values (ARF DASH_03a).

    `agency`: `Asker.id`. `request`: the signed request, kept as evidence of what was asked (empty in records of
    before); it holds nothing of the resident. `about`: as in a grant; None when no listed service asks this.
    `number`: counts up, so that two of one second keep their order (0 in records of before).
    """

    time: int
    kind: ActivityKind
    agency: str
    agency_name: str
    service: str | None
    asked: list[str]
    given: list[str]
    request: str = ""
    about: Service | None = None
    number: int = 0


class KnownLog(msgspec.Struct, frozen=True):
    """What this wallet knows of a log: its entry and its cosigners, so that a stop finds its way without a trust
    list; the newest checkpoint that was verified (the next one must be consistent with it); and after a restore
    the leaf from which to look for grants that the backup does not hold.
    """

    log: TrustedLog
    cosigners: list[TrustedWitness]
    size: int = 0
    root: str = ""
    scan_from: int | None = None


class Evidence(msgspec.Struct, frozen=True):
    """What a log signed and could not be: kept so that the resident can hand it to an auditor.

    `code` and `detail`: what did not fit; `noticed_at` first, POSIX seconds; `answer`: the log's last answer as it
    came (JSON), or only what it signed of it when it is too long to keep; `kept_size` and `kept_root`: of the
    checkpoint that was verified before.
    """

    grant: str
    code: str
    detail: str
    noticed_at: int
    log: str
    answer: str
    kept_size: int = 0
    kept_root: str = ""
