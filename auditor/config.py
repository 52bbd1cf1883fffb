"""The auditor's home: which log, whom to trust, and the cosigner's keys where it cosigns."""

import os
from typing import Any

import msgspec

from protocol.errors import Rejected
from protocol.keys import Ed25519Private
from protocol.note import NoteSigner, SignatureType, VerifierKey, parse_vkey
from protocol.policy import Policy, parse_policy
from protocol.trust_list import TrustedLog, TrustedWitness, TrustList
from service.home import Home
from service.trust import TrustSource

COSIGNER_KEY = "cosigner-key"
SEED_BYTES = 32


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`config.json`. `url` and `name` are set where this auditor cosigns."""

    role: str
    trust_list: str
    registrar: dict[str, Any]
    log: str
    url: str | None = None
    name: str | None = None


def read_config(home: Home) -> Config:
    """The settings of this home. Raises `Rejected`: `no_home`, `wrong_role`."""
    config = home.config(Config)
    if config.role != "auditor":
        raise Rejected("wrong_role", "this home belongs to another role")
    return config


def trust_of(home: Home, config: Config) -> TrustSource:
    """Where this auditor reads the trust list."""
    return TrustSource(home, config.trust_list, config.registrar)


def log_keys(trust: TrustList, origin: str) -> tuple[TrustedLog, VerifierKey, Policy]:
    """The log, its key and its policy. Raises `Rejected`: `not_listed`, `bad_vkey`, `bad_policy`."""
    listed = trust.log(origin)
    return listed, parse_vkey(listed.vkey), parse_policy(listed.policy)


def make_cosigner(home: Home, url: str, name: str) -> TrustedWitness:
    """A new cosigning key, and the entry for the registrar."""
    home.write_secret(COSIGNER_KEY, os.urandom(SEED_BYTES))
    return TrustedWitness(name=name, url=url, vkey=str(cosigner_signer(home, name).key), auditing=True)


def cosigner_signer(home: Home, name: str) -> NoteSigner:
    """Signs cosignatures. Raises `Rejected`: `no_home`."""
    return NoteSigner(name, Ed25519Private(home.read_secret(COSIGNER_KEY)), SignatureType.COSIGNATURE)
