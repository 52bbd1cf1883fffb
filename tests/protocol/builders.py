"""A small known world for tests: an issuer, an agency, a registrar and a holder, all from fixed seeds.

Nothing here is random: the same call gives the same keys and certificates. Import as
`from tests.protocol import builders`.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol import x509
from protocol.anchors import AnchoredTrust, Anchors, StrangerIssuer, with_anchors
from protocol.attributes import CREDENTIAL_TYPES, credential_type
from protocol.canonical import b64u_encode
from protocol.credential import issue_credential, split_sd_jwt
from protocol.key_binding import sign_key_binding
from protocol.keys import Ed25519Private, Es256Private, Es256Public
from protocol.seal import KemPrivate
from protocol.status_list import StatusReference
from protocol.trust_list import (
    Agency,
    Service,
    ServiceClaim,
    TrustedIssuer,
    TrustedLog,
    TrustedWitness,
    TrustList,
    Words,
    sign_trust_list,
)

DAY = 86_400
NOW = 1_795_305_600
"""2026-11-22T00:00:00Z: what every clock in the tests shows at first."""
PERSOON, ADRES, GEZIN, GEZAG, WOZ = CREDENTIAL_TYPES
ISSUER_ID = "https://issuer.voorbeeld.example"
AGENCY_ID = "00000099000000001000"
AGENCY_HOST = "agency.voorbeeld.example"
CLIENT_AUDIENCE = "x509_hash:"
LOG_ORIGIN = "log.voorbeeld.example/2026"
LOG_URL = "https://log.voorbeeld.example"
WITNESS_NAME = "witness.voorbeeld.example"
AUDITOR_NAME = "auditor.voorbeeld.example"
SERVICE_ID = "parkeervergunning"
STATUS_URI = "https://issuer.voorbeeld.example/status-lists/1"
NONCE = "n-0S6_WzA2Mj-voorbeeld"


def random_of(seed: str) -> Callable[[int], bytes]:
    """A deterministic stand-in for `os.urandom`: every call gives other bytes."""
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{seed}/{count}".encode()).digest(size)

    return draw


def es256(name: str) -> Es256Private:
    """The ES256 key of this name."""
    return Es256Private.from_secret(hashlib.shake_256(f"es256/{name}".encode()).digest(48))


def ed25519(name: str) -> Ed25519Private:
    """The Ed25519 key of this name."""
    return Ed25519Private(hashlib.shake_256(f"ed25519/{name}".encode()).digest(32))


def kem(name: str) -> KemPrivate:
    """The HPKE key of this name."""
    return KemPrivate(hashlib.shake_256(f"kem/{name}".encode()).digest(96))


def vkey(name: str, key: Ed25519Private, kind: int = 0x01) -> str:
    """C2SP verifier key text; `kind` 0x04 for a cosigner."""
    public = bytes([kind]) + key.public
    key_id = hashlib.sha256(name.encode() + b"\n" + public).hexdigest()[:8]
    return f"{name}+{key_id}+{base64.b64encode(public).decode()}"


@dataclass(frozen=True)
class Party:
    """Somebody with a leaf under a root of its own; `roots` as they stand in the trust list."""

    key: Es256Private
    root_key: Es256Private
    root: bytes
    leaf: bytes

    @property
    def x5c(self) -> list[str]:
        return x509.x5c([self.leaf])

    @property
    def roots(self) -> list[str]:
        return x509.x5c([self.root])

    @property
    def client_id(self) -> str:
        """The OpenID4VP client identifier of this leaf."""
        return CLIENT_AUDIENCE + x509.thumbprint_hash(self.leaf)


def party(
    name: str,
    *,
    san_dns: str | None = None,
    san_uri: str | None = None,
    not_before: int = NOW - 30 * DAY,
    not_after: int = NOW + 400 * DAY,
) -> Party:
    """Root and leaf of this name."""
    root_key, key = es256(f"{name}/root"), es256(f"{name}/leaf")
    root = x509.make_root(root_key, f"{name} root", serial=1, not_before=not_before, not_after=not_after)
    leaf = x509.make_leaf(
        key.public,
        name,
        root_key,
        root,
        san_dns=san_dns,
        san_uri=san_uri,
        serial=2,
        not_before=not_before,
        not_after=not_after,
    )
    return Party(key, root_key, root, leaf)


ISSUER = party("issuer", san_dns="issuer.voorbeeld.example", san_uri=ISSUER_ID)
AGENCY = party("agency", san_dns=AGENCY_HOST)
STRANGER = party("stranger", san_dns="issuer.voorbeeld.example", san_uri=ISSUER_ID)
"""Has the issuer's names on a leaf under a root that nobody listed."""
FOREIGN_ID = "https://pid.elders.example"
FOREIGN = party("foreign", san_dns="pid.elders.example", san_uri=FOREIGN_ID)
"""An issuer abroad, whom the trust list does not know and a home's anchors may."""
REGISTRAR = es256("registrar")
HOLDER = es256("holder")
LOG_KEY, LOG_RECEIPT_KEY, WITNESS_KEY, AUDITOR_KEY = (
    ed25519(name) for name in ("log", "log receipts", "witness", "auditor")
)
LOG_DEPOSIT_KEY = kem("log deposits")


