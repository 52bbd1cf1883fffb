"""The issuer-signed JWT of an SD-JWT VC (draft-ietf-oauth-sd-jwt-vc, HAIP 1.0 section 6.1; protocol section 2).

Types of our vocabulary are read strictly. Those of others may leave out `iss` (the certificate says who issues),
`exp` (then a status tells when it ends) and `cnf` (then nobody can prove that it is theirs). The signature's
verdict is remembered, but listing, certificate dates and credential dates are checked each time: this is the hot
path of an agency.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

import msgspec

from protocol import x509
from protocol.anchors import AnchoredTrust, StrangerIssuer, origin_of, speaks_for, verify_stranger_issuer
from protocol.canonical import b64u_decode, b64u_fixed, parse_object
from protocol.disclosure import is_flat
from protocol.errors import Rejected
from protocol.issuer_payload import read_members, type_and_mandate
from protocol.jws import parse_jws
from protocol.keys import Es256Public, parse_jwk
from protocol.status_list import StatusReference
from protocol.trust_list import TrustedIssuer, TrustList

CREDENTIAL_TYP = "dc+sd-jwt"
MAX_ISSUER_JWT_BYTES = 16 * 1024
"""The issuer-signed part: ours are 3 kB with a chain of one."""
MAX_HEADER_CHARACTERS = 8 * 1024
MAX_CLOCK_SKEW = 60
"""Seconds that an issuer's clock may run ahead of ours."""
NO_END = 253_402_300_799
"""9999-12-31T23:59:59Z, by which RFC 5280 4.1.2.5 says that there is no end; later ends are read as this one."""
OWN_MEMBERS = frozenset(
    {"iss", "iat", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status", "_sd", "_sd_alg"}
)
"""Members of the JWT that are about the credential, not about the resident."""
_REMEMBERED_VERDICTS = 2048


class VerifiedIssuerJwt(msgspec.Struct, frozen=True, dict=True):
    """What a trusted issuer signed; made only by `verify_issuer_jwt`. Times in POSIX seconds.

    `iss`: who issued it, said by the certificate where the JWT does not; `exp`: `NO_END` when only the status
    tells; `loa` and `set_id` (b64u, 16 bytes): None for types outside our vocabulary; `payload`: the claims set as
    signed, with its digests, which stand at its top level only when it `is_flat`; `stranger`: the home's anchor,
    None for an issuer of the trust list. `mandate` (its hash, 32 bytes) and `party`: of a credential of somebody
    who may act for the person it is about; `vct` is then the type without `issuer_payload.MANDATED_SUFFIX`.
    """

    token: str
    iss: str
    vct: str
    iat: int
    exp: int
    nbf: int
    cnf: Es256Public | None
    loa: str | None
    set_id: str | None
    status: StatusReference | None
    payload: Mapping[str, Any]
    chain: tuple[bytes, ...]
    is_flat: bool
    stranger: StrangerIssuer | None = None
    mandate: bytes | None = None
    party: int | None = None

    @property
    def holder(self) -> Es256Public:
        """The key that the credential is bound to. Raises `Rejected`: `no_holder` when it is bound to none."""
        if self.cnf is None:
            raise Rejected("no_holder", "the credential is bound to no key")
        return self.cnf

    @cached_property
    def digests(self) -> frozenset[bytes]:
        """Digests of the top level, decoys among them: 32 bytes each. Raises `Rejected`: `bad_base64`."""
        return frozenset(b64u_fixed(digest, 32) for digest in self.payload.get("_sd", ()))


class Verdicts:
    """Verified JWTs, the least recently used forgotten first. Only what a trusted issuer signed ever enters."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: OrderedDict[str, VerifiedIssuerJwt] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, token: str) -> VerifiedIssuerJwt | None:
        """What was found out about this very text."""
        with self._lock:
            known = self._known.get(token)
            if known is not None:
                self._known.move_to_end(token)
            return known

    def put(self, verdict: VerifiedIssuerJwt) -> None:
        """Remember it, and forget another when there are too many."""
        with self._lock:
            self._known[verdict.token] = verdict
            if len(self._known) > self._size:
                self._known.popitem(last=False)

    def drop(self, token: str) -> None:
        """Forget it, if it is known."""
        with self._lock:
            self._known.pop(token, None)


_verdicts = Verdicts(_REMEMBERED_VERDICTS)


@lru_cache(maxsize=128)
def _read_header(header: str) -> tuple[bytes, ...]:
    """The chain in a JWS header; an issuer writes one header for all its credentials."""
    if len(header) > MAX_HEADER_CHARACTERS:
        raise Rejected("too_large", f"a header is at most {MAX_HEADER_CHARACTERS} characters")
    return x509.parse_x5c(parse_jws(f"{header}..", typ=CREDENTIAL_TYP).header.get("x5c"))


def _read_issuer_jwt(jwt: str) -> tuple[VerifiedIssuerJwt, bytes]:
    """What the token says, and its signature: to be trusted only after `_find_issuer` and the signature."""
    if len(jwt) > MAX_ISSUER_JWT_BYTES:
        raise Rejected("too_large", f"an issuer-signed JWT is at most {MAX_ISSUER_JWT_BYTES} bytes")
    parts = jwt.split(".")
    if len(parts) != 3:
        raise Rejected("bad_jws", "a compact JWS has three parts")
    chain = _read_header(parts[0])
    text = b64u_decode(parts[1])
    payload = parse_object(text, floats=True)
    claims = read_members(payload)
    vct, mandate = type_and_mandate(claims)
    read = VerifiedIssuerJwt(
        jwt, claims.iss or "", vct, claims.iat, NO_END if claims.exp is None else min(claims.exp, NO_END),
        claims.nbf, None if claims.cnf is None else parse_jwk(claims.cnf.jwk), claims.loa, claims.set,
        None if claims.status is None else claims.status.status_list, payload, chain,
        is_flat(text, payload), mandate=mandate, party=claims.party,
    )  # fmt: skip
    return read, b64u_fixed(parts[2], 64)


def read_payload(jwt: str) -> tuple[Mapping[str, Any], tuple[bytes, ...]]:
    """Payload and chain of a JWT that was verified when it was received and kept since; form only.

    Raises `Rejected`: `too_large`, `bad_jws` and those of parsing.
    """
    read, _ = _read_issuer_jwt(jwt)
    return read.payload, read.chain


def _find_issuer(read: VerifiedIssuerJwt, trust: TrustList, now: int) -> tuple[VerifiedIssuerJwt, Es256Public]:
    """Steps 2 to 4 of `verify_issuer_jwt`: `read` with its issuer in place, and the key of the leaf."""
    if not read.iss:
        return _find_unnamed(read, trust, now)
    try:
        issuer = trust.issuer(read.iss)
    except Rejected:
        if not isinstance(trust, AnchoredTrust):
            raise
        return _find_stranger(read, trust, now)
    return read, _check_listed(read, issuer, read.iss, now)


def _check_listed(read: VerifiedIssuerJwt, issuer: TrustedIssuer, iss: str, now: int) -> Es256Public:
    if read.vct not in issuer.vcts:
        raise Rejected("vct_not_allowed", "this issuer may not issue this type of credential", status=403)
    leaf = x509.verify_chain(read.chain, issuer.root_certificates, now)
    if not speaks_for(leaf, iss):
        raise Rejected("wrong_issuer", "the certificate does not speak for iss")
    return leaf.key


def _find_unnamed(read: VerifiedIssuerJwt, trust: TrustList, now: int) -> tuple[VerifiedIssuerJwt, Es256Public]:
    """Without `iss`: the listed issuer for which the certificate speaks, else a stranger."""
    for issuer in trust.issuers:
        try:
            leaf = x509.verify_chain(read.chain, issuer.root_certificates, now)
        except Rejected:
            continue
        if speaks_for(leaf, issuer.id):
            return msgspec.structs.replace(read, iss=issuer.id), _check_listed(read, issuer, issuer.id, now)
    if isinstance(trust, AnchoredTrust):
        return _find_stranger(read, trust, now)
    raise Rejected("not_listed", "the certificate is of no listed issuer", status=403)


def _find_stranger(
    read: VerifiedIssuerJwt, trust: AnchoredTrust, now: int
) -> tuple[VerifiedIssuerJwt, Es256Public]:
    """An issuer of the home's anchors; never in the name of a listed one, nor in one that differs by its spelling.

    A further name at the address of a listed issuer (`https://issuer.example/`) is for whom the home names so.
    """
    found = verify_stranger_issuer(trust.anchors, read.chain, iss=read.iss or None, vct=read.vct, now=now)
    if any(issuer.id == found.id or speaks_for(found.leaf, issuer.id) for issuer in trust.issuers):
        raise Rejected("wrong_issuer", "the certificate of a stranger names a listed issuer")
    origin = origin_of(found.id) if found.issuer.id is None else None
    if origin is not None and any(origin_of(issuer.id) == origin for issuer in trust.issuers):
        raise Rejected("wrong_issuer", "a stranger names itself like a listed issuer")
    return msgspec.structs.replace(read, iss=found.id, stranger=found.issuer), found.leaf.key


def _check_dates(read: VerifiedIssuerJwt, now: int) -> None:
    if read.exp <= now:
        _verdicts.drop(read.token)
        raise Rejected("expired_credential", "the credential has expired")
    if read.nbf > now or read.iat > now + MAX_CLOCK_SKEW:
        raise Rejected("not_yet_valid", "the credential is not valid yet")


class UnverifiedIssuerJwt(msgspec.Struct, frozen=True):
    """A JWT whose issuer may have issued it: all but the signature is checked. Made only by `read_issuer_jwt`.

    `signature` (64 bytes) is None for a text that is remembered as verified.
    """

    told: VerifiedIssuerJwt
    read: VerifiedIssuerJwt
    key: Es256Public
    signature: bytes | None

    def verify(self) -> VerifiedIssuerJwt:
        """What it says, once its issuer signed it. Raises `Rejected`: `bad_signature`."""
        if self.signature is not None:
            self.key.verify(self.signature, self.read.token.rpartition(".")[0].encode("ascii"))
            _verdicts.put(self.read)
        return self.told


def read_issuer_jwt(jwt: str, trust: TrustList, now: int) -> UnverifiedIssuerJwt:
    """Steps 1 to 5 of `verify_issuer_jwt`; the caller MUST `verify` before anything of it leaves."""
    known = _verdicts.get(jwt)
    read, signature = _read_issuer_jwt(jwt) if known is None else (known, None)  # 1
    told, key = _find_issuer(read, trust, now)  # 2, 3, 4
    _check_dates(read, now)  # 5
    return UnverifiedIssuerJwt(told, read, key, signature)


def verify_issuer_jwt(jwt: str, trust: TrustList, now: int) -> VerifiedIssuerJwt:
    """The issuer-signed JWT of a trusted issuer, in force at `now` (SD-JWT VC 2.5, RFC 9901 7.1 steps 1-2).

    1. size and form; `typ` dc+sd-jwt, `alg` ES256, no `jku`, `x5u`, `jwk`, `crit`; members have their types;
    `cnf.jwk` is a public P-256 key; 2. `iss` is listed, or an anchor of an `AnchoredTrust`; 3. it may issue this
    `vct` (a type gives no right); 4. `x5c` leads to a root of that issuer at `now`, its leaf names `iss` in a SAN
    (HAIP 6.1.1), or stands for a missing one; 5. `iat`, `nbf`, `exp`; 6. signature by the leaf, the one step that
    is remembered (until `exp`).
    **Not** checked: the credential's status; the caller MUST look it up or say why not.
    Raises `Rejected`: `not_listed`, `vct_not_allowed`, `wrong_issuer`, `bad_signature`, `expired_credential`,
    `not_yet_valid`, `bad_credential`, `bad_form` and those of parsing, keys and certificates.
    """
    return read_issuer_jwt(jwt, trust, now).verify()  # 6


def issuer_roots(issuer_jwt: VerifiedIssuerJwt, trust: TrustList) -> tuple[bytes, ...]:
    """The roots (DER) under which its issuer signs, status lists too. Raises `Rejected`: `not_listed`."""
    return (issuer_jwt.stranger or trust.issuer(issuer_jwt.iss)).root_certificates


def issuer_name(issuer_jwt: VerifiedIssuerJwt, trust: TrustList) -> str:
    """The issuer's name by trust list or anchor, never by what it sent. Raises `Rejected`: `not_listed`."""
    return (issuer_jwt.stranger or trust.issuer(issuer_jwt.iss)).name
