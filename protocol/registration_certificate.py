"""Registration certificates of relying parties (`rc-wrp+jwt`, ETSI TS 119 475 V1.2.1 section 5.2 and annex C).

A registrar says what somebody may ask and why; the asker brings it along in `verifier_info` of its request
(format `registration_cert`, ETSI TS 119 472-2). One certificate for each intended use: ours is one version of one
service, `sub` is the agency's OIN, `intended_use_id` and `jti` are `OIN:service:version`.

It is no secret, and everybody can copy it: it counts only for an asker whose own certificate carries the `sub`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from protocol import x509
from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import parse_struct
from protocol.errors import Rejected
from protocol.jws import parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private
from protocol.status_list import StatusReference
from protocol.trust_list import MAX_CLOCK_SKEW, Agency, Service

REGISTRATION_TYP = "rc-wrp+jwt"
VERIFIER_INFO_FORMAT = "registration_cert"
CREDENTIAL_FORMAT = "dc+sd-jwt"
SERVICE_PROVIDER = "https://uri.etsi.org/19475/Entitlement/Service_Provider"
POLICY_ID = "0.4.0.19475.3.1"
"""wrprc: issued under the policy of clause 6.1.3."""
MAX_REGISTRATION_DAYS = 366
"""At most twelve months after `iat` (GEN-5.2.4-08), whatever `exp` says."""
_DAY = 86_400

ShortText = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
LongText = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class _Text(msgspec.Struct, frozen=True):
    lang: Annotated[str, msgspec.Meta(min_length=2, max_length=35)]
    value: LongText


class RegisteredClaim(msgspec.Struct, frozen=True, omit_defaults=True):
    """A claim that may be asked; `values`: only to compare it with these."""

    path: Annotated[list[str | int | None], msgspec.Meta(min_length=1, max_length=16)]
    values: Annotated[list[str | int | bool], msgspec.Meta(max_length=64)] | None = None


class RegisteredCredential(msgspec.Struct, frozen=True, omit_defaults=True):
    """A kind of credential that may be asked; without claims all of it. Some write `claim` in the plural (TS5)."""

    format: ShortText
    meta: dict[str, Any]
    claim: Annotated[list[RegisteredClaim], msgspec.Meta(max_length=256)] | None = None
    claims: Annotated[list[RegisteredClaim], msgspec.Meta(max_length=256)] | None = None

    @property
    def types(self) -> tuple[str, ...]:
        """`vct_values` (OpenID4VP B.3.5); empty for another format or malformed meta."""
        found = self.meta.get("vct_values")
        return tuple(vct for vct in found if isinstance(vct, str)) if isinstance(found, list) else ()

    @property
    def registered(self) -> list[RegisteredClaim] | None:
        """The claims, under whichever name; None for all."""
        return self.claim if self.claim is not None else self.claims


class _Status(msgspec.Struct, frozen=True):
    status_list: StatusReference


class _Payload(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    sub: ShortText
    name: ShortText
    iat: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
    purpose: Annotated[list[_Text], msgspec.Meta(min_length=1, max_length=32)]
    credentials: Annotated[list[RegisteredCredential], msgspec.Meta(min_length=1, max_length=64)]
    exp: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)] | None = None
    jti: ShortText | None = None
    sub_ln: ShortText | None = None
    country: ShortText | None = None
    registry_uri: LongText | None = None
    srv_description: list[list[_Text]] | None = None
    entitlements: Annotated[list[ShortText], msgspec.Meta(max_length=16)] = []
    privacy_policy: LongText | None = None
    info_uri: LongText | None = None
    support_uri: LongText | None = None
    supervisory_authority: dict[str, str] | None = None
    policy_id: Annotated[list[ShortText], msgspec.Meta(max_length=16)] = []
    certificate_policy: LongText | None = None
    intended_use_id: ShortText | None = None
    public_body: bool | None = None
    status: _Status | None = None


@dataclass(frozen=True)
class VerifiedRegistration:
    """What a registrar says of an asker; made only by `verify_registration_certificate`. `exp` in POSIX seconds.

    `purpose` by language tag; `status`: where the certificate may have been revoked, None when it only expires.
    """

    token: str
    sub: str
    name: str
    purpose: dict[str, str]
    credentials: tuple[RegisteredCredential, ...]
    intended_use_id: str | None
    privacy_policy: str | None
    support_uri: str | None
    exp: int
    status: StatusReference | None


@dataclass(frozen=True)
class Registrar:
    """What certificates say of the one who issues them; addresses are URLs, all of them public."""

    registry_uri: str
    certificate_policy: str
    country: str
    authority: dict[str, str]


def intended_use_id(agency_id: str, service_id: str, version: int) -> str:
    """The identifier of one version of one service, of its certificate too (TS5 2.4.3)."""
    return f"{agency_id}:{service_id}:{version}"


def registered_credentials(service: Service) -> list[RegisteredCredential]:
    """What a service version may ask, by type of credential.

    The register's flags travel with every attribute of their type (protocol section 2), so they are named too.
    """
    paths: dict[str, list[list[str | int | None]]] = {}
    for claim in service.claims:
        paths.setdefault(claim.vct, []).append(list(claim.path))
    for vct, found in paths.items():
        flags = CREDENTIAL_TYPES[vct].flags if vct in CREDENTIAL_TYPES else ()
        found += [[flag] for flag in flags if [flag] not in found]
    return [
        RegisteredCredential(
            format=CREDENTIAL_FORMAT,
            meta={"vct_values": [vct]},
            claim=[RegisteredClaim(path=path) for path in found],
        )
        for vct, found in paths.items()
    ]


def sign_registration_certificate(
    agency: Agency,
    service: Service,
    registrar: Registrar,
    *,
    iat: int,
    exp: int,
    status: StatusReference,
    signer: Es256Private,
    x5c: Sequence[str],
) -> str:
    """The certificate of one service version. Raises `ValueError` for a term of more than twelve months."""
    if not iat < exp <= iat + MAX_REGISTRATION_DAYS * _DAY:
        raise ValueError("a registration certificate is in force for at most twelve months")
    use = intended_use_id(agency.id, service.id, service.version)
    payload = _Payload(
        sub=agency.id,
        sub_ln=agency.name,
        name=agency.name,
        country=registrar.country,
        registry_uri=registrar.registry_uri,
        srv_description=[[_Text("nl", service.name.nl), _Text("en", service.name.en)]],
        entitlements=[SERVICE_PROVIDER],
        privacy_policy=service.privacy_policy,
        support_uri=agency.erasure_contact,
        info_uri=service.privacy_policy,
        supervisory_authority=registrar.authority,
        policy_id=[POLICY_ID],
        certificate_policy=registrar.certificate_policy,
        purpose=[_Text("nl", service.purpose.nl), _Text("en", service.purpose.en)],
        credentials=registered_credentials(service),
        intended_use_id=use,
        jti=use,
        public_body=True,
        status=_Status(status),
        iat=iat,
        exp=exp,
    )
    return sign_jws(payload, signer, typ=REGISTRATION_TYP, header={"x5c": list(x5c)})


def verify_registration_certificate(
    token: str, *, roots: Sequence[bytes], asker: Collection[str], now: int
) -> VerifiedRegistration:
    """What a registrar under one of `roots` (DER) says of the asker with these identifiers, in force at `now`.

    1. size, `typ` rc-wrp+jwt, `alg`; 2. `x5c` leads to a root at `now`; 3. signature; 4. members; names and
    purposes are printable, so that nothing hides in them; 5. `iat` not ahead, neither `exp` nor twelve months
    passed; 6. `sub` is one of `asker`: what the asker's own certificate carries (its `organization_id`), or the
    OIN of a listed agency. Else anybody could bring a copy along.
    **Not** checked: `status`; the caller MUST look it up or say that it did not.
    Raises `Rejected`: `bad_registration`, `expired_registration`, `registration_of_another`, and those of parsing,
    certificates and signatures.
    """
    jws = parse_jws(token, typ=REGISTRATION_TYP)  # 1
    leaf = x509.verify_chain(x509.parse_x5c(jws.header.get("x5c")), roots, now)  # 2
    payload = parse_struct(verify_jws(jws, leaf.key), _Payload)  # 3, 4
    if not all(text.isprintable() for text in (payload.name, *(words.value for words in payload.purpose))):
        raise Rejected("bad_registration", "a name or a purpose has characters that cannot be shown")
    latest = payload.iat + MAX_REGISTRATION_DAYS * _DAY
    exp = latest if payload.exp is None else min(payload.exp, latest)
    if payload.iat > now + MAX_CLOCK_SKEW or exp <= now:  # 5
        raise Rejected("expired_registration", "the registration certificate is not in force")
    if payload.sub not in asker:  # 6
        raise Rejected("registration_of_another", "the registration certificate is not the asker's", status=403)
    return VerifiedRegistration(
        token=token,
        sub=payload.sub,
        name=payload.name,
        purpose={words.lang: words.value for words in payload.purpose},
        credentials=tuple(payload.credentials),
        intended_use_id=payload.intended_use_id or payload.jti,
        privacy_policy=payload.privacy_policy,
        support_uri=payload.support_uri,
        exp=exp,
        status=payload.status.status_list if payload.status else None,
    )


def is_registered(
    registration: VerifiedRegistration,
    vct: str,
    path: Sequence[str | int | None],
    values: Sequence[str | int | bool] | None = None,
    *,
    format: str = CREDENTIAL_FORMAT,
) -> bool:
    """Whether a claim of this type may be asked: its path, or one above it, is registered (ARF RPRC_21).

    A registered null covers every element, a number only itself. A claim that is registered with `values` may only
    be compared with those, not asked for whatever it is.
    """
    for credential in registration.credentials:
        if credential.format != format or vct not in credential.types:
            continue
        if credential.registered is None or any(_covers(claim, path, values) for claim in credential.registered):
            return True
    return False


def _covers(
    claim: RegisteredClaim, path: Sequence[str | int | None], values: Sequence[str | int | bool] | None
) -> bool:
    if len(claim.path) > len(path):
        return False
    for mine, asked in zip(claim.path, path, strict=False):
        is_element = mine is None and not isinstance(asked, str)
        if not is_element and (mine != asked or type(mine) is not type(asked)):
            return False
    allowed = {(type(value), value) for value in claim.values or ()}
    return claim.values is None or (bool(values) and {(type(value), value) for value in values or ()} <= allowed)
