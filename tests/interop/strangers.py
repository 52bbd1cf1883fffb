"""Parties that no registrar lists: a key, and a certificate for this machine under a root of their own."""

import json
import time
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import ECKey

from protocol import x509
from protocol.keys import Es256Private
from tests.protocol.builders import DAY, es256


@dataclass(frozen=True)
class Stranger:
    """`jwk` is private: it is for the peer who plays this party."""

    name: str
    key: Es256Private
    leaf: bytes
    root: bytes
    port: int | None

    @property
    def jwk(self) -> dict[str, Any]:
        imported = ECKey.import_key(self.key.to_pem())
        return json.loads(json.dumps(imported.as_dict(private=True)))  # type: ignore[no-any-return]

    @property
    def x5c(self) -> list[str]:
        return x509.x5c([self.leaf])

    @property
    def roots(self) -> list[str]:
        return x509.x5c([self.root])

    @property
    def identity(self) -> dict[str, Any]:
        """What the peer is started with."""
        return {"key": self.jwk, "x5c": self.x5c, **({} if self.port is None else {"port": self.port})}


def stranger(name: str, port: int | None = None, **names: str) -> Stranger:
    """In force since yesterday, for a month. It speaks for this host or, with `port`, for that address alone.

    `names`: further names of the leaf, as `make_leaf` has them.
    """
    now = int(time.time())
    root_key, key = es256(f"{name}/root"), es256(f"{name}/leaf")
    dates = {"not_before": now - DAY, "not_after": now + 30 * DAY}
    san = {"san_dns": "localhost"} if port is None else {"san_uri": f"http://localhost:{port}"}
    root = x509.make_root(root_key, f"{name} root", serial=1, **dates)
    leaf = x509.make_leaf(key.public, name, root_key, root, serial=2, **dates, **san, **names)
    return Stranger(name, key, leaf, root, port)
