"""What a kept request says of who asked: for a complaint, and for the way to ask for erasure (EUDI TS7, TS8).

The request was verified when it was answered; a certificate that it brought along was verified with it. Here both
are only read again. Pure.
"""

from dataclasses import dataclass
from typing import Any

from protocol.canonical import parse_object
from protocol.errors import Rejected
from protocol.jws import parse_jws
from protocol.registration_certificate import REGISTRATION_TYP
from protocol.request_object import REQUEST_TYP
from wallet.authority import DUTCH, Authority, authority_of

_MAX = 512


@dataclass(frozen=True)
class AskerFacts:
    """From a registration certificate; None and the Dutch supervisor where there was none.

    `support`: where to ask for erasure (`supportURI`); `registry`: where its registration can be looked up;
    `public_body`: whether it is registered as one.
    """

    authority: Authority = DUTCH
    country: str | None = None
    support: str | None = None
    registry: str | None = None
    identifier: str | None = None
    public_body: bool | None = None


def asker_facts(request: str) -> AskerFacts:
    """Of a request object (compact JWS); nothing of one that is empty or not in our form."""
    try:
        payload = parse_object(parse_jws(request, typ=REQUEST_TYP).payload)
        found = payload.get("verifier_info")
        tokens = [each.get("data") for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        certificates = [
            parse_object(parse_jws(token, typ=REGISTRATION_TYP).payload)
            for token in tokens
            if isinstance(token, str)
        ]
    except Rejected:
        return AskerFacts()
    return _facts(certificates[0]) if certificates else AskerFacts()


def _facts(certificate: dict[str, Any]) -> AskerFacts:
    named = certificate.get("supervisory_authority")
    texts = (
        {key: value for key, value in named.items() if isinstance(value, str)} if isinstance(named, dict) else None
    )
    public_body = certificate.get("public_body")
    return AskerFacts(
        authority=authority_of(texts),
        country=_text(certificate, "country"),
        support=_text(certificate, "support_uri"),
        registry=_text(certificate, "registry_uri"),
        identifier=_text(certificate, "sub"),
        public_body=public_body if isinstance(public_body, bool) else None,
    )


def _text(certificate: dict[str, Any], name: str) -> str | None:
    value = certificate.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= _MAX and value.isprintable() else None
