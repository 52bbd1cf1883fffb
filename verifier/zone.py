"""Where an officer at the desk reads from: the agency's own networks are the office, all else is remote. Pure.

A READ says so over the agency's signature, and a grant may admit one of the two only. An agency that configures no
networks says `office` of every reading at its desk, as it always did.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from protocol.terms import Zone
from verifier.config import OfficeConfig

MAX_HOPS = 8
"""Addresses of a forwarded header that are looked at, from its end."""


def zone_of(client: str, forwarded: str, config: OfficeConfig | None) -> Zone:
    """`client`: the address that the request came from; `forwarded`: header X-Forwarded-For, which counts only as
    far as proxies of the agency wrote it. What is no address is remote.
    """
    if config is None:
        return "office"
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()][-MAX_HOPS:]
    address = _address(client)
    # Without this an officer at home would send the header, and be at the office.
    while address is not None and hops and _is_in(address, config.proxies):
        address = _address(hops.pop())
    return "office" if address is not None and _is_in(address, config.networks) else "remote"


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _is_in(address: IPv4Address | IPv6Address, networks: Sequence[str]) -> bool:
    return any(address in ip_network(network) for network in networks)
