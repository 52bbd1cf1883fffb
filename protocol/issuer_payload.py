"""What the payload of an issuer-signed JWT may look like: forms only, nothing of it is believed here.

Types of our vocabulary are read strictly. Those of others may leave out `iss`, `exp` and `cnf`. A credential that
somebody holds on behalf of another has the type `...:namens`; here is the one place that takes that apart.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_fixed, convert
from protocol.errors import Rejected
from protocol.status_list import StatusReference

MANDATED_SUFFIX = ":namens"
"""Behind the `vct` of what is issued under a mandate: who does not know mandates knows no such type, and so never
takes its holder for the person that it is about."""
_Digest = Annotated[str, msgspec.Meta(min_length=43, max_length=43)]
_Digests = Annotated[list[_Digest], msgspec.Meta(max_length=512)]
_Time = Annotated[int, msgspec.Meta(ge=0)]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
_Type = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Hash = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]\Z")]
_Party = Annotated[int, msgspec.Meta(ge=0, le=7)]
_Set = Annotated[str, msgspec.Meta(min_length=22, max_length=22)]
"""`set` is compared as the text it is: 22 characters of base64url."""


class _Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`cnf`: the key itself; a key to be fetched (jku, kid) would be a way to phone home."""

    jwk: dict[str, Any]


class _Status(msgspec.Struct, frozen=True):
    status_list: StatusReference


class OwnPayload(msgspec.Struct, frozen=True):
    """A credential of our vocabulary."""

    iss: _Text
    vct: _Type
    iat: _Time
    exp: _Time
    cnf: _Confirmation
    status: _Status
    loa: Literal["low", "substantial", "high"]
    set: _Set
    sd: _Digests = msgspec.field(name="_sd", default_factory=list)
    nbf: _Time = 0
    mandate: _Hash | None = None
    party: _Party | None = None


class ForeignPayload(msgspec.Struct, frozen=True):
    """A credential of any other type: what SD-JWT VC section 2.2.2 requires.

    `loa`, `set`, `mandate` and `party` are claims in it like any other.
    """

    vct: _Type
    iss: _Text | None = None
    iat: _Time = 0
    exp: _Time | None = None
    cnf: _Confirmation | None = None
    status: _Status | None = None
    sd: _Digests = msgspec.field(name="_sd", default_factory=list)
    nbf: _Time = 0

    @property
    def loa(self) -> None:
        """Has a meaning in our vocabulary only."""

    @property
    def set(self) -> None:
        """Has a meaning in our vocabulary only."""

    @property
    def mandate(self) -> None:
        """Has a meaning in our vocabulary only."""

    @property
    def party(self) -> None:
        """Has a meaning in our vocabulary only."""


Payload: TypeAlias = OwnPayload | ForeignPayload


def read_members(payload: Mapping[str, Any]) -> Payload:
    """The members of a payload by its type. Raises `Rejected`: `bad_credential`, `bad_form`."""
    vct = payload.get("vct")
    if isinstance(vct, str) and base_type(vct) in CREDENTIAL_TYPES:
        return convert(payload, OwnPayload)
    claims = convert(payload, ForeignPayload)
    if claims.exp is None and claims.status is None:
        raise Rejected("bad_credential", "the credential says neither when it ends nor where its status stands")
    return claims


def base_type(vct: str) -> str:
    """The type of our vocabulary under `vct`, mandated or not; a type of others as it stands."""
    base = vct.removesuffix(MANDATED_SUFFIX)
    return base if base in CREDENTIAL_TYPES else vct


def type_and_mandate(claims: Payload) -> tuple[str, bytes | None]:
    """Type without suffix, and M: suffix, `mandate` and `party` are there together or not at all.

    Raises `Rejected`: `bad_mandate`.
    """
    vct = base_type(claims.vct)
    if {vct != claims.vct, claims.mandate is not None, claims.party is not None} not in ({True}, {False}):
        raise Rejected("bad_mandate", "a credential is issued under a mandate, or it is not")
    return vct, None if claims.mandate is None else b64u_fixed(claims.mandate, 32)
