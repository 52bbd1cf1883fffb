"""A credential that others issue: nested objects, disclosable array elements, a fraction, no `set`, no `loa`."""

import json
from collections.abc import Mapping
from typing import Any

from protocol.canonical import b64u_encode
from protocol.disclosure import digest_of
from tests.protocol import builders as b
from tests.protocol.peer_input import forge

PID = "urn:eudi:pid:de:1"
STATUS = {"status_list": {"idx": 7, "uri": "https://pid.elders.example/lists/1"}}
CLAIMS: Mapping[str, Any] = {
    "given_name": "Erika",
    "height": 1.68,
    "address": {"country": "DE", "locality": "Köln", "street_address": "Heidestraße 17"},
    "nationalities": ["DE", "NL"],
    "age_equal_or_over": {"18": True, "65": False},
    "degrees": [{"type": "BSc", "university": "Köln"}, {"type": "MSc", "university": "Delft"}],
}


class Disclosures:
    """Makes disclosures as another software spells them: with spaces after separators."""

    def __init__(self, seed: str = "foreign") -> None:
        self.random = b.random_of(seed)
        self.by_name: dict[str, str] = {}

    def make(self, label: str, *parts: Any) -> str:
        """The digest of `[salt, *parts]`; the disclosure is kept under its label."""
        text = json.dumps([b64u_encode(self.random(16)), *parts], ensure_ascii=False)
        self.by_name[label] = b64u_encode(text.encode())
        return b64u_encode(digest_of(self.by_name[label]))


def payload_and_disclosures() -> tuple[dict[str, Any], dict[str, str]]:
    """The claims set of the PID with all of `CLAIMS`, and its disclosures by label."""
    made = Disclosures()
    address = {
        "country": "DE",
        "_sd": [
            made.make("locality", "locality", "Köln"),
            made.make("street_address", "street_address", "Heidestraße 17"),
        ],
    }
    degree = {"type": "MSc", "_sd": [made.make("university", "university", "Delft")]}
    payload = {
        "vct": PID,
        "iss": b.FOREIGN_ID,
        "iat": b.NOW,
        "exp": b.NOW + 100 * b.DAY,
        "cnf": {"jwk": b.HOLDER.public.jwk()},
        "status": STATUS,
        "_sd_alg": "sha-256",
        "_sd": [
            made.make("given_name", "given_name", "Erika"),
            made.make("height", "height", 1.68),
            made.make("address", "address", address),
        ],
        "nationalities": ["DE", {"...": made.make("NL", "NL")}, {"...": b64u_encode(bytes(32))}],
        "age_equal_or_over": {"_sd": [made.make("18", "18", True), made.make("65", "65", False)]},
        "degrees": [{"type": "BSc", "university": "Köln"}, {"...": made.make("degree", degree)}],
    }
    return payload, made.by_name


PAYLOAD, DISCLOSURES = payload_and_disclosures()


def issuer_jwt(*, signer: b.Party = b.FOREIGN, header: Any = None, **members: Any) -> str:
    """The issuer-signed JWT of the PID with other members; None removes one."""
    payload = {name: value for name, value in {**PAYLOAD, **members}.items() if value is not None}
    return forge(payload, signer.key, "dc+sd-jwt", {"x5c": signer.x5c, **(header or {})})


def pid(**changes: Any) -> str:
    """The PID as it is handed out; `changes` as of `issuer_jwt`."""
    return "~".join((issuer_jwt(**changes), *DISCLOSURES.values(), ""))
