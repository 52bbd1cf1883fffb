"""Registration certificates of relying parties (ETSI TS 119 475 V1.2.1 clause 5.2, `rc-wrp+jwt`): who may ask what.

A registrar signs what a relying party registered; the relying party shows it in `verifier_info` of its requests
(OpenID4VP 5.1, ETSI TS 119 472-2). It is bound to the access certificate by `sub`, which is the organization
identifier there. Only what decides or is shown is read; `intermediary` is **not** taken: the asker is the subject.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, field

from protocol.canonical import convert, parse_object
from protocol.dcql import FORMAT, CredentialQuery, Path, PathElement
from protocol.errors import Rejected
from protocol.jws import parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private
from protocol.status_list import StatusReference
from protocol.trust_list import Agency, Service
from protocol.x509 import parse_x5c, verify_chain, x5c

REGISTRATION_TYP = "rc-wrp+jwt"
VERIFIER_INFO_FORMAT = "registration_cert"
"""`format` of its entry in `verifier_info` (ETSI TS 119 472-2)."""
MAX_REGISTRATION_BYTES = 48 * 1024
"""A service with 64 attributes takes about 8 KiB with its chain; it travels inside a request of 64 KiB."""
MAX_LIFETIME = 366 * 86_400
"""Seconds: a certificate is valid for twelve months at most (GEN-5.2.4-08)."""
MAX_CLOCK_SKEW = 60
_LANGUAGES = ("en", "nl")
"""Of a text, in this order; the first one when there is none of them."""

ShortText = Annotated[str, Meta(min_length=1, max_length=512)]
Time = Annotated[int, Meta(ge=0)]


class LanguageText(Struct, frozen=True):
    """A text and its language (RFC 5646)."""

    lang: Annotated[str, Meta(max_length=35)]
    value: Annotated[str, Meta(max_length=2000)]


class RegisteredClaim(Struct, frozen=True):
    """An attribute that may be asked: a path as in DCQL."""

    path: Path


class RegisteredCredential(Struct, frozen=True):
    """A credential that may be asked. Without `claim` all its attributes may be (clause 5.2.4 table 9)."""

    format: Annotated[str, Meta(max_length=64)]
    meta: dict[str, Any]
    claim: Annotated[list[RegisteredClaim], Meta(max_length=256)] | UnsetType = UNSET
    claims: Annotated[list[RegisteredClaim], Meta(max_length=256)] | UnsetType = UNSET
    """As V1.1.1 calls it."""

    def allows(self, vct: str, path: Sequence[PathElement]) -> bool:
        """Whether this entry lets the attribute be asked: itself, or what it is a part of."""
        if self.format != FORMAT or vct not in self.vcts:
            return False
        registered = self.claims if self.claim is UNSET else self.claim
        return registered is UNSET or any(is_part(path, claim.path) for claim in registered)

    @property
    def vcts(self) -> Sequence[str]:
        """`vct_values` of its meta; empty when it names none."""
        found = self.meta.get("vct_values")
        return found if isinstance(found, list) else ()


class _Status(Struct, frozen=True):
    status_list: StatusReference


class _Payload(Struct, frozen=True):
    """The members of tables 7 to 10 that are read; unknown ones are ignored."""

    sub: ShortText
    iat: Time
    name: ShortText | UnsetType = UNSET
    legal_name: ShortText | UnsetType = field(name="sub_ln", default=UNSET)
    exp: Time | UnsetType = UNSET
    credentials: Annotated[list[RegisteredCredential], Meta(max_length=64)] = []
    purpose: Annotated[list[LanguageText], Meta(max_length=32)] = []
    privacy_policy: Any = UNSET
    registry_uri: Any = UNSET
    intended_use_id: Annotated[str, Meta(max_length=512)] | UnsetType = UNSET
    intermediary: Any = UNSET
    act: Any = UNSET
    status: _Status | UnsetType = UNSET


@dataclass(frozen=True)
class VerifiedRegistration:
    """What a trusted registrar says that `subject` may ask; made only by `verify_registration`.

    `purpose` in the language nearest to ours; `exp` in POSIX seconds; `status` where its revocation stands.
    """

    subject: str
    name: str | None
    purpose: str | None
    privacy_policy: str | None
    registry: str | None
    intended_use: str | None
    credentials: tuple[RegisteredCredential, ...]
    exp: int
    status: StatusReference | None

    def covers(self, query: CredentialQuery) -> bool:
        """Whether every claim of the query, of whichever of its types, is registered; without claims the types."""
        return all(self.allows(vct, claim) for vct in query.meta.vct_values for claim in _paths(query))

    def allows(self, vct: str, path: Sequence[PathElement]) -> bool:
        """Whether this attribute of this type is registered; the empty path: whether the type is."""
        if not path:
            return any(vct in entry.vcts and entry.format == FORMAT for entry in self.credentials)
        return any(entry.allows(vct, path) for entry in self.credentials)


def _paths(query: CredentialQuery) -> list[list[PathElement]]:
    return [claim.path for claim in query.claims] if query.claims else [[]]


def is_part(path: Sequence[PathElement], registered: Sequence[PathElement]) -> bool:
    """Whether `path` asks what is registered or a part of it: null registered stands for every index."""
    return len(path) >= len(registered) and all(
        ours == theirs or (theirs is None and isinstance(ours, int))
        for ours, theirs in zip(path, registered, strict=False)
    )


def registration_payload(
    agency: Agency,
    service: Service,
    *,
    registry_uri: str,
    certificate_policy: str,
    supervisory_authority: Mapping[str, str],
    iat: int,
    exp: int,
    status: StatusReference | None = None,
) -> dict[str, Any]:
    """What a registrar certifies of one listed service: all members that clause 5.2.4 wants of a service provider.

    `supervisory_authority` has `email`, `phone` and `uri`. Raises `ValueError` for more than twelve months.
    """
    if not iat < exp <= iat + MAX_LIFETIME:
        raise ValueError("a registration certificate is valid for twelve months at most")
    paths: dict[str, list[dict[str, Any]]] = {}
    for claim in service.claims:
        paths.setdefault(claim.vct, []).append({"path": list(claim.path)})
    payload: dict[str, Any] = {
        "name": agency.name,
        "sub_ln": agency.name,
        "sub": agency.id,
        "country": "NL",
        "registry_uri": registry_uri,
        "srv_description": [_in_languages(service.name.nl, service.name.en)],
        "entitlements": ["https://uri.etsi.org/19475/Entitlement/Service_Provider"],
        "privacy_policy": service.privacy_policy,
        "info_uri": service.privacy_policy,
        "support_uri": agency.erasure_contact,
        "supervisory_authority": dict(supervisory_authority),
        "policy_id": ["0.4.0.19475.3.1"],
        "certificate_policy": certificate_policy,
        "iat": iat,
        "exp": exp,
        "public_body": True,
        "purpose": _in_languages(service.purpose.nl, service.purpose.en),
        "intended_use_id": f"{service.id}/{service.version}",
        "credentials": [
            {"format": FORMAT, "meta": {"vct_values": [vct]}, "claim": claims} for vct, claims in paths.items()
        ],
    }
    if status is not None:
        payload["status"] = {"status_list": {"idx": status.idx, "uri": status.uri}}
    return payload


def _in_languages(dutch: str, english: str) -> list[dict[str, str]]:
    return [{"lang": "nl", "value": dutch}, {"lang": "en", "value": english}]


def sign_registration(payload: Mapping[str, Any], key: Es256Private, chain: Sequence[bytes]) -> str:
    """The certificate as compact JWS. `chain`: the registrar's leaf and intermediates as DER, without the anchor."""
    return sign_jws(dict(payload), key, typ=REGISTRATION_TYP, header={"x5c": x5c(chain)})


