"""An open wallet: home, vault, peers, trust list and clock in one value, and how to make and open it.

The vault holds its file for one program at a time. The errands take an `OpenWallet`; the rules never see one.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from protocol.anchors import AnchoredTrust
from protocol.canonical import b64u_encode
from protocol.errors import Rejected, Unavailable
from protocol.passphrase import PROFILES, Random
from service.clock import Clock, SystemClock
from service.fetch import Fetcher
from service.home import CONFIG, Home
from service.trust import TrustSource
from wallet.client import Peers
from wallet.config import VAULT, WalletConfig
from wallet.records import Activity, Copy, GrantRecord, KnownLog, Secrets
from wallet.records_mandate import MandateRecord
from wallet.revoke import auditing_cosigners
from wallet.seed import SEED_BYTES, STOP_CODES, grant_code, mandate_code
from wallet.vault import Vault, create_vault, open_vault

_SECRETS = "secrets"


@dataclass(frozen=True)
class Surroundings:
    """What is around a vault: home, peers, trust list, clock, randomness. Enough to revoke by paper code."""

    home: Home
    peers: Peers
    trust: TrustSource
    clock: Clock
    random: Random

    def now(self) -> int:
        """POSIX seconds."""
        return self.clock.now()

    def trust_list(self) -> AnchoredTrust:
        """The list in force, with the home's own anchors. Raises `Unavailable`: `trust_list`, `anchors`."""
        return self.trust.current(self.now())


@dataclass(frozen=True)
class OpenWallet(Surroundings):
    """A wallet whose passphrase was given."""

    vault: Vault

    def secrets(self) -> Secrets:
        """Seed and counters."""
        found = self.vault.get("secrets", _SECRETS, Secrets)
        if found is None:
            raise Rejected("vault_damaged", "the wallet has lost its secret; restore a backup", status=409)
        return found

    def keep_secrets(self, value: Secrets) -> None:
        """Inside a transaction."""
        self.vault.put("secrets", _SECRETS, value)

    def copies(self) -> dict[str, Copy]:
        """All copies of credentials by record name."""
        return self.vault.all("copies", Copy)

    def grants(self) -> dict[str, GrantRecord]:
        """All grants by id, oldest first."""
        found = self.vault.all("grants", GrantRecord)
        return {name: found[name] for name in sorted(found, key=int)}

    def new_grant_id(self) -> str:
        """The next number that a resident calls a grant by. Codes are counted apart: the log may know some."""
        return str(max(map(int, self.vault.all("grants", GrantRecord)), default=0) + 1)

    def grant(self, grant_id: str) -> GrantRecord:
        """Raises `Rejected`: `unknown_grant`."""
        found = self.vault.get("grants", grant_id, GrantRecord)
        if found is None:
            raise Rejected(
                "unknown_grant", "no grant has this number; `regie wallet grants` lists them", status=404
            )
        return found

    def mandates(self) -> dict[str, MandateRecord]:
        """All mandates by hash (b64u), oldest first."""
        found = self.vault.all("mandates", MandateRecord)
        return {name: found[name] for name in sorted(found, key=lambda name: found[name].number)}

    def mandate(self, name: str) -> tuple[str, MandateRecord]:
        """A mandate by its number or its hash: hash and record. Raises `Rejected`: `unknown_mandate`."""
        for key, record in self.mandates().items():
            if name in (key, str(record.number)):
                return key, record
        raise Rejected(
            "unknown_mandate", "no mandate has this number; `regie wallet mandates` lists them", status=404
        )

    def keep_mandate(self, name: str, record: MandateRecord) -> None:
        """Durably, by its hash; joins a transaction that is open."""
        with self.vault.transaction():
            self.vault.put("mandates", name, record)

    def activities(self) -> list[Activity]:
        """What no log knows, in the order in which it was done."""
        return sorted(self.vault.all("activities", Activity).values(), key=lambda each: (each.time, each.number))

    def update_grant(self, grant_id: str, **changes: object) -> GrantRecord:
        """Change members of a grant, durably, and return it."""
        with self.vault.transaction():
            record = replace(self.grant(grant_id), **changes)
            self.vault.put("grants", grant_id, record)
        return record

    def code(self, record: GrantRecord) -> bytes:
        """The code of a grant, 16 bytes: of this wallet, or of the mandate that it was given under."""
        if record.mandate is not None:
            return mandate_code(self.mandate(record.mandate)[1], record.code_number)
        return grant_code(self.secrets(), record.code_number)

    def known_log(self, origin: str) -> KnownLog:
        """The log as listed now or, while no trust list can be had, as it was last. Raises `Unavailable`."""
        kept = self.vault.get("logs", origin, KnownLog)
        try:
            trust = self.trust_list()
            entry, cosigners = trust.log(origin), auditing_cosigners(trust)
        except (Unavailable, Rejected):
            if kept is None:
                raise
            return kept
        return replace(kept or KnownLog(entry, cosigners), log=entry, cosigners=cosigners)

    @property
    def must_search(self) -> bool:
        """Whether this wallet was restored and has yet to search a log for what was given since the backup."""
        logs = self.vault.all("logs", KnownLog).values()
        return self.secrets().restored or any(known.scan_from is not None for known in logs)

    def check_searched(self) -> None:
        """Before anything is given: a copy that another agency has since the backup would link the resident there
        and here. Raises `Rejected`: `sync_first`.
        """
        if self.must_search:
            raise Rejected(
                "sync_first",
                "this wallet was restored and does not know yet what you gave since the backup; run "
                "`regie wallet sync` first",
                status=409,
            )

    def keep_log(self, known: KnownLog) -> None:
        """Durably; joins a transaction that is open."""
        with self.vault.transaction():
            self.vault.put("logs", known.log.origin, known)


