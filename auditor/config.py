"""The auditor's home: which log, whom to trust, and the cosigner's keys where it cosigns."""

import os
from typing import Any

import msgspec

from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.keys import Ed25519Private
from protocol.log_keys import LogKeys
from protocol.log_keys import log_keys as keys_of_log
from protocol.note import NoteSigner
from protocol.policy import Policy, parse_policy
from protocol.seal import KEM_SEED_BYTES, KemPrivate
from protocol.trust_list import TrustedLog, TrustedWitness, TrustList
from service.epochs import Epochs
from service.home import Home
from service.keyring import Keyring
from service.operations import Contact
from service.staff import StaffConfig
from service.trust import TrustSource
from service.witness_keys import CosignerKeys

COSIGNER_KEY, RECEIPT_KEY, DEPOSIT_KEY = "cosigner-key", "receipt-key", "deposit-key"
EPOCHS = "epochs"
SEED_BYTES = 32


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`config.json`. `url` and `name` are set where this auditor cosigns; `console` and `staff` where several
    people sign in at the console, which is reached at that URL.
    """

    role: str
    trust_list: str
    registrar: dict[str, Any]
    log: str
    url: str | None = None
    name: str | None = None
    contact: Contact | None = None
    console: str | None = None
    staff: StaffConfig | None = None


def read_config(home: Home) -> Config:
    """The settings of this home. Raises `Rejected`: `no_home`, `wrong_role`."""
    config = home.config(Config)
    if config.role != "auditor":
        raise Rejected("wrong_role", "this home belongs to another role")
    return config


def trust_of(home: Home, config: Config) -> TrustSource:
    """Where this auditor reads the trust list."""
    return TrustSource(home, config.trust_list, config.registrar)


def log_keys(trust: TrustList, origin: str) -> tuple[TrustedLog, LogKeys, Policy]:
    """The log, its keys and its policy. Raises `Rejected`: `not_listed`, `bad_vkey`, `bad_policy`."""
    listed = trust.log(origin)
    return listed, keys_of_log(listed), parse_policy(listed.policy)


def make_cosigner(home: Home, url: str, name: str, now: int, *, shares: bool = False) -> TrustedWitness:
    """New keys for cosignatures and for receipts, and the entry for the registrar.

    `shares`: also a key for deposits and a first epoch, for an operator.
    """
    for key in (COSIGNER_KEY, RECEIPT_KEY):
        home.write_secret(key, os.urandom(SEED_BYTES))
    receipt_vkey = str(receipt_signer(home, name).key)
    deposit_key = None
    if shares:
        deposit_keys(home).create(os.urandom(KEM_SEED_BYTES))
        epochs_of(home).begin(os.urandom(SEED_BYTES), now)
        deposit_key = newest_deposit_key(home)
    entry = TrustedWitness(
        name=name, url=url, vkey="", auditing=True, receipt_vkey=receipt_vkey, deposit_key=deposit_key
    )
    return cosigner_keys(home, name).entry(entry)


def holds_shares(home: Home) -> bool:
    """Whether this cosigner was made with `--shares`."""
    return home.has(DEPOSIT_KEY)


def deposit_keys(home: Home) -> Keyring[KemPrivate]:
    """Open deposits: one key, or two while it rotates."""
    return Keyring(home, DEPOSIT_KEY, KemPrivate)


def newest_deposit_key(home: Home) -> str | None:
    """The key that wallets are to seal to from now on; None for a cosigner without shares."""
    keys = deposit_keys(home).all()
    return b64u_encode(keys[-1].public_bytes()) if keys else None


def epochs_of(home: Home) -> Epochs:
    """What wraps shares at rest: in a directory that no backup of the home takes along."""
    return Epochs(Home(home.path / EPOCHS))


def cosigner_keys(home: Home, name: str) -> CosignerKeys:
    """What cosigns: one key, or several while they rotate."""
    return CosignerKeys(home, name, COSIGNER_KEY)


def receipt_signer(home: Home, name: str) -> NoteSigner:
    """Signs receipts for revocations, with a key of its own: a receipt is no cosignature."""
    return NoteSigner(f"{name}/receipts", Ed25519Private(home.read_secret(RECEIPT_KEY)))
