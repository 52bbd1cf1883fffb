"""The registrar's home: its key, the draft, and the list it signed last.

The draft's version rises durably before a list is written: a crash between the two skips a number, and never signs
one number twice.
"""

import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from protocol.canonical import canonical_bytes, parse_struct
from protocol.errors import Rejected
from protocol.keys import Es256Private
from protocol.trust_list import TrustList, check_successor, sign_trust_list, verify_trust_list
from registrar.register import Draft, next_list
from service.home import MAX_FILE_BYTES, Home
from service.trust import read_own_trust_list

KEY = "registrar-key.pem"
JWK = "registrar.jwk.json"
DRAFT = "draft.json"
TRUST_LIST = "trust-list.jwt"
WAIT_SECONDS = 10
"""For another command on the same home to finish."""


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
            self.home.write_json("config.json", {"role": "registrar", "name": draft.name})
            self._write_draft(draft)

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
            self.home.write_public(TRUST_LIST, token.encode("ascii"))
        return trust

    def published(self) -> TrustList | None:
        """The list signed last, whatever its dates; None before the first."""
        if not self.home.has(TRUST_LIST):
            return None
        token = self.home.read_public(TRUST_LIST).decode("ascii")
        return read_own_trust_list(token, self._key().public)

    def _key(self) -> Es256Private:
        return Es256Private.from_pem(self.home.read_secret(KEY))

    def _write_draft(self, draft: Draft) -> None:
        self.home.write_public(DRAFT, canonical_bytes(draft))
