"""Where a request may go: the form of a URL, and which addresses a name may stand for.

A wallet fetches what a stranger's link names, so a link must not reach the machine's own network (SSRF). Names are
resolved once and refused if any address is special-purpose; the caller connects to that very address.
"""

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

from protocol.errors import Rejected, Unavailable

MAX_URL_CHARACTERS = 2048
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""The only names of this machine, and only when the fetcher is told to allow them."""
LOWEST_FREE_PORT = 1024
"""Below it only 443: a link must not make us talk to mail or shell servers."""
_URL = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<six>[0-9a-f:.]{2,45})\]|(?P<name>[a-z0-9.-]{1,253}))(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>/[!$&-;=?-Z_a-z~%@]*|)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SIX_ALLOWED = ipaddress.IPv6Network("2000::/3")
_SIX_REFUSED = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2002::/16", "3fff::/20")))
"""Protocol assignments with Teredo, 6to4, and documentation (RFC 9637), which `ipaddress` does not know yet."""
_FOUR_REFUSED = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24")))
"""Protocol assignments and the former 6to4 relays."""

Resolver = Callable[[str, int], list[str]]
"""Host and port to textual addresses; raises OSError."""


@dataclass(frozen=True)
class Target:
    """A parsed URL: `scheme` http or https, lower-case `host` without brackets, `port`, `path` with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_loopback(self) -> bool:
        """Whether the host is one of the names of this machine."""
        return self.host in LOOPBACK_HOSTS


def parse_url(url: str, *, loopback: bool = False) -> Target:
    """An absolute https URL without userinfo and fragment; `loopback` also allows http to loopback hosts.

    Raises `Rejected`: `bad_url`.
    """
    found = _URL.fullmatch(url) if len(url) <= MAX_URL_CHARACTERS else None
    if not found:
        raise Rejected("bad_url", "not an absolute https URL in plain ASCII without user name and fragment")
    scheme = found["scheme"].lower()
    host = _host(found["six"], found["name"])
    port = int(found["port"] or (443 if scheme == "https" else 80))
    target = Target(scheme, host, port, found["target"] or "/")
    if target.is_loopback:
        if not loopback:
            raise Rejected(
                "bad_url", "addresses of this machine are refused; to try things out on it set REGIE_LOOPBACK=1"
            )
    elif scheme != "https":
        raise Rejected("bad_url", "only https is fetched")
    elif port != 443 and port < LOWEST_FREE_PORT:
        raise Rejected("bad_url", "this port is refused")
    if not 0 < port < 65536:
        raise Rejected("bad_url", "no such port")
    return target


def _host(six: str | None, name: str | None) -> str:
    try:
        if six is not None:
            return str(ipaddress.IPv6Address(six))
        host = (name or "").lower()
        if host.replace(".", "").isdigit():
            return str(ipaddress.IPv4Address(host))
    except ValueError as error:
        raise Rejected("bad_url", "not an IP address") from error
    labels = host.split(".")
    # 0x7f.1 and 127.1 are addresses to the system's resolver: a name's last label is never a number.
    if not all(map(_LABEL.fullmatch, labels)) or labels[-1][0].isdigit():
        raise Rejected("bad_url", "not a host name")
    return host


def is_public(address: str) -> bool:
    """Whether a packet to `address` goes to the public Internet.

    `ipaddress.is_global` alone says yes to NAT64 and 6to4 of loopback, to multicast and to 192.0.0.8.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # with a zone, or not an address
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        return parsed in _SIX_ALLOWED and parsed.is_global and not any(parsed in net for net in _SIX_REFUSED)
    return parsed.is_global and not parsed.is_multicast and not any(parsed in net for net in _FOUR_REFUSED)


def is_loopback(address: str) -> bool:
    """Whether `address` is this machine's loopback."""
    return ipaddress.ip_address(address).is_loopback


def system_resolver(host: str, port: int) -> list[str]:
    """All addresses of `host`, in the system's order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def resolve(target: Target, resolver: Resolver = system_resolver) -> list[str]:
    """The addresses to connect to. Raises `Rejected`: `refused_address` if any is not allowed; `Unavailable`."""
    try:
        addresses = resolver(target.host, target.port)
    except OSError as error:
        raise Unavailable("unreachable", f"{target.host} has no address") from error
    allowed = is_loopback if target.is_loopback else is_public
    if not addresses or not all(map(allowed, addresses)):
        raise Rejected("refused_address", f"{target.host} stands for an address that is refused")
    return addresses
