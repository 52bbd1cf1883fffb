"""A registrar of strangers: it says what they may ask (`rc-wrp+jwt`, ETSI TS 119 475)."""

import time
from typing import Any

from protocol.canonical import convert
from protocol.registration_certificate import Registrar, sign_registration_certificate
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
_STATUS = StatusReference(idx=0, uri="https://register.example/status")


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
        status=_STATUS,
        signer=by.key,
        x5c=by.x5c,
    )
    return {"format": "registration_cert", "data": token}
