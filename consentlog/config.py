"""The home of a log, and that of a witness: configuration, keys, and the entries for the registrar."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from consentlog.keys import DEPOSIT_KEY, ENTRY, LOG_KEY, PQ_KEY, RECEIPT_KEY, STATUS, LogKeyring
from consentlog.lock import GlobalLock
from protocol.errors import Rejected
from protocol.seal import KEM_SEED_BYTES
from protocol.trust_list import TrustedLog, TrustedWitness
from service.certificates import make_certificates
from service.database import engine_for, sqlite_url
from service.epochs import Epochs
from service.home import Home
from service.operations import Contact
from service.witness_keys import CosignerKeys

LOG_ROLE = "log"
WITNESS_ROLE = "witness"
SEED_BYTES = 32
TOKEN_BYTES = 32
WITNESS_KEY = "witness-key"
AUDITOR_TOKEN = "auditor-token"  # noqa: S105 - the name of a file
EPOCHS = "epochs"
STATUS_DAYS = 1825
"""The certificate under which Token Status Lists are signed."""


class LogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`config.json` of a log. `database` and `lock`: database URLs, SQLite files in the home unless given.

    Keep the lock on another disk than the database where that can be: it must survive a restored backup.
    """

    role: str
    origin: str
    url: str
    trust_list: str
    registrar: dict[str, Any]
    database: str | None = None
    lock: str | None = None
    contact: Contact | None = None

    def database_url(self, home: Home) -> str:
        """Where the log's rows are; DATABASE_URL comes before the default."""
        return self.database or os.environ.get("DATABASE_URL") or sqlite_url(home.file("log.db"))

    def lock_url(self, home: Home) -> str:
        """Where the global lock is."""
        return self.lock or sqlite_url(home.file("lock.db"))


class WitnessConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`config.json` of a witness."""

    role: str
    name: str
    url: str
    trust_list: str
    registrar: dict[str, Any]
    database: str | None = None
    contact: Contact | None = None

    def database_url(self, home: Home) -> str:
        """Where the witness keeps the trees that it has cosigned."""
        return self.database or sqlite_url(home.file("witness.db"))


def log_config(home: Home) -> LogConfig:
    """The settings of this home. Raises `Rejected`: `no_home`, `wrong_role`."""
    found = home.config(LogConfig)
    _check_role(found.role, LOG_ROLE)
    return found


def witness_config(home: Home) -> WitnessConfig:
    """The settings of this home. Raises `Rejected`: `no_home`, `wrong_role`."""
    found = home.config(WitnessConfig)
    _check_role(found.role, WITNESS_ROLE)
    return found


def _check_role(found: str, role: str) -> None:
    if found != role:
        raise Rejected("wrong_role", "this home belongs to another role")


def log_keyring(home: Home, origin: str) -> LogKeyring:
    """The log's private keys."""
    return LogKeyring(home, origin)


def witness_keys(home: Home, name: str) -> CosignerKeys:
    """What cosigns."""
    return CosignerKeys(home, name, WITNESS_KEY)


def _claim(home: Home) -> None:
    home.create()
    if home.has("config.json"):
        raise Rejected("home_exists", "this home was initialised before")


def make_log(
    home: Home,
    *,
    url: str,
    origin: str,
    trust_list: str,
    registrar: Mapping[str, Any],
    random: Callable[[int], bytes],
    now: int,
) -> TrustedLog:
    """A new log: keys, first epoch, global lock of the empty tree; the configuration last, so that a home that was
    left half made is made again. Raises `Rejected`: `home_exists`.
    """
    _claim(home)
    for key in (LOG_KEY, PQ_KEY, RECEIPT_KEY):
        home.write_secret(key, random(SEED_BYTES))
    home.write_secret(DEPOSIT_KEY, random(KEM_SEED_BYTES))
    home.write_secret(AUDITOR_TOKEN, random(TOKEN_BYTES))
    Epochs(Home(home.path / EPOCHS)).begin(random(32), now)
    config = LogConfig(LOG_ROLE, origin, url, trust_list, dict(registrar))
    lock = GlobalLock(engine_for(config.lock_url(home)), origin)
    lock.create(now)
    status = Home(home.path / STATUS).create()
    roots = make_certificates(status, name=origin, url=url, leaf_days=STATUS_DAYS, now=now, random=random)
    entry = TrustedLog(origin=origin, url=url, vkey="", receipt_vkey="", deposit_key="", status_roots=roots)
    entry = log_keyring(home, origin).entry(entry)
    home.write_json(ENTRY, entry)
    home.write_config(config)
    return entry


def make_witness(
    home: Home,
    *,
    url: str,
    name: str,
    trust_list: str,
    registrar: Mapping[str, Any],
    random: Callable[[int], bytes],
    post_quantum: bool = False,
) -> TrustedWitness:
    """A new witness, and its entry; with a second key that cosigns by ML-DSA-44 when `post_quantum`.

    Raises `Rejected`: `home_exists`.
    """
    _claim(home)
    keys = witness_keys(home, name)
    home.write_secret(WITNESS_KEY, random(SEED_BYTES))
    if post_quantum:
        home.write_secret(keys.post_quantum_name, random(SEED_BYTES))
    entry = keys.entry(TrustedWitness(name=name, url=url, vkey="", auditing=False))
    home.write_json(ENTRY, entry)
    home.write_config(WitnessConfig(WITNESS_ROLE, name, url, trust_list, dict(registrar)))
    return entry