def service(**changes: Any) -> Service:
    """A parking permit that needs the postal code and may ask house number and surname."""
    members: dict[str, Any] = {
        "id": SERVICE_ID,
        "version": 1,
        "name": Words(nl="Parkeervergunning", en="Parking permit"),
        "purpose": Words(nl="Nagaan of u hier woont", en="To see whether you live here"),
        "basis": "consent",
        "claims": [
            ServiceClaim(vct=ADRES, path=["postcode"], needed=True),
            ServiceClaim(vct=ADRES, path=["huisnummer"], needed=False),
            ServiceClaim(vct=PERSOON, path=["geslachtsnaam"], needed=False),
            *(ServiceClaim(vct=vct, path=[f], needed=True) for vct in (ADRES, PERSOON) for f in flags(vct)),
        ],
        "longest_term": 365 * DAY,
        "retention": "P1Y",
        "mode": "store",
        "privacy_policy": "https://agency.voorbeeld.example/privacy",
    }
    return Service(**{**members, **changes})


def flags(vct: str) -> tuple[str, ...]:
    """The register's warnings that go with every use of the type."""
    return credential_type(vct).flags


def agency(**changes: Any) -> Agency:
    """The one agency, with the one service."""
    members: dict[str, Any] = {
        "id": AGENCY_ID,
        "name": "Gemeente Voorbeeld",
        "roots": AGENCY.roots,
        "bsn_allowed": True,
        "erasure_contact": "privacy@agency.voorbeeld.example",
        "services": [service()],
    }
    return Agency(**{**members, **changes})


def issuer(**changes: Any) -> TrustedIssuer:
    """The one issuer, for all types of the vocabulary."""
    members: dict[str, Any] = {
        "id": ISSUER_ID,
        "name": "Basisregistratie Voorbeeld",
        "roots": ISSUER.roots,
        "vcts": list(CREDENTIAL_TYPES),
    }
    return TrustedIssuer(**{**members, **changes})


def log_policy() -> str:
    """A tlog-policy text: the log, and both of its cosigners must sign."""
    witness = vkey(WITNESS_NAME, WITNESS_KEY, 0x04)
    auditor = vkey(AUDITOR_NAME, AUDITOR_KEY, 0x04)
    return (
        f"log {vkey(LOG_ORIGIN, LOG_KEY)} {LOG_URL}\n"
        f"witness w1 {witness} https://{WITNESS_NAME}\n"
        f"witness a1 {auditor} https://{AUDITOR_NAME}\n"
        "group all all w1 a1\n"
        "quorum all\n"
    )


def trust_list(**changes: Any) -> TrustList:
    """Version 1: one issuer, agency, log, witness and auditing cosigner; in force for 30 days."""
    members: dict[str, Any] = {
        "version": 1,
        "iat": NOW - DAY,
        "exp": NOW + 29 * DAY,
        "issuers": [issuer()],
        "agencies": [agency()],
        "logs": [
            TrustedLog(
                origin=LOG_ORIGIN,
                url=LOG_URL,
                vkey=vkey(LOG_ORIGIN, LOG_KEY),
                receipt_vkey=vkey(f"{LOG_ORIGIN}/receipts", LOG_RECEIPT_KEY),
                deposit_key=b64u_encode(LOG_DEPOSIT_KEY.public_bytes()),
                policy=log_policy(),
            )
        ],
        "witnesses": [
            TrustedWitness(
                name=WITNESS_NAME,
                url=f"https://{WITNESS_NAME}",
                vkey=vkey(WITNESS_NAME, WITNESS_KEY, 0x04),
                auditing=False,
            ),
            TrustedWitness(
                name=AUDITOR_NAME,
                url=f"https://{AUDITOR_NAME}",
                vkey=vkey(AUDITOR_NAME, AUDITOR_KEY, 0x04),
                auditing=True,
                receipt_vkey=vkey(f"{AUDITOR_NAME}/receipts", AUDITOR_KEY),
            ),
        ],
    }
    return TrustList(**{**members, **changes})


