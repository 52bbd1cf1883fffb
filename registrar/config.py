"""config.json of a registrar."""

from typing import Literal
from urllib.parse import urlsplit

import msgspec

from protocol.errors import Rejected
from service.address import LOOPBACK_HOSTS, parse_url
from service.operations import Contact

WALLET_CLIENT_ID = "regie-wallet"
"""`sub` of every wallet attestation: the same for all, so that it names nobody."""
SUPERVISOR = {"phone": "088-1805250", "uri": "https://www.autoriteitpersoonsgegevens.nl"}
"""Autoriteit Persoonsgegevens: to whom a resident reports an asker (CIR 2025/848 annex IV)."""


class RegistrarConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """`url`: where `regie registrar serve` is reached, and the id of the wallet provider; none: nothing is served.

    `supervisor`: `email`, `phone` and `uri` of the data protection authority, else the Dutch one;
    `wallet_client_id`: the `client_id` that wallets show to issuers.
    """

    role: Literal["registrar"]
    name: str
    url: str | None = None
    country: str = "NL"
    supervisor: dict[str, str] | None = None
    wallet_client_id: str = WALLET_CLIENT_ID
    contact: Contact | None = None

    @property
    def base(self) -> str:
        """The `url`. Raises `Rejected`: `not_published`."""
        if self.url is None:
            raise Rejected("not_published", "this registrar serves nothing: run regie registrar publish-at URL")
        return self.url

    @property
    def authority(self) -> dict[str, str]:
        """The data protection authority that residents report to."""
        return SUPERVISOR if self.supervisor is None else self.supervisor

    @property
    def registry_uri(self) -> str:
        """Where the read API begins (TS5 section 3.2)."""
        return f"{self.base}/v1"

    @property
    def certificate_policy(self) -> str:
        """What stands behind the certificates, in words."""
        return f"{self.base}/v1/certificate-policies/1"

    @property
    def status_uri(self) -> str:
        """The status list of the registration certificates."""
        return f"{self.base}/v1/status-lists/1"


def check_registrar_url(url: str) -> str:
    """https without path, query and slash at its end; http only for this machine. Raises `Rejected`: `bad_url`."""
    target = parse_url(url, loopback=True)
    if urlsplit(url).path or url.endswith("/") or (target.scheme != "https" and target.host not in LOOPBACK_HOSTS):
        raise Rejected("bad_url", "a registrar's URL is https and has no path and no slash at its end")
    return url
