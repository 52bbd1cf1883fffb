"""Credential formats behind one interface: roles hold, show and check credentials by these, whichever the format.

`dc+sd-jwt` (OpenID4VCI A.3, OpenID4VP B.3) is the only entry. Another one, such as `mso_mdoc`, is a class with
these functions and a line in `FORMATS`; the roles stay as they are. Standing access is bound to SD-JWT and goes by
`consent.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from protocol import dcql, disclosure, x509
from protocol.canonical import JsonValue
from protocol.credential import (
    VerifiedCredential,
    claims_about_holder,
    split_sd_jwt,
    verify_credential,
    verify_presentation,
)
from protocol.dcql import Card, PathElement
from protocol.errors import Rejected
from protocol.issuer_jwt import issuer_name, issuer_roots, read_payload
from protocol.key_binding import VerifiedKeyBinding, sign_key_binding
from protocol.keys import Es256Private, Es256Public
from protocol.status_list import StatusReference
from protocol.trust_list import TrustList

SD_JWT_VC = dcql.FORMAT


@dataclass(frozen=True)
class VerifiedContent:
    """What a verified credential says; made only by the `verify_` functions of a format. Times in POSIX seconds.

    `vct`: its type; `iss`: who issued it; `issuer_name`: by trust list or anchor; `is_listed`: by the trust list,
    so not by an anchor of the home; `holder`: None when it is bound to no key; `exp`: `issuer_jwt.NO_END` when
    only its status ends it; `loa`, `set_id`: None for types outside our vocabulary; `status_roots` (DER): who may
    sign its status list; `marks`: of an issued one, the salts: what two copies have in common would link them;
    `key_binding`: of a presentation, None when it is bound to no key; `mandate` (its hash, 32 bytes) and `party`:
    of a card of somebody else, who is represented by its holder.
    """

    format: str
    vct: str
    iss: str
    issuer_name: str
    is_listed: bool
    claims: Mapping[str, JsonValue]
    authorities: frozenset[str]
    holder: Es256Public | None
    iat: int
    nbf: int
    exp: int
    loa: str | None
    set_id: str | None
    status: StatusReference | None
    status_roots: tuple[bytes, ...]
    marks: tuple[str, ...] = ()
    key_binding: VerifiedKeyBinding | None = None
    mandate: bytes | None = None
    party: int | None = None

    @property
    def card(self) -> Card:
        """What DCQL is matched with."""
        return Card(self.vct, self.claims, self.authorities, self.format)


@dataclass(frozen=True)
class Challenge:
    """What a presentation answers: the asker's full client identifier and nonce, and where the answer goes.

    `response_uri` and `key_thumbprint` (32 bytes of the encryption key) are for formats that sign them too.
    """

    client_id: str
    nonce: str
    response_uri: str = ""
    key_thumbprint: bytes | None = None


class CredentialFormat(Protocol):
    """One format. Texts are as they stand in a credential response and in a `vp_token`."""

    @property
    def identifier(self) -> str:
        """As in `format` of metadata and queries."""

    def verify_issued(self, credential: str, trust: TrustList, now: int) -> VerifiedContent:
        """A credential as its holder receives it. The caller MUST compare `holder`, `iss` and `vct`.

        Raises `Rejected`.
        """

    def verify_presented(
        self,
        presentation: str,
        trust: TrustList,
        challenge: Challenge,
        now: int,
        *,
        max_age: int = 300,
        allow_unbound: bool = False,
    ) -> VerifiedContent:
        """A presentation as a verifier receives it; its status is **not** looked up. Raises `Rejected`.

        `allow_unbound`: the query has `require_cryptographic_holder_binding` false.
        """

    def read_card(self, credential: str) -> Card:
        """What a credential could show that the holder verified when it came. Raises `Rejected`."""

    def always_shown(self, credential: str) -> Mapping[str, JsonValue]:
        """What every presentation of it shows, asked or not. Raises `Rejected`."""

    def present(
        self,
        credential: str,
        paths: Sequence[Sequence[PathElement]],
        holder: Es256Private | None,
        challenge: Challenge,
        now: int,
        *,
        transaction_data_hashes: Sequence[bytes] | None = None,
    ) -> str:
        """A presentation that shows `paths` and what is always shown; `holder` None: it is bound to no key.

        Raises `Rejected`: `not_satisfiable` when a path selects nothing.
        """


class SdJwtVc:
    """`dc+sd-jwt` (RFC 9901, OpenID4VP appendix B.3, HAIP 1.0 section 6.1)."""

    identifier = SD_JWT_VC

    def verify_issued(self, credential: str, trust: TrustList, now: int) -> VerifiedContent:
        """By `credential.verify_credential`. Raises `Rejected`."""
        content = _content(verify_credential(credential, trust, now), trust)
        parsed = [disclosure.parse_disclosure(one, floats=True) for one in split_sd_jwt(credential).disclosures]
        return replace(content, marks=tuple(one.salt for one in parsed))

    def verify_presented(
        self,
        presentation: str,
        trust: TrustList,
        challenge: Challenge,
        now: int,
        *,
        max_age: int = 300,
        allow_unbound: bool = False,
    ) -> VerifiedContent:
        """By `credential.verify_presentation`. Raises `Rejected`."""
        shown = verify_presentation(
            presentation,
            trust,
            now=now,
            audience=challenge.client_id,
            nonce=challenge.nonce,
            max_age=max_age,
            allow_unbound=allow_unbound,
        )
        return _content(shown.credential, trust, shown.key_binding)

    def read_card(self, credential: str) -> Card:
        """All claims, also nested ones. Raises `Rejected`: those of parsing."""
        parts = split_sd_jwt(credential)
        payload, chain = read_payload(parts.jwt)
        processed = disclosure.process(payload, parts.disclosures, floats=True).payload
        return Card(payload["vct"], claims_about_holder(processed), x509.authority_key_ids(chain), SD_JWT_VC)

    def always_shown(self, credential: str) -> Mapping[str, JsonValue]:
        """What stands in the issuer-signed JWT itself; of our vocabulary nothing."""
        return self.read_card(f"{split_sd_jwt(credential).jwt}~").claims

    def present(
        self,
        credential: str,
        paths: Sequence[Sequence[PathElement]],
        holder: Es256Private | None,
        challenge: Challenge,
        now: int,
        *,
        transaction_data_hashes: Sequence[bytes] | None = None,
    ) -> str:
        """`JWT~D..~KB`, or `JWT~D..~` of a credential that is bound to no key."""
        parts = split_sd_jwt(credential)
        payload, _ = read_payload(parts.jwt)
        disclosure.process(payload, parts.disclosures, floats=True)
        revealed = disclosure.disclosures_for(payload, parts.disclosures, paths)
        presented = "~".join((parts.jwt, *revealed, ""))
        if holder is None:
            return presented
        return presented + sign_key_binding(
            presented,
            holder,
            audience=challenge.client_id,
            nonce=challenge.nonce,
            iat=now,
            transaction_data_hashes=transaction_data_hashes,
        )


def _content(
    credential: VerifiedCredential, trust: TrustList, key_binding: VerifiedKeyBinding | None = None
) -> VerifiedContent:
    told = credential.issuer_jwt
    return VerifiedContent(
        format=SD_JWT_VC,
        vct=told.vct,
        iss=told.iss,
        issuer_name=issuer_name(told, trust),
        is_listed=told.stranger is None,
        claims=credential.claims,
        authorities=x509.authority_key_ids(told.chain),
        holder=told.cnf,
        iat=told.iat,
        nbf=told.nbf,
        exp=told.exp,
        loa=told.loa,
        set_id=told.set_id,
        status=told.status,
        status_roots=issuer_roots(told, trust),
        key_binding=key_binding,
        mandate=told.mandate,
        party=told.party,
    )


FORMATS: Mapping[str, CredentialFormat] = {SD_JWT_VC: SdJwtVc()}


def credential_format(identifier: str) -> CredentialFormat:
    """The format of this identifier. Raises `Rejected`: `unknown_format`."""
    found = FORMATS.get(identifier)
    if found is None:
        raise Rejected("unknown_format", "credentials of this format are not handled here")
    return found