TRUST = trust_list()


def anchored(trust: TrustList = TRUST, **changes: Any) -> AnchoredTrust:
    """The trust list of a home whose anchors know the foreign issuer; `changes` are members of its entry."""
    members = {"name": "Elders", "roots": FOREIGN.roots, "vcts": ["*"], **changes}
    return with_anchors(trust, Anchors(issuers=[StrangerIssuer(**members)]))


def trust_list_token(**changes: Any) -> str:
    """The trust list as the registrar signs it."""
    return sign_trust_list(trust_list(**changes), REGISTRAR)


_VALUES: Mapping[str, Mapping[str, Any]] = {
    PERSOON: {
        "burgerservicenummer": "999990019",
        "voornamen": "Jiska Éva",
        "voorvoegsel": "van den",
        "geslachtsnaam": "Voorbeeld",
        "volledigeNaam": "Jiska Éva van den Voorbeeld",
        "geboortedatum": {"type": "Datum", "datum": "1984-02-29", "langFormaat": "29 februari 1984"},
        "geboorteplaats": {"code": "0344", "omschrijving": "Utrecht"},
        "geboorteland": {"code": "6030", "omschrijving": "Nederland"},
        "geslacht": {"code": "V", "omschrijving": "vrouw"},
        "nationaliteiten": [{"type": "Nationaliteit", "nationaliteit": {"code": "0001"}}],
        "leeftijdBoven12": "ja",
        "leeftijdBoven16": "ja",
        "leeftijdBoven18": "ja",
        "leeftijdBoven21": "ja",
        "leeftijdBoven65": "nee",
    },
    ADRES: {"straat": "Dorpsstraat", "huisnummer": 12, "postcode": "1234AB", "woonplaats": "Ons Dorp"},
    GEZIN: {"burgerlijkeStaat": "ongehuwd", "kinderen": [], "ouders": []},
    GEZAG: {"gezag": [], "gezagOver": [], "curatele": False},
    WOZ: {"wozObjectnummer": "990100000012", "waarde": 312000, "waardepeildatum": "2025-01-01"},
}


def attributes_of(vct: str, **changes: Any) -> dict[str, Any]:
    """Every attribute of the type: example values, None where the register has nothing."""
    return dict.fromkeys(credential_type(vct).names) | dict(_VALUES[vct]) | changes


def set_id(name: str = "set 1") -> str:
    """The `set` shared by one copy of all credential types of a resident."""
    return b64u_encode(hashlib.sha256(name.encode()).digest()[:16])


def credential(
    vct: str = ADRES,
    *,
    holder: Es256Public = HOLDER.public,
    signer: Party = ISSUER,
    attributes: Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    """`JWT~D..~` as the issuer hands it out; `changes` are arguments of `issue_credential`."""
    arguments: dict[str, Any] = {
        "vct": vct,
        "issuer": ISSUER_ID,
        "attributes": attributes_of(vct) if attributes is None else attributes,
        "holder": holder,
        "signer": signer.key,
        "x5c": signer.x5c,
        "iat": NOW,
        "exp": NOW + 365 * DAY,
        "loa": "high",
        "set_id": set_id(),
        "status": StatusReference(idx=4711, uri=STATUS_URI),
        "random": random_of(f"credential {vct}"),
    }
    return issue_credential(**{**arguments, **changes})


def reveal(sd_jwt: str, names: Sequence[str], vct: str = ADRES) -> str:
    """`JWT~D..~` with the disclosures of these names only."""
    parts = split_sd_jwt(sd_jwt)
    chosen = dict(zip(credential_type(vct).names, parts.disclosures, strict=True))
    return "~".join((parts.jwt, *(chosen[name] for name in names), ""))


def present(
    sd_jwt: str,
    names: Sequence[str],
    *,
    vct: str = ADRES,
    holder: Es256Private = HOLDER,
    audience: str = AGENCY.client_id,
    nonce: str = NONCE,
    iat: int = NOW,
    **changes: Any,
) -> str:
    """`JWT~D..~KB`; `changes` are arguments of `sign_key_binding` such as `consent`."""
    presented = reveal(sd_jwt, names, vct)
    return presented + sign_key_binding(presented, holder, audience=audience, nonce=nonce, iat=iat, **changes)