def verify_registration(token: str, roots: Sequence[bytes], now: int) -> VerifiedRegistration:
    """The registration of a relying party, once a registrar under `roots` (DER) is found to have signed it.

    1. size, form, `typ`, `alg`; 2. `x5c` leads to one of the roots at `now`; 3. signature by the leaf; 4. members;
    5. issued before and in force at `now`, for twelve months at most; 6. the subject acts for itself.
    **Not** checked: its status list, and that the asker is the subject; the caller MUST compare `subject`.
    Raises `Rejected`: `untrusted_chain` when no root of ours is concerned, `bad_registration`,
    `expired_registration` and those of parsing, signatures and certificates.
    """
    jws = parse_jws(token, typ=REGISTRATION_TYP, max_bytes=MAX_REGISTRATION_BYTES)  # 1.
    leaf = verify_chain(parse_x5c(jws.header.get("x5c")), roots, now)  # 2.
    payload = convert(parse_object(verify_jws(jws, leaf.key)), _Payload)  # 3., 4.
    exp = payload.iat + MAX_LIFETIME if payload.exp is UNSET else payload.exp
    if payload.iat > now + MAX_CLOCK_SKEW or exp <= now or exp > payload.iat + MAX_LIFETIME:  # 5.
        raise Rejected("expired_registration", "the registration certificate of the asker is not in force")
    if payload.intermediary is not UNSET or payload.act is not UNSET:  # 6.
        raise Rejected("bad_registration", "a registration certificate for an intermediary is not accepted")
    return VerifiedRegistration(
        subject=payload.sub,
        name=payload.name or payload.legal_name or None,
        purpose=_text(payload.purpose),
        privacy_policy=payload.privacy_policy if isinstance(payload.privacy_policy, str) else None,
        registry=payload.registry_uri if isinstance(payload.registry_uri, str) else None,
        intended_use=payload.intended_use_id or None,
        credentials=tuple(payload.credentials),
        exp=exp,
        status=payload.status.status_list if payload.status else None,
    )


def _text(texts: Sequence[LanguageText]) -> str | None:
    for wanted in _LANGUAGES:
        for text in texts:
            if text.lang.lower().split("-")[0] == wanted:
                return text.value
    return texts[0].value if texts else None
