"""What the registrar signs with beside the trust list: registration certificates, and attestations of wallets.

Each has a root of its own, listed in the trust list, and a leaf; neither can sign the trust list, whose key the
server never reads.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from protocol import x509
from protocol.keys import Es256Private
from service.certificates import ROOT, load_certificate, make_certificates, renew_leaf
from service.home import Home

REGISTRATION, WALLETS = "registration-", "wallets-"
"""Prefixes of the files."""
LEAF_DAYS = 825


@dataclass(frozen=True)
class Signer:
    """A key and its leaf, DER; the root travels in the trust list only."""

    key: Es256Private
    leaf: x509.VerifiedLeaf

    @property
    def x5c(self) -> list[str]:
        """As in a header."""
        return x509.x5c([self.leaf.der])


def make_roots(
    home: Home, *, name: str, url: str, now: int, random: Callable[[int], bytes] = secrets.token_bytes
) -> tuple[list[str], list[str]]:
    """(root of registration certificates, root of wallet attestations): drawn where they are missing.

    Each leaf is made anew, for this `url`. Raises `Rejected`: `no_home` when the key of a root is elsewhere.
    """
    made = []
    for prefix, part in ((REGISTRATION, "registrations"), (WALLETS, "wallets")):
        called = f"{name}, {part}"
        if home.has(prefix + ROOT):
            renew_leaf(home, name=called, url=url, leaf_days=LEAF_DAYS, now=now, random=random, prefix=prefix)
            made.append(x509.x5c([home.read_public(prefix + ROOT)]))
            continue
        roots = make_certificates(
            home, name=called, url=url, leaf_days=LEAF_DAYS, now=now, random=random, prefix=prefix
        )
        made.append(roots)
    return made[0], made[1]


def load_signer(home: Home, prefix: str, now: int) -> Signer:
    """What signs this part. Raises as `load_certificate`."""
    key, leaf = load_certificate(home, now, prefix=prefix)
    return Signer(key, leaf)
