"""The bodies of the issuer's API for mandates (protocol section 10, **ours**): forms only, no decision.

Who asks shows a key binding of a `persoon` copy of his own, `JWT~KB` without a disclosure: `aud` is the issuer's
URL, `nonce` a fresh c_nonce of it, and `consent` = b64u(`ask_digest`) binds it to all that is asked beside it. So
nobody can put other words under somebody's signature, and a signed wish is evidence by itself.
The board for grants that several sign together is opened by a bearer that only the parties make (`board_bearer`).
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, field
from msgspec.structs import replace

from protocol.canonical import b64u_encode, canonical_bytes, hkdf_sha256, sha256
from protocol.mandate import MAX_MANDATE_BYTES, MAX_PARTIES, MandateClaims, MandateService, Party
from protocol.terms import B64u16, B64u32, Form, Terms, Time

MAX_MANDATE_ANSWER = 2 * 1024 * 1024
"""Bytes of an answer: a full board. An issuer hangs no more there."""
MAX_REPRESENTATIONS = 256
MAX_PROPOSALS = 16
"""On a board; each signing party has its own share, so that nobody shuts out the others."""
MAX_COSIGNATURES = 8
"""Of one proposal: one of each party."""
PROPOSAL_SECONDS = 3600
INVITATION_SECONDS = 7 * 86_400
MAX_SERVICES = 32
RepresentationKind: TypeAlias = Literal["ouder", "voogd", "curator", "bewindvoerder", "mentor", "helper"]
"""In which quality somebody acts for somebody else."""
Opaque: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{43,128}\Z")]
"""A reference or an invitation: made by the issuer, read by nobody else."""
Shown: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.-]+~[A-Za-z0-9_.-]+\Z", max_length=24 * 1024)]
"""`JWT~KB`, no disclosures."""
PersonName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1024)]
Link: TypeAlias = Annotated[str, Meta(max_length=16 * 1024)]
_Token: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.-]+\Z", max_length=MAX_MANDATE_BYTES)]


Claims: TypeAlias = Annotated[list[MandateClaims], Meta(min_length=1, max_length=16)]
Services: TypeAlias = Annotated[list[MandateService], Meta(min_length=1, max_length=MAX_SERVICES)]
Signers: TypeAlias = Annotated[
    list[Annotated[list[Party], Meta(min_length=1, max_length=MAX_PARTIES)]],
    Meta(min_length=1, max_length=MAX_PARTIES),
]


class Ask(Form, frozen=True):
    """A request of a resident; each form says in `ask_name` what it is, so that none passes for another."""

    presentation: Shown


class RepresentationsAsk(Ask, frozen=True):
    """`POST /v1/representations`: whom may I act for, and who may act for me?"""


class Representation(Form, frozen=True):
    """One answer to that.

    `role`: `delegate` for who may act, `self` for the represented. `name`: of the represented, full, as in his
    `persoon`. `delegates`: names of all who act. `party`: who you are in it. `state`: `open` (not registered yet),
    `registered` (`id` is the mandate), `counter` (the register cannot tell), `closed` (nobody may: he decides
    alone); `why` of these two is a code. Absent `claims` or `services` = all.
    """

    reference: Opaque
    role: Literal["delegate", "self"]
    kind: RepresentationKind
    name: PersonName
    state: Literal["open", "registered", "counter", "closed"]
    party: Party
    delegates: Annotated[list[PersonName], Meta(max_length=MAX_PARTIES)] = field(default_factory=list)
    signers: Signers | None = None
    until: Time | None = None
    id: B64u16 | None = None
    claims: Claims | None = None
    services: Services | None = None
    why: Annotated[str, Meta(pattern=r"\A[a-z_]{1,64}\Z")] | None = None


class RepresentationsAnswer(Form, frozen=True):
    """In the order of names."""

    representations: Annotated[list[Representation], Meta(max_length=MAX_REPRESENTATIONS)]


class MandateAsk(Ask, frozen=True):
    """`POST /v1/mandates`: register `reference`, or join it, or join it again (a new phone)."""

    reference: Opaque


class MandateAnswer(Form, frozen=True):
    """The mandate and what its parties share.

    `seed`: 32 bytes, the codes of every grant under it come from it. `offer`, `tx_code`: the credentials narrowed
    to it, absent for a party that signs nothing (the represented who only watches). The same party gets the same
    mandate, seed and party again, with a new offer.
    """

    id: B64u16
    mandate: _Token
    seed: B64u32
    party: Party
    kind: RepresentationKind
    name: PersonName
    until: Time
    offer: Link | None = None
    tx_code: Annotated[str, Meta(pattern=r"\A[0-9]{8}\Z")] | None = None


class InvitationAsk(Ask, frozen=True):
    """`POST /v1/invitations`: I am willing to help somebody."""


class InvitationAnswer(Form, frozen=True):
    """To be shown as a link or QR; good for one wish, until `expires`."""

    invitation: Opaque
    expires: Time


class InvitedAsk(Ask, frozen=True):
    """`POST /v1/invitations/lookups`: who made this invitation? Asked by who is about to sign a wish."""

    invitation: Opaque


class InvitedAnswer(Form, frozen=True):
    """Who would help."""

    name: PersonName
    expires: Time


class WishAsk(Ask, frozen=True):
    """`POST /v1/wishes`, "elkaar machtigen": who made the invitation may act for me, for these services only."""

    invitation: Opaque
    services: Services
    until: Time
    claims: Claims | None = None


class WishAnswer(Form, frozen=True):
    """Registered: mandate `id`; the helper finds it among his representations. `name`: of the helper."""

    id: B64u16
    name: PersonName
    until: Time


class EndAsk(Ask, frozen=True):
    """`POST /v1/mandates/{id}/ends`, by any party or the represented: every copy under it is revoked, nobody joins
    any more. `id` stands here too, so that it is signed."""

    id: B64u16


class EndAnswer(Form, frozen=True):
    """Ended, now or before."""

    id: B64u16
    ended: Time


class Proposal(Form, frozen=True):
    """`POST /v1/mandates/{id}/proposals`: party `party` asks the others to sign these terms too.

    `request`: the agency's request link or object as the wallet got it; `client_id`: the agency's. `signed`: as
    `Cosigned.cosigned`, by who proposes: the bearer alone, which a thief of one phone has, hangs nothing there.
    """

    party: Party
    request: Annotated[str, Meta(min_length=1, max_length=24 * 1024)]
    client_id: Annotated[str, Meta(min_length=1, max_length=512)]
    terms: Terms
    signed: Shown


class Cosigned(Form, frozen=True):
    """`POST /v1/mandates/{id}/proposals/{number}/cosignatures`: `JWT~KB` of party `party` over the terms."""

    party: Party
    cosigned: Shown


class BoardProposal(Form, frozen=True):
    """A proposal as it hangs on the board until `expires`; `number` names it in addresses."""

    number: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    made: Time
    expires: Time
    proposal: Proposal
    cosigned: Annotated[list[Cosigned], Meta(max_length=MAX_COSIGNATURES)] = field(default_factory=list)


class BoardAnswer(Form, frozen=True):
    """`GET /v1/mandates/{id}/proposals`, the oldest first. The two POSTs answer with it too."""

    proposals: Annotated[list[BoardProposal], Meta(max_length=MAX_PROPOSALS)]


_ASK_NAMES: dict[type[Ask], str] = {
    RepresentationsAsk: "representations",
    MandateAsk: "mandates",
    InvitationAsk: "invitations",
    InvitedAsk: "invitations/lookups",
    WishAsk: "wishes",
    EndAsk: "ends",
}


def ask_digest(ask: Ask) -> bytes:
    """H(`regie/mandate-ask/v1` || name || 0x00 || JCS(ask with `presentation` "")): `consent` of its KB-JWT.

    Make the ask with any presentation, sign, and put the right one in: `presentation` is left out of the hash.
    """
    bare = replace(ask, presentation="")
    return sha256(b"regie/mandate-ask/v1", _ASK_NAMES[type(ask)].encode(), b"\0", canonical_bytes(bare))


def board_bearer(seed: bytes) -> str:
    """The token of the board of a mandate, b64u: HKDF(seed, `regie/board/v1`), 32 bytes."""
    return b64u_encode(hkdf_sha256(seed, b"regie/board/v1", length=32))
