"""Parties outside the trust list, for homes that trust them by anchors: a shop, its registrar, a university.

Import as `from tests.protocol import strangers`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from protocol import x509
from protocol.anchors import AnchoredTrust, Anchors, StrangerIssuer, StrangerVerifier, with_anchors
from protocol.canonical import b64u_encode, canonical_bytes
from protocol.disclosure import digest_of
from protocol.jws import sign_jws
from protocol.keys import Es256Public
from protocol.registration_certificate import REGISTRATION_TYP
from tests.protocol import builders as b
from tests.protocol.builders import DAY, NOW, Party

SHOP_HOST = "shop.vreemd.example"
SHOP_ORGANIZATION = "NTRNL-90000001"
SHOP_NAME = "Webwinkel Vreemd"
UNIVERSITY_ID = "https://uni.vreemd.example"
DIPLOMA = "urn:vreemd:diploma:1"
BADGE = "urn:vreemd:badge:1"


def party(
    name: str, *, san_dns: str | None = None, san_uri: str | None = None, organization_id: str = ""
) -> Party:
    """Root and leaf of this name, with an organization identifier in the leaf."""
    made = b.party(name, san_dns=san_dns, san_uri=san_uri)
    leaf = x509.make_leaf(
        made.key.public,
        name,
        made.root_key,
        made.root,
        san_dns=san_dns,
        san_uri=san_uri,
        serial=3,
        not_before=NOW - 30 * DAY,
        not_after=NOW + 400 * DAY,
        organization_id=organization_id,
    )
    return Party(made.key, made.root_key, made.root, leaf)


SHOP = party(SHOP_NAME, san_dns=SHOP_HOST, organization_id=SHOP_ORGANIZATION)
UNIVERSITY = party("university", san_uri=UNIVERSITY_ID, san_dns="uni.vreemd.example")
SECTOR_REGISTRAR = party("sector registrar", san_dns="registrar.vreemd.example")


def anchors(**changes: Any) -> Anchors:
    """The shop, the university and their registrar."""
    members: dict[str, Any] = {
        "issuers": [
            StrangerIssuer(id=UNIVERSITY_ID, name="Universiteit Vreemd", roots=UNIVERSITY.roots, vcts=["*"])
        ],
        "verifiers": [StrangerVerifier(name="shops", roots=SHOP.roots)],
        "registration_roots": SECTOR_REGISTRAR.roots,
    }
    return Anchors(**{**members, **changes})


def trust(**changes: Any) -> AnchoredTrust:
    """The trust list of the tests in a home with these anchors; `changes` are members of the anchors."""
    return with_anchors(b.TRUST, anchors(**changes))


def registration_payload(**changes: Any) -> dict[str, Any]:
    """What the registrar says that the shop may ask: two attributes of a diploma, and a badge as a whole."""
    made = {
        "sub": SHOP_ORGANIZATION,
        "sub_ln": "Webwinkel Vreemd B.V.",
        "name": SHOP_NAME,
        "country": "NL",
        "iat": NOW - DAY,
        "exp": NOW + 30 * DAY,
        "purpose": [{"lang": "nl", "value": "Studentenkorting"}, {"lang": "en", "value": "A student's discount"}],
        "privacy_policy": f"https://{SHOP_HOST}/privacy",
        "intended_use_id": "discount",
        "credentials": [
            {
                "format": "dc+sd-jwt",
                "meta": {"vct_values": [DIPLOMA]},
                "claim": [{"path": ["degree"]}, {"path": ["person", "family_name"]}],
            },
            {"format": "dc+sd-jwt", "meta": {"vct_values": [BADGE]}},
        ],
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def registration(signer: Party = SECTOR_REGISTRAR, **changes: Any) -> str:
    """The certificate as the registrar signs it."""
    return sign_jws(registration_payload(**changes), signer.key, typ=REGISTRATION_TYP, header={"x5c": signer.x5c})


def conceal(random: Any, name: str | None, value: Any) -> tuple[str, str]:
    """A disclosure and its digest, as any issuer makes them (RFC 9901 section 4.2)."""
    salt = b64u_encode(random(16))
    encoded = b64u_encode(canonical_bytes([salt, value] if name is None else [salt, name, value]))
    return encoded, b64u_encode(digest_of(encoded))


def diploma(
    holder: Es256Public | None,
    *,
    seed: str = "1",
    signer: Party = UNIVERSITY,
    person: Mapping[str, str] | None = None,
    courses: Sequence[str] = ("Logica", "Statistiek"),
    **changes: Any,
) -> str:
    """`JWT~D..~` with a visible claim, nested disclosures, and an array of which each element is hidden."""
    random = b.random_of(f"diploma {seed}")
    person = person or {"given_name": "Jiska", "family_name": "Voorbeeld"}
    inner = [conceal(random, name, value) for name, value in person.items()]
    elements = [conceal(random, None, value) for value in courses]
    outer = [
        conceal(random, "degree", "MSc"),
        conceal(random, "person", {"_sd": sorted(digest for _, digest in inner)}),
        conceal(random, "courses", [{"...": digest} for _, digest in elements]),
    ]
    payload = {
        "vct": DIPLOMA,
        "iss": UNIVERSITY_ID,
        "iat": NOW - DAY,
        "exp": NOW + 300 * DAY,
        "cnf": None if holder is None else {"jwk": holder.jwk()},
        "faculty": "Wiskunde",
        "_sd": sorted(digest for _, digest in outer),
        "_sd_alg": "sha-256",
        **changes,
    }
    payload = {name: value for name, value in payload.items() if value is not None}
    jwt = sign_jws(payload, signer.key, typ="dc+sd-jwt", header={"x5c": signer.x5c})
    return "~".join((jwt, *(encoded for encoded, _ in (*outer, *inner, *elements)), ""))
