"""The trust list as a role sees it: read, verified, never rolled back, cheap to ask for at every request.

source = TrustSource(home, location, registrar_jwk)     # location: a path or an https URL
trust = source.current(clock.now())                     # also has trust.anchors: the home's own `anchors.json`
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol.anchors import MAX_ANCHORS_BYTES, NO_ANCHORS, AnchoredTrust, Anchors, parse_anchors, with_anchors
from protocol.canonical import parse_struct
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.jws import parse_jws, verify_jws
from protocol.keys import Es256Public, parse_jwk
from protocol.trust_list import (
    MAX_TRUST_LIST_BYTES,
    TRUST_LIST_TYP,
    TrustList,
    check_successor,
    verify_trust_list,
)
from service.fetch import Fetcher
from service.home import Home
from service.journal import log_event

REFRESH_SECONDS = 60
"""How old a list from a URL may be before it is fetched again."""
LISTED_SECONDS = 2 * REFRESH_SECONDS
"""How long a list has been in force when everybody who can reach it has it."""
KEPT = "trust-list-kept.jwt"
"""The newest list this home has accepted: a later one must not roll it back; it also holds without a network."""


ANCHORS = "anchors.json"
"""Strangers whom this home trusts besides; may be absent, and may be edited while the role runs."""


@dataclass(frozen=True)
class _Loaded:
    trust: TrustList
    anchors: Anchors
    mark: object  # what the files looked like, to see that one changed
    view: AnchoredTrust


class TrustSource:
    """Thread-safe. A refused newer list leaves the accepted one in force until its `exp`, refused anchors the last
    good ones; a home that starts with bad anchors does not start."""

    def __init__(
        self, home: Home, location: str | Path, registrar_jwk: Mapping[str, Any], *, fetcher: Fetcher | None = None
    ) -> None:
        self.home = home
        self.location = str(location)
        self._anchors = str(home.file(ANCHORS))  # looked at with every request
        self.registrar = parse_jwk(registrar_jwk)
        self._is_url = self.location.startswith(("https://", "http://"))
        self._fetcher = (fetcher or Fetcher()) if self._is_url else None
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def current(self, now: int) -> AnchoredTrust:
        """The newest list of the location that verifies, is not expired and was never superseded here.

        Raises `Unavailable`: `trust_list` (missing, forged, expired, rolled back): no request can be judged then;
        `anchors`: the home's own file is not what it should be.
        """
        loaded = self._loaded
        mark = self._mark(now)
        if loaded is None or loaded.mark != mark or now >= loaded.trust.exp:
            with self._lock:
                loaded = self._loaded
                if loaded is None or loaded.mark != mark or now >= loaded.trust.exp:
                    loaded = self._loaded = self._refresh(loaded, mark, now)
        return loaded.view

    def _mark(self, now: int) -> object:
        """What changes when it is time to read again: the files' identities, or the minute."""
        listed = now // REFRESH_SECONDS if self._is_url else _identity(self.location)
        return listed, _identity(self._anchors)

    def _refresh(self, loaded: _Loaded | None, mark: object, now: int) -> _Loaded:
        trust = self._newest(loaded, now)
        anchors = self._read_anchors(loaded)
        if loaded is not None and loaded.trust == trust and loaded.anchors == anchors:
            return _Loaded(loaded.trust, anchors, mark, loaded.view)  # what was looked up in it stays
        return _Loaded(trust, anchors, mark, with_anchors(trust, anchors))

    def _newest(self, loaded: _Loaded | None, now: int) -> TrustList:
        try:
            return self._accept(self._read(), now)
        except RegieError as error:
            log_event("service", "trust_list_refused", code=error.code)
            kept = self._fallback(loaded, now)
            if kept is None:
                raise Unavailable("trust_list", f"no valid trust list: {error.detail or error.code}") from error
            return kept

    def _read_anchors(self, loaded: _Loaded | None) -> Anchors:
        try:
            with open(self._anchors, "rb") as stream:
                return parse_anchors(stream.read(MAX_ANCHORS_BYTES + 1))
        except FileNotFoundError:
            return NO_ANCHORS
        except (OSError, Rejected) as error:
            code, detail = (error.code, error.detail) if isinstance(error, Rejected) else ("io", "cannot be read")
            log_event("service", "anchors_refused", code=code)
            if loaded is not None:
                return loaded.anchors
            raise Unavailable("anchors", f"{self._anchors}: {detail}") from error

    def _fallback(self, loaded: _Loaded | None, now: int) -> TrustList | None:
        """What was accepted before and has not expired: by this process, or, of a URL, by an earlier one."""
        trust = loaded.trust if loaded else self._previous() if self._is_url else None
        return trust if trust is not None and now < trust.exp else None

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
        """Verify, compare with the newest list this home has accepted, and keep the newer one."""
        previous = self._previous()
        trust = verify_trust_list(token, self.registrar, now, previous.version if previous else 0)
        if previous is not None:
            check_successor(previous, trust)
        if previous is None or trust.version > previous.version:
            self.home.write_public(KEPT, token.encode("ascii"))
        return trust

    def _previous(self) -> TrustList | None:
        """The kept list whatever its dates; None without one, or when it is by another registrar."""
        if not self.home.has(KEPT):
            return None
        text = self.home.read_public(KEPT).decode("ascii", "replace")
        try:
            return read_own_trust_list(text, self.registrar)
        except Rejected:
            return None


def _identity(path: str | Path) -> object:
    """What a file looks like, to see that it changed; None for none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def read_own_trust_list(token: str, registrar: Es256Public) -> TrustList:
    """A list that was verified before and kept: signature and form again, **not** its dates. Raises `Rejected`."""
    payload = verify_jws(parse_jws(token, typ=TRUST_LIST_TYP, max_bytes=MAX_TRUST_LIST_BYTES), registrar)
    return parse_struct(payload, TrustList, max_bytes=MAX_TRUST_LIST_BYTES)
