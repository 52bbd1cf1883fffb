"""A resident with a wallet among neighbours in memory."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from protocol.trust_list import sign_trust_list
from service.home import Home
from tests.protocol import builders
from tests.wallet.neighbours import TX_CODE, Neighbours
from wallet import errand_revoke
from wallet.config import WalletConfig
from wallet.errand_receive import receive
from wallet.opened import OpenWallet, create_wallet, open_wallet, surroundings

PASSPHRASE = b"vier gele fietsen"


class Resident:
    """A home with a wallet. `open()` opens it anew each time, as each command does."""

    def __init__(self, folder: Path, neighbours: Neighbours) -> None:
        self.folder, self.neighbours = folder, neighbours
        self.home = Home(folder / "wallet")
        self.trust_path = folder / "trust-list.jwt"
        self.write_trust()
        self.config = WalletConfig("wallet", str(self.trust_path), builders.REGISTRAR.public.jwk())

    def write_trust(self, **changes: Any) -> None:
        self.neighbours.trust_changes |= changes
        self.trust_path.write_text(sign_trust_list(self.neighbours.trust(), builders.REGISTRAR))

    def create(self) -> None:
        create_wallet(self.home, self.config, PASSPHRASE, "small")

    def open(self, **options: Any) -> AbstractContextManager[OpenWallet]:
        around = surroundings(self.home, fetcher=self.neighbours, clock=self.neighbours.clock)
        return open_wallet(around, PASSPHRASE, **options)

    def copy_of(self, template: Path) -> "Resident":
        """With the cards of a wallet that was filled before: issuing is tested elsewhere, and takes its time."""
        shutil.copytree(template / "wallet", self.home.path)
        self.home.write_config(self.config)
        return self

    def receive(self, *names: str) -> None:
        with self.open() as wallet:
            receive(wallet, self.neighbours.issuer.link(*names), TX_CODE)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for witnesses here."""
    monkeypatch.setattr(errand_revoke, "CONFIRM_PAUSE", 0)
    monkeypatch.setattr(errand_revoke, "CONFIRM_TRIES", 2)


@pytest.fixture
def neighbours() -> Neighbours:
    return Neighbours()


@pytest.fixture
def resident(tmp_path: Path, neighbours: Neighbours) -> Resident:
    """With an empty wallet."""
    made = Resident(tmp_path, neighbours)
    made.create()
    return made


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wallet that holds cards: four copies each of persoon, adres and gezin."""
    folder = tmp_path_factory.mktemp("template")
    made = Resident(folder, Neighbours())
    made.create()
    made.receive()
    return folder


@pytest.fixture
def holder(tmp_path: Path, neighbours: Neighbours, template: Path) -> Resident:
    """With cards: four copies each of persoon, adres and gezin."""
    return Resident(tmp_path, neighbours).copy_of(template)


@pytest.fixture
def wallet(holder: Resident) -> Iterator[OpenWallet]:
    """The open wallet of a holder."""
    with holder.open() as opened:
        yield opened