def surroundings(home: Home, *, fetcher: Fetcher | None = None, clock: Clock | None = None) -> Surroundings:
    """What `config.json` of the home names. Raises `Rejected`: `no_home`."""
    config = home.config(WalletConfig)
    fetcher = fetcher or Fetcher()
    trust = TrustSource(home, config.trust_list, config.registrar, fetcher=fetcher)
    return Surroundings(home, Peers(fetcher), trust, clock or SystemClock(), secrets.token_bytes)


def make_vault(home: Home, passphrase: bytes, profile: str) -> Vault:
    """A new vault or, where a crash or a lost `config.json` left one, that one: it must open with the passphrase.

    Raises `Rejected`: `exists`, `weak_passphrase`, `wrong_passphrase`.
    """
    home.create()
    if home.has(CONFIG):
        raise Rejected("exists", "there is a wallet here already; nothing was changed", status=409)
    path = home.file(VAULT)
    if path.exists() and path.stat().st_size:
        return open_vault(path, passphrase, secrets.token_bytes)
    return create_vault(path, passphrase, PROFILES[profile], secrets.token_bytes)


def create_wallet(home: Home, config: WalletConfig, passphrase: bytes, profile: str) -> None:
    """A home with an empty wallet. Raises `Rejected`: those of `make_vault`."""
    vault = make_vault(home, passphrase, profile)
    try:
        if vault.get("secrets", _SECRETS, Secrets) is None:
            with vault.transaction():
                seed = b64u_encode(secrets.token_bytes(SEED_BYTES))
                vault.put("secrets", _SECRETS, Secrets(seed, codes=STOP_CODES))
        home.write_config(config)  # last: a home without it counts as not initialised
    finally:
        vault.close()


@contextmanager
def open_wallet(around: Surroundings, passphrase: bytes, *, accept_older: bool = False) -> Iterator[OpenWallet]:
    """The wallet of the home, closed at the end of the block. Raises as `open_vault` does."""
    vault = open_vault(around.home.file(VAULT), passphrase, around.random, accept_older=accept_older)
    try:
        yield wallet_of(around, vault)
    finally:
        vault.close()


def wallet_of(around: Surroundings, vault: Vault) -> OpenWallet:
    """For who holds the vault open longer than a command does, and closes it."""
    return OpenWallet(around.home, around.peers, around.trust, around.clock, around.random, vault)
