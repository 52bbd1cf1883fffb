"""A registrar of strangers: it says what they may ask (`rc-wrp+jwt`, ETSI TS 119 475)."""

import time
from typing import Any

from protocol.canonical import convert, parse_object
from protocol.jws import parse_jws, sign_jws
from protocol.registration_certificate import REGISTRATION_TYP, Registrar, sign_registration_certificate
from protocol.status_list import StatusReference
from protocol.trust_list import Agency, Service
from tests.interop.ours import service
from tests.interop.strangers import Stranger
from tests.protocol.builders import DAY

_REGISTRAR = Registrar(
    registry_uri="https://register.example",
    certificate_policy="https://register.example/policy",
    country="NL",
    authority={"email": "toezicht@register.example"},
)


def registration(by: Stranger, organization: str, *claims: tuple[str, list[str]]) -> dict[str, Any]:
    """What a request carries: the certificate of this organization, for these (type, path)."""
    wanted = service("verhuur")
    wanted["claims"] = [{"vct": vct, "path": path, "needed": True} for vct, path in claims]
    agency = Agency(
        id=organization,
        name="Winkel BV",
        roots=[],
        bsn_allowed=False,
        erasure_contact="privacy@winkel.example",
        services=[],
    )
    now = int(time.time())
    token = sign_registration_certificate(
        agency,
        convert(wanted, Service),
        _REGISTRAR,
        iat=now - DAY,
        exp=now + DAY,
        status=StatusReference(idx=0, uri="https://register.example/status"),
        signer=by.key,
        x5c=by.x5c,
    )
    payload = parse_object(parse_jws(token, typ=REGISTRATION_TYP).payload)
    del payload["status"]  # nobody serves a list here, and one that is away makes the certificate count for none
    return {
        "format": "registration_cert",
        "data": sign_jws(payload, by.key, typ=REGISTRATION_TYP, header={"x5c": by.x5c}),
    }


def registrar_dataset(organization: str) -> dict[str, Any]:
    """What a request says of its sender beside the certificate (ETSI TS 119 472-2, RO-02 to RO-12)."""
    words = [{"lang": "nl", "content": "Verhuur"}, {"lang": "en", "content": "Renting"}]
    return {
        "format": "registrar_dataset",
        "data": {
            "identifier": [{"type": "http://data.europa.eu/eudi/id/EUID", "identifier": organization}],
            "srvDescription": words,
            "registryURI": _REGISTRAR.registry_uri,
            "intendedUseIdentifier": f"{organization}:verhuur:1",
            "purpose": words,
            "policyURI": "https://winkel.example/privacy",
        },
    }
