"""A wallet with cards of a listed issuer and of a stranger, put there as if they had been received.

Receiving is tested elsewhere; what a holder does with cards of any issuer is tested with these.
"""

import json
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from protocol.canonical import b64u_encode, sha256
from protocol.formats import credential_format
from protocol.status_list import StatusReference
from protocol.trust_list import sign_trust_list
from service.fetch import Fetcher
from service.home import Home
from tests.protocol import builders as b
from tests.protocol import strangers
from tests.protocol.builders import ADRES, DAY, ISSUER_ID, NOW, PERSOON
from wallet.config import WalletConfig
from wallet.opened import OpenWallet, create_wallet, open_wallet, surroundings
from wallet.records import Copy
from wallet.seed import holder_key

PASSPHRASE = b"vier gele fietsen"
COPIES = 3
"""Of each card."""


class FrozenClock:
    """What time it is in the tests' world."""

    def __init__(self, time: int = NOW) -> None:
        self.time = time

    def now(self) -> int:
        """POSIX seconds."""
        return self.time


class Holder:
    """A home with a wallet, its trust list and its anchors. `open()` opens it anew, as each command does."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "wallet")
        self.trust_path = folder / "trust-list.jwt"
        self.trust_path.write_text(sign_trust_list(b.trust_list(), b.REGISTRAR))
        self.config = WalletConfig("wallet", str(self.trust_path), b.REGISTRAR.public.jwk())
        self.clock = FrozenClock()
        self.fetcher = Fetcher(loopback=True)

    def create(self) -> None:
        """An empty wallet."""
        create_wallet(self.home, self.config, PASSPHRASE, "small")

    def copy_of(self, template: Path) -> "Holder":
        """With the cards of a wallet that was filled before."""
        shutil.copytree(template / "wallet", self.home.path)
        self.home.write_config(self.config)
        return self

    def trust_strangers(self, *verifiers: b.Party, **changes: Any) -> None:
        """Write `anchors.json`."""
        roots = [{"name": "strangers", "roots": party.roots} for party in verifiers]
        anchors = strangers.anchors(**changes)
        plain = {**msgspec.to_builtins(anchors), "verifiers": roots}
        self.home.file("anchors.json").write_text(json.dumps(plain))

    def open(self, **options: Any) -> AbstractContextManager[OpenWallet]:
        """The open wallet."""
        around = surroundings(self.home, fetcher=self.fetcher, clock=self.clock)
        return open_wallet(around, PASSPHRASE, **options)


def fill(holder: Holder) -> None:
    """COPIES of persoon and adres in common sets, and as many of one diploma."""
    with holder.open() as wallet, wallet.vault.transaction():
        for vct, configuration in ((PERSOON, "persoon"), (ADRES, "adres")):
            batch = b64u_encode(sha256(configuration.encode())[:16])
            for number in range(COPIES):
                key = holder_key(wallet.secrets(), batch, number).public
                text = b.credential(
                    vct,
                    holder=key,
                    set_id=b.set_id(f"set {number}"),
                    status=StatusReference(idx=1000 * number + len(configuration), uri=b.STATUS_URI),
                    random=b.random_of(f"{vct} {number}"),
                )
                put(wallet, text, configuration, batch, number, ISSUER_ID, set_id=b.set_id(f"set {number}"))
        put_diplomas(wallet, "1")


def put_diplomas(wallet: OpenWallet, seed: str, received: int = NOW - DAY, **changes: Any) -> None:
    """COPIES of one diploma, inside a transaction."""
    batch = b64u_encode(sha256(f"diploma {seed}".encode())[:16])
    for number in range(COPIES):
        key = holder_key(wallet.secrets(), batch, number).public
        text = strangers.diploma(key, seed=f"{seed} {number}", **changes)
        put(wallet, text, "diploma", batch, number, strangers.UNIVERSITY_ID, received=received, title="Diploma")


def put(
    wallet: OpenWallet, text: str, configuration: str, batch: str, number: int, issuer: str, **changes: Any
) -> None:
    """One copy, inside a transaction."""
    members: dict[str, Any] = {
        "issuer": issuer,
        "configuration": configuration,
        "vct": credential_format("dc+sd-jwt").read_card(text).vct,
        "set_id": "",
        "batch": batch,
        "number": number,
        "credential": text,
        "iat": NOW - DAY,
        "exp": NOW + 300 * DAY,
        "received": NOW - DAY,
    }
    wallet.vault.put("copies", f"{batch}.{number}", Copy(**{**members, **changes}))
