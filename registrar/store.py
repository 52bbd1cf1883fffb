"""The registrar's home: its key, the draft, the list it signed last, and the registration certificates it issued.

The draft's version rises durably before a list is written: a crash between the two skips a number, and never signs
one number twice. The certificates are written before the list too: what the list names no more is revoked first.
"""

import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from protocol.canonical import canonical_bytes, parse_struct
from protocol.errors import Rejected
from protocol.keys import Es256Private
from protocol.registration_certificate import Registrar, sign_registration_certificate
from protocol.status_list import StatusReference
from protocol.trust_list import (
    Agency,
    Service,
    TrustList,
    WalletProvider,
    check_successor,
    sign_trust_list,
    verify_trust_list,
)
from registrar.certify import Book, certify
from registrar.config import RegistrarConfig
from registrar.draft import Draft
from registrar.providers import add_registration_root, add_wallet_provider
from registrar.register import next_list
from registrar.signing import REGISTRATION, load_signer, make_roots
from service.home import MAX_FILE_BYTES, Home
from service.trust import read_own_trust_list

KEY = "registrar-key.pem"
JWK = "registrar.jwk.json"
DRAFT = "draft.json"
TRUST_LIST = "trust-list.jwt"
BOOK = "registrations.json"
MAX_BOOK_BYTES = MAX_FILE_BYTES
"""About 6,000 certificates of 2.5 KiB; those that have expired go."""
WAIT_SECONDS = 10
"""For another command on the same home to finish."""


def read_book(home: Home) -> Book:
    """All registration certificates that were issued from a home: public, so its server reads it too."""
    if not home.has(BOOK):
        return Book()
    return parse_struct(home.read_public(BOOK), Book, max_bytes=MAX_BOOK_BYTES)


class RegistrarStore:
    """What `regie registrar` keeps in `home`."""

    def __init__(self, home: Home) -> None:
        self.home = home

    @property
    def jwk_path(self) -> Path:
        """The public key that every role pins."""
        return self.home.file(JWK)

    @property
    def trust_list_path(self) -> Path:
        """The signed list; exists after the first `sign`."""
        return self.home.file(TRUST_LIST)

    def create(self, draft: Draft) -> None:
        """A new key and an empty draft. Raises `Rejected`: `already_there` rather than replace a key."""
        self.home.create()
        with self.home.lock(wait_seconds=WAIT_SECONDS):
            if self.home.has(KEY) or self.home.has(DRAFT):
                raise Rejected("already_there", f"{self.home.path} is a registrar's home already")
            key = Es256Private.from_secret(secrets.token_bytes(48))
            self.home.write_secret(KEY, key.to_pem())
            self.home.write_json(JWK, key.public.jwk())
            self.home.write_config(RegistrarConfig(role="registrar", name=draft.name))
            self._write_draft(draft)

    def config(self) -> RegistrarConfig:
        """Raises `Rejected`: `no_home`, `bad_config`."""
        return self.home.config(RegistrarConfig)

    def publish_at(self, url: str, now: int) -> RegistrarConfig:
        """Serve at `url` from now on: what signs certificates and attestations is drawn and goes into the draft.

        Raises `Rejected`: those of `add_registration_root` and `add_wallet_provider`.
        """
        with self.home.lock(wait_seconds=WAIT_SECONDS):
            config = msgspec.structs.replace(self.config(), url=url)
            registration, wallets = make_roots(self.home, name=config.name, url=url, now=now)
            draft = self.draft()
            for root in registration:
                draft = add_registration_root(draft, root, now)
            others = [entry for entry in draft.wallet_providers if entry.roots != wallets]
            draft = msgspec.structs.replace(draft, wallet_providers=others)
            provider = WalletProvider(id=url, name=config.name, roots=wallets)
            self._write_draft(add_wallet_provider(draft, provider, now))
            self.home.write_config(config)
        return config

    def draft(self) -> Draft:
        """Raises `Rejected`: `no_home`."""
        return parse_struct(self.home.read(DRAFT), Draft, max_bytes=MAX_FILE_BYTES)

    def change(self, rule: Callable[[Draft], Draft]) -> Draft:
        """Store what `rule` makes of the draft, alone among changes; a refusal leaves it as it was."""
        with self.home.lock(wait_seconds=WAIT_SECONDS):
            draft = rule(self.draft())
            self._write_draft(draft)
        return draft

    def sign(self, now: int, days: int) -> TrustList:
        """Sign the draft as the next version and put it in place of the last list, atomically.

        Raises `Rejected` for a list that no reader would accept, before anything is written.
        """
        with self.home.lock(wait_seconds=WAIT_SECONDS):
            draft = self.draft()
            published = self.published()
            version = max(draft.version, published.version if published else 0) + 1
            trust = next_list(draft, version=version, now=now, days=days, before=published)
            key = self._key()
            token = sign_trust_list(trust, key)
            verify_trust_list(token, key.public, now)
            if published is not None:
                check_successor(published, trust)
            self._write_draft(msgspec.structs.replace(draft, version=version))
            if self.config().url is not None:
                self.home.write_public(BOOK, canonical_bytes(self._certified(trust, now)))
            self.home.write_public(TRUST_LIST, token.encode("ascii"))
        return trust

    def published(self) -> TrustList | None:
        """The list signed last, whatever its dates; None before the first."""
        if not self.home.has(TRUST_LIST):
            return None
        token = self.home.read_public(TRUST_LIST).decode("ascii")
        return read_own_trust_list(token, self._key().public)

    def book(self) -> Book:
        """All registration certificates that were issued."""
        return read_book(self.home)

    def _certified(self, trust: TrustList, now: int) -> Book:
        config, signer = self.config(), load_signer(self.home, REGISTRATION, now)
        registrar = Registrar(config.registry_uri, config.certificate_policy, config.country, config.authority)

        def sign(agency: Agency, service: Service, position: int, exp: int) -> str:
            return sign_registration_certificate(
                agency,
                service,
                registrar,
                iat=now,
                exp=exp,
                status=StatusReference(idx=position, uri=config.status_uri),
                signer=signer.key,
                x5c=signer.x5c,
            )

        return certify(
            self.book(), trust, now=now, until=signer.leaf.not_after, sign=sign, place=config.status_uri
        )

    def _key(self) -> Es256Private:
        return Es256Private.from_pem(self.home.read_secret(KEY))

    def _write_draft(self, draft: Draft) -> None:
        self.home.write_public(DRAFT, canonical_bytes(draft))
