"""A party's own certificates in its home: a root that the trust list pins, and the leaf that signs under it.

root-key.pem, root.der          signs leaves only; after `init` it belongs in a safe, not on this machine
signing-key.pem, signing.der    signs for the party; travels in `x5c`, without the root

A home that signs in several parts has the same files for each, with `prefix` before their names.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from protocol import x509
from protocol.errors import Rejected
from protocol.keys import Es256Private
from service.home import Home

ROOT_KEY, ROOT, SIGNING_KEY, SIGNING = "root-key.pem", "root.der", "signing-key.pem", "signing.der"
DAY = 86_400
ROOT_DAYS = 3650
_SECRET_BYTES = 48
_MAX_COMMON_NAME = 64
"""Bytes of UTF-8 (RFC 5280 appendix A: ub-common-name)."""


def make_certificates(
    home: Home,
    *,
    name: str,
    url: str,
    leaf_days: int,
    now: int,
    random: Callable[[int], bytes],
    organization_id: str = "",
    prefix: str = "",
) -> list[str]:
    """Draw both keys, write them and their certificates; the root as it stands in the trust list.

    The leaf's SAN has the party's URL, and its host unless that is an IP address, which is no dNSName.
    `organization_id`: what a registration certificate would name the party by, such as an OIN.
    """
    root_key = Es256Private.from_secret(random(_SECRET_BYTES))
    today = now - now % DAY
    root = x509.make_root(
        root_key,
        _common_name(name, " (root)"),
        serial=_serial(random),
        not_before=today,
        not_after=today + ROOT_DAYS * DAY,
    )
    home.write_secret(prefix + ROOT_KEY, root_key.to_pem())
    home.write_public(prefix + ROOT, root)
    renew_leaf(
        home,
        name=name,
        url=url,
        leaf_days=leaf_days,
        now=now,
        random=random,
        organization_id=organization_id,
        prefix=prefix,
    )
    return x509.x5c([root])


def renew_leaf(
    home: Home,
    *,
    name: str,
    url: str,
    leaf_days: int,
    now: int,
    random: Callable[[int], bytes],
    organization_id: str = "",
    prefix: str = "",
) -> None:
    """A new key and leaf under the root of the home, in place of those that are there.

    The key is written first: a crash between the two leaves a key that fits no leaf, which the next start says.
    Raises `Rejected`: `no_home` when the root's key is elsewhere.
    """
    root_key = Es256Private.from_pem(home.read_secret(prefix + ROOT_KEY))
    key = Es256Private.from_secret(random(_SECRET_BYTES))
    today = now - now % DAY
    leaf = x509.make_leaf(
        key.public,
        _common_name(name, ""),
        root_key,
        home.read_public(prefix + ROOT),
        san_dns=_dns_name(url),
        san_uri=url,
        organization_id=organization_id,
        serial=_serial(random),
        not_before=today,
        not_after=today + leaf_days * DAY,
    )
    home.write_secret(prefix + SIGNING_KEY, key.to_pem())
    home.write_public(prefix + SIGNING, leaf)


def load_certificate(home: Home, now: int, *, prefix: str = "") -> tuple[Es256Private, x509.VerifiedLeaf]:
    """The signing key and its leaf, verified as everybody else will, so that a bad home is found at the start.

    Raises `Rejected`: `no_home`, `open_secret`, `wrong_key`, `certificate_expired` and others of
    `x509.verify_chain`.
    """
    roots = [home.read_public(prefix + ROOT)]
    leaf = x509.verify_chain([home.read_public(prefix + SIGNING)], roots, now)
    key = Es256Private.from_pem(home.read_secret(prefix + SIGNING_KEY))
    if key.public != leaf.key:
        raise Rejected("wrong_key", f"{home.file(prefix + SIGNING_KEY)} is not the key of its certificate")
    return key, leaf


def _common_name(name: str, ending: str) -> str:
    """As much of the name as a certificate takes; the trust list has all of it."""
    room = _MAX_COMMON_NAME - len(ending)
    return name.encode("utf-8")[:room].decode("utf-8", errors="ignore") + ending


def _serial(random: Callable[[int], bytes]) -> int:
    """Positive and at most 20 octets (RFC 5280 4.1.2.2)."""
    return int.from_bytes(random(16), "big") | 1


def _dns_name(url: str) -> str | None:
    host = urlsplit(url).hostname or ""
    is_address = ":" in host or host.replace(".", "").isdigit()
    return None if is_address or not host else host
