"""Parties that no registrar lists: a key, and a certificate for `localhost` under a root of their own."""

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


def stranger(name: str, host: str = "localhost", **names: str) -> Stranger:
    """In force since yesterday, for a month. `names`: further names of the leaf, as `make_leaf` has them."""
    now = int(time.time())
    root_key, key = es256(f"{name}/root"), es256(f"{name}/leaf")
    dates = {"not_before": now - DAY, "not_after": now + 30 * DAY}
    root = x509.make_root(root_key, f"{name} root", serial=1, **dates)
    leaf = x509.make_leaf(key.public, name, root_key, root, san_dns=host, serial=2, **dates, **names)
    return Stranger(name, key, leaf, root)
