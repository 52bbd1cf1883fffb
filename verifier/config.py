"""config.json of a verifier."""

import re
from ipaddress import ip_network
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from protocol.errors import Rejected
from service.address import LOOPBACK_HOSTS
from service.operations import Contact
from service.staff import StaffConfig

DATABASE = "verifier.db"
DESK = "/desk"
"""Where the desk of the staff is, below the agency's URL."""
MAX_URL_CHARACTERS = 256
"""The inbox URL, which is longer, goes into every request."""
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?")


class CohortConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What numbers of a cohort may cost, in thousandths of epsilon: each one, and all of one service in a calendar
    year (Europe/Amsterdam). The year's sum is refused beyond; a smaller epsilon is more noise.
    """

    epsilon_thousandths: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500
    yearly_thousandths: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 3_000


class OfficeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Networks of the office (CIDR), and proxies of the agency whose X-Forwarded-For is believed. See `zone`."""

    networks: tuple[str, ...]
    proxies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for network in (*self.networks, *self.proxies):
            ip_network(network)  # its `ValueError` is what msgspec takes for a value that does not fit


class VerifierConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """`url`: where wallets reach this agency; `log`: origin of the consent log; `registrar`: public JWK.

    `accept_undetermined`: services that go on when the issuer cannot tell the status of a credential (its list is
    not reachable or does not verify). All others stop then: a credential may have been revoked.
    `client_id_prefix`, `response_mode`: of requests for copies; other than HAIP's only for wallets that know no
    better. `transaction_types`: what residents may be asked to sign besides. `staff`: who signs in at the desk.
    `cohort`: what a counting party may tell. `office`: which networks are the office.
    """

    role: Literal["verifier"]
    url: str
    oin: str
    name: str
    log: str
    trust_list: str
    registrar: dict[str, Any]
    accept_undetermined: tuple[str, ...] = ()
    client_id_prefix: Literal["x509_hash", "x509_san_dns"] = "x509_hash"
    response_mode: Literal["direct_post.jwt", "direct_post"] = "direct_post.jwt"
    transaction_types: tuple[str, ...] = ()
    contact: Contact | None = None
    staff: StaffConfig | None = None
    cohort: CohortConfig = CohortConfig()
    office: OfficeConfig | None = None


def check_verifier_url(url: str) -> str:
    """https, no query, no slash at the end; http only for this machine, for tests and demos.

    Raises `Rejected`: `bad_url`.
    """
    if len(url) > MAX_URL_CHARACTERS or not _URL.fullmatch(url):
        raise Rejected("bad_url", "a verifier URL is plain https without query and slash at its end")
    try:
        parts = urlsplit(url)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError as error:
        raise Rejected("bad_url", "not a URL") from error
    if not port_is_number or (parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS):
        raise Rejected("bad_url", "a verifier URL is https, except on this machine")
    return url
