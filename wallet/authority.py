"""The supervisor to whom a resident of the Netherlands complains (GDPR article 51, EUDI TS8).

A registration certificate names the supervisor of who asks; where there is none, it is the Dutch one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from protocol.names import visible


@dataclass(frozen=True)
class Authority:
    """`supervisory_authority` of ETSI TS 119 475 (RPT_DPA_06): at least one way to reach it."""

    name: str
    country: str
    info_uri: str | None = None
    email: str | None = None
    phone: str | None = None

    @property
    def contacts(self) -> list[str]:
        """Every way there is."""
        return [each for each in (self.email, self.phone, self.info_uri) if each]


DUTCH = Authority(
    name="Autoriteit Persoonsgegevens",
    country="NL",
    info_uri="https://autoriteitpersoonsgegevens.nl/een-tip-of-klacht-indienen-bij-de-ap",
    phone="+31 88 180 52 50",
)


def authority_of(registered: Mapping[str, str] | None) -> Authority:
    """Of the `supervisory_authority` of a certificate: `uri` (older texts: `infoURI`), `email`, `phone`.

    Without `name` and `country` it is the one that supervises here, reached in the ways that are registered.
    """
    found = registered or {}
    uri = found.get("uri") or found.get("infoURI")
    if not (uri or found.get("email") or found.get("phone")):
        return DUTCH
    return Authority(
        visible(found.get("name") or DUTCH.name),
        visible(found.get("country") or DUTCH.country),
        uri,
        found.get("email"),
        found.get("phone"),
    )
