"""The trust list as a role sees it: read, verified, never rolled back, cheap to ask for at every request.

source = TrustSource(home, location, registrar_jwk)     # location: a path or an https URL
trust = source.current(clock.now())
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from protocol.canonical import b64u_encode, parse_struct, sha256
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.keys import parse_jwk
from protocol.trust_list import TrustList, verify_trust_list
from service.fetch import Fetcher
from service.home import Home

REFRESH_SECONDS = 60
"""How old a list from a URL may be before it is fetched again."""
MAX_TRUST_LIST_BYTES = 16 * 1024 * 1024
"""A country's agencies with their services; read seldom."""
SEEN = "trust-list-seen.json"
KEPT = "trust-list-kept.jwt"
"""The newest list fetched from a URL, so that a wallet without a network still knows whom it trusted."""


class Seen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The highest version this home has accepted, and b64u SHA-256 of its text."""

    version: int
    digest: str


@dataclass(frozen=True)
class _Loaded:
    trust: TrustList
    mark: object  # what the file looked like, to see that it changed
    read_at: int


class TrustSource:
    """Thread-safe. A refused newer list leaves the accepted one in force until its `exp`."""

    def __init__(
        self, home: Home, location: str | Path, registrar_jwk: Mapping[str, Any], *, fetcher: Fetcher | None = None
    ) -> None:
        self.home = home
        self.location = str(location)
        self.registrar = parse_jwk(registrar_jwk)
        self._is_url = self.location.startswith(("https://", "http://"))
        self._fetcher = fetcher or (Fetcher() if self._is_url else None)
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def current(self, now: int) -> TrustList:
        """The newest list of the location that verifies, is not expired and was never superseded here.

        Raises `Unavailable`: `trust_list` (missing, forged, expired, rolled back): no request can be judged then.
        """
        loaded = self._loaded
        mark = self._mark(now)
        if loaded is None or loaded.mark != mark or now >= loaded.trust.exp:
            with self._lock:
                loaded = self._loaded
                if loaded is None or loaded.mark != mark or now >= loaded.trust.exp:
                    loaded = self._loaded = self._refresh(loaded, mark, now)
        return loaded.trust

    def _mark(self, now: int) -> object:
        """What changes when it is time to read again: the file's identity, or the minute."""
        if self._is_url:
            return now // REFRESH_SECONDS
        try:
            found = os.stat(self.location)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _refresh(self, loaded: _Loaded | None, mark: object, now: int) -> _Loaded:
        try:
            return _Loaded(self._accept(self._read(), now), mark, now)
        except RegieError as error:
            kept = self._kept(loaded, now)
            if kept is None:
                raise Unavailable("trust_list", f"no valid trust list: {error.detail or error.code}") from error
            return _Loaded(kept, mark, now)

    def _kept(self, loaded: _Loaded | None, now: int) -> TrustList | None:
        """What was accepted before and has not expired: of this process, or fetched by an earlier one."""
        if loaded is not None:
            return loaded.trust if now < loaded.trust.exp else None
        if not self._is_url or not self.home.has(KEPT):
            return None
        try:
            return self._accept(self.home.read_public(KEPT).decode("ascii"), now)
        except (RegieError, UnicodeDecodeError):
            return None

    def _read(self) -> str:
        if self._fetcher is not None:
            answer = self._fetcher.get(self.location, accept=None, max_bytes=MAX_TRUST_LIST_BYTES)
            data = answer.body
        else:
            try:
                data = Path(self.location).read_bytes()
            except OSError as error:
                raise Unavailable("io", f"{self.location} cannot be read") from error
        try:
            return data.decode("ascii").strip()
        except UnicodeDecodeError as error:
            raise Rejected("bad_jws", "trust list is not a compact JWS") from error

    def _accept(self, token: str, now: int) -> TrustList:
        """Verify; then compare with, and raise, the highest version this home has seen.

        A list of the same version with other content is as bad as an older one: the registrar's key signed twice.
        """
        seen = self._seen()
        digest = b64u_encode(sha256(token.encode("ascii")))
        trust = verify_trust_list(token, self.registrar, now, minimum_version=seen.version)
        if trust.version == seen.version and seen.digest and seen.digest != digest:
            raise Rejected("trust_list_fork", "two trust lists carry the same version")
        if trust.version > seen.version:
            if self._is_url:
                self.home.write_public(KEPT, token.encode("ascii"))
            self.home.write_json(SEEN, Seen(trust.version, digest))
        return trust

    def _seen(self) -> Seen:
        if not self.home.has(SEEN):
            return Seen(0, "")
        return parse_struct(self.home.read_public(SEEN), Seen)
