"""What the server of a registrar has to tell: the signed list and the certificates, read when they change."""

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from protocol.canonical import parse_object
from protocol.errors import Rejected, Unavailable
from protocol.keys import parse_jwk
from protocol.trust_list import MAX_TRUST_LIST_BYTES, TrustList
from registrar.certify import Book
from registrar.config import RegistrarConfig
from registrar.signing import REGISTRATION, WALLETS, Signer, load_signer
from registrar.store import BOOK, JWK, TRUST_LIST, read_book
from registrar.wrp import Register, register_of
from service.home import Home
from service.trust import read_own_trust_list

T = TypeVar("T")


class _Kept(Generic[T]):
    """A value made of files, made again when one of them is another. Thread-safe."""

    def __init__(self, home: Home, names: tuple[str, ...], make: Callable[[], T]) -> None:
        self._home, self._names, self._make = home, names, make
        self._lock = threading.Lock()
        self._kept: tuple[object, T] | None = None

    def get(self) -> T:
        """Raises what `make` raises."""
        marks = tuple(_mark(self._home, name) for name in self._names)
        kept = self._kept
        if kept is not None and kept[0] == marks:
            return kept[1]
        with self._lock:
            self._kept = kept = (marks, self._make())
        return kept[1]


def _mark(home: Home, name: str) -> object:
    try:
        found = os.stat(home.file(name))
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Published:
    """Reads a registrar's home, but neither its signing key nor its draft: both may be on another machine."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.config = home.config(RegistrarConfig)
        if self.config.url is None:
            raise Rejected("not_published", "this registrar serves nothing: run regie registrar publish-at URL")
        self._registrar = parse_jwk(parse_object(home.read_public(JWK)))
        self._list = _Kept(home, (TRUST_LIST,), self._read_list)
        self._book = _Kept(home, (BOOK,), lambda: read_book(home))
        self._statuses = _Kept(home, (BOOK,), lambda: self.book().statuses())
        self._register = _Kept(home, (TRUST_LIST, BOOK), self._make_register)
        self._signers: dict[str, Signer] = {}

    def token(self) -> str:
        """The signed list as it is: whoever reads it judges its dates. Raises `Unavailable`: `no_list`."""
        return self._list.get()[0]

    def trust(self, now: int) -> TrustList:
        """The list. Raises `Unavailable`: `no_list`, `expired_trust_list`."""
        trust = self._list.get()[1]
        if trust.exp <= now:
            raise Unavailable(
                "expired_trust_list", "the trust list has expired; the registrar has to sign another"
            )
        return trust

    def register(self, now: int) -> Register:
        """What can be looked up. Raises as `trust`."""
        self.trust(now)
        return self._register.get()

    def book(self) -> Book:
        """All certificates that were issued."""
        return self._book.get()

    def statuses(self) -> str:
        """`lst` of the status list of the certificates."""
        return self._statuses.get()

    def certificate(self, use: str, now: int) -> str:
        """The certificate in force of an intended use. Raises `Rejected`: `not_listed` (404)."""
        found = self.book().current(use, now)
        if found is None:
            raise Rejected("not_listed", "no certificate is in force for this intended use", status=404)
        return found.token

    def registrations(self, now: int) -> Signer:
        """What signs registration certificates and answers. Raises as `load_signer`."""
        return self._signer(REGISTRATION, now)

    def wallets(self, now: int) -> Signer:
        """What signs attestations of wallets. Raises as `load_signer`."""
        return self._signer(WALLETS, now)

    def health(self, now: int) -> Mapping[str, Any]:
        """Raises as `trust`: a registrar whose list has expired is not well."""
        trust = self.trust(now)
        return {"version": trust.version, "exp": trust.exp}

    def _signer(self, prefix: str, now: int) -> Signer:
        signer = self._signers.get(prefix)
        if signer is None or signer.leaf.not_after < now:
            try:
                signer = self._signers[prefix] = load_signer(self.home, prefix, now)
            except Rejected as error:
                raise Unavailable("no_signer", f"the registrar cannot sign now: {error.detail}") from error
        return signer

    def _read_list(self) -> tuple[str, TrustList]:
        if not self.home.has(TRUST_LIST):
            raise Unavailable("no_list", "no trust list has been signed yet")
        data = self.home.read_public(TRUST_LIST)
        if len(data) > MAX_TRUST_LIST_BYTES:
            raise Unavailable("no_list", "the trust list is larger than any reader takes")
        token = data.decode("ascii", "replace").strip()
        try:
            return token, read_own_trust_list(token, self._registrar)
        except Rejected as error:
            raise Unavailable("no_list", f"the trust list is damaged: {error.detail}") from error

    def _make_register(self) -> Register:
        config = self.config
        return register_of(
            self._list.get()[1].agencies,
            self.book(),
            uri=config.registry_uri,
            country=config.country,
            supervisor=config.authority,
        )
