"""A mandate: an issuer says that one or more parties may grant in somebody's name (**ours**, protocol section 10).

It names nobody: what wallets, logs and agencies see of it is what may be granted, to whom, until when, by how
many, and under which locks. M = H(compact JWS) stands in every credential that was issued under it and in T.

The codes of all grants under a mandate come from one seed, which every party holds, so each of them finds every
act and can stop it. That is enforced, not trusted: a lock that is not the mandate's is refused by log and agency.
The locks themselves stand in public leaves, hence the mandate holds salted digests of them, and who uses one shows
its salt behind the JWS: `JWS~salt`. So an agency cannot look up when its client granted what elsewhere.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, TypeAlias

from msgspec import Meta

from protocol import x509
from protocol.anchors import speaks_for
from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_decode, b64u_encode, b64u_fixed, hkdf_sha256, is_equal, parse_struct, sha256
from protocol.errors import Rejected
from protocol.jws import parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private
from protocol.revocation_code import code_from_seed, lock_for
from protocol.terms import MAX_CLAIMS, B64u16, B64u32, Form, Name, Oin, Terms, Time
from protocol.trust_list import TrustedIssuer, TrustList

MANDATE_TYPE = "regie-mandate+jwt"
MAX_MANDATE_BYTES = 16 * 1024
"""A mandate with `MAX_LOCKS` locks, every attribute and a chain of two is about 12 kB."""
MAX_SHOWN_MANDATE_CHARS = MAX_MANDATE_BYTES + 44
"""`JWS~salt`: a tilde and 32 bytes in base64url behind it."""
MAX_LOCKS = 128
LOCK_CODES = 32
"""Grants that one mandate lets be made; afterwards the issuer gives a new one."""
LOCK_VERSIONS = 4
"""Versions of each of them: the first and three refreshes. LOCK_CODES times this is `MAX_LOCKS`."""
MAX_PARTIES = 8
"""Parties of a mandate, the represented person (0) among them."""
MAX_CLOCK_SKEW = 60
"""Seconds that an issuer's clock may run ahead of ours."""
_LOCK_INFO = b"regie/mandate-lock/v1"

Party: TypeAlias = Annotated[int, Meta(ge=0, lt=MAX_PARTIES)]
ShownMandate: TypeAlias = Annotated[
    str,
    Meta(max_length=MAX_SHOWN_MANDATE_CHARS, pattern=r"\A[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}~[A-Za-z0-9_-]{43}\Z"),
]
"""`JWS~salt`, as `show_mandate` makes it."""


class MandateClaims(Form, frozen=True):
    """Attributes of one type; register flags go with them unnamed."""

    vct: Name
    names: Annotated[list[Name], Meta(min_length=1, max_length=MAX_CLAIMS)]


class MandateService(Form, frozen=True):
    """A service in all its versions: each version is consented to on its own."""

    recipient: Oin
    service: Name


class Mandate(Form, frozen=True):
    """What the issuer signs. Times in POSIX seconds; `id`: 16 random bytes, for the issuer's own books.

    `signers`: one party of each group has to sign a grant; `locks`: by `lock_digests`; `claims` absent: every
    attribute; `services` absent: every service.
    """

    iss: Annotated[str, Meta(min_length=1, max_length=512)]
    iat: Time
    until: Time
    id: B64u16
    signers: Annotated[
        list[Annotated[list[Party], Meta(min_length=1, max_length=MAX_PARTIES)]],
        Meta(min_length=1, max_length=MAX_PARTIES),
    ]
    locks: Annotated[list[B64u32], Meta(min_length=1, max_length=MAX_LOCKS)]
    claims: Annotated[list[MandateClaims], Meta(min_length=1, max_length=16)] | None = None
    services: Annotated[list[MandateService], Meta(min_length=1, max_length=MAX_CLAIMS)] | None = None

    def names_of(self, vct: str) -> frozenset[str]:
        """The attributes of a type of our vocabulary that it opens, register flags among them; none of others."""
        kind = CREDENTIAL_TYPES.get(vct)
        if kind is None:
            return frozenset()
        if self.claims is None:
            return frozenset(kind.names)
        named = frozenset(name for claims in self.claims if claims.vct == vct for name in claims.names)
        return (named | frozenset(kind.flags)) & frozenset(kind.names) if named else frozenset()

    def is_for(self, recipient: str, service: str) -> bool:
        """Whether it may be used for this service of this agency (OIN)."""
        return self.services is None or MandateService(recipient, service) in self.services

    @property
    def parties(self) -> frozenset[int]:
        """Everybody who may sign."""
        return frozenset(party for group in self.signers for party in group)


@dataclass(frozen=True)
class VerifiedMandate:
    """A mandate of a listed issuer, in force; only `verify_mandate` makes one.

    `token`: the compact JWS; `salt`: 32 bytes, of the lock that it is shown for, None for who only holds it;
    `vcts`: what its issuer may issue, so what it may give others a right to.
    """

    token: str
    mandate: Mandate
    vcts: frozenset[str]
    salt: bytes | None = None

    @cached_property
    def hash(self) -> bytes:
        """M, 32 bytes."""
        return mandate_hash(self.token)

    @property
    def iss(self) -> str:
        """Who issued it, as the trust list names it."""
        return self.mandate.iss


def mandate_hash(token: str) -> bytes:
    """M = H(compact JWS), 32 bytes; b64u in T.on_behalf_of and in credentials."""
    return sha256(token.encode("utf-8"))


def lock_salt(code: bytes, version: int) -> bytes:
    """What hides a lock in its mandate, 32 bytes: who does not hold the code cannot try public locks."""
    return hkdf_sha256(code, _LOCK_INFO + version.to_bytes(4, "big"))


def lock_digest(salt: bytes, lock: bytes) -> bytes:
    """What stands for a lock in a mandate: H(`regie/mandate-lock/v1` || salt || lock), 32 bytes."""
    return sha256(_LOCK_INFO, salt, lock)


def lock_digests(seed: bytes, codes: int = LOCK_CODES, versions: int = LOCK_VERSIONS) -> list[str]:
    """`locks` of a mandate with this seed (32 bytes): for each code in order, for each version from 1."""
    made = []
    for code in (code_from_seed(seed, i) for i in range(codes)):
        made += [
            lock_digest(lock_salt(code, version), lock_for(code, version)) for version in range(1, versions + 1)
        ]
    return [b64u_encode(digest) for digest in made]


def show_mandate(token: str, code: bytes, version: int) -> str:
    """`JWS~salt`: the mandate for the one grant version whose lock this code makes."""
    return f"{token}~{b64u_encode(lock_salt(code, version))}"


def sign_mandate(mandate: Mandate, key: Es256Private, x5c: Sequence[str]) -> str:
    """The compact JWS of an issuer (`x5c` leaf first, without the root).

    Raises `ValueError` for a mandate that no reader would accept.
    """
    try:
        _check_rules(mandate)
        token = sign_jws(mandate, key, typ=MANDATE_TYPE, header={"x5c": list(x5c)})
        _read(token)
    except Rejected as error:
        raise ValueError(f"not a mandate: {error.detail}") from error
    return token


def _check_rules(mandate: Mandate) -> None:
    """What the form alone does not say: nothing is named twice, it begins before it ends."""
    if mandate.until <= mandate.iat:
        raise Rejected("bad_mandate", "the mandate ends before it begins")
    rows: list[Sequence[object]] = [mandate.locks, *mandate.signers]
    if mandate.claims is not None:
        rows += [[claims.vct for claims in mandate.claims], *(claims.names for claims in mandate.claims)]
    if mandate.services is not None:
        rows.append(mandate.services)
    if any(len(set(row)) != len(row) for row in rows):
        raise Rejected("bad_mandate", "the mandate names something twice")


def _read(token: str) -> Mandate:
    jws = parse_jws(token, typ=MANDATE_TYPE, max_bytes=MAX_MANDATE_BYTES)
    mandate = parse_struct(jws.payload, Mandate, max_bytes=MAX_MANDATE_BYTES)
    _check_rules(mandate)
    return mandate


def verify_mandate(text: str, trust: TrustList, now: int) -> VerifiedMandate:
    """A mandate as it is held (compact JWS) or shown for one lock (`JWS~salt`), in force at `now`.

    1. size, form, `typ`, nothing named twice; 2. `iss` is on the trust list: an issuer of a home's anchors makes
    no mandates, and a party cannot pass one on; 3. `x5c` leads to a root of it at `now`, and its leaf speaks for
    it; 4. signature by that leaf; 5. it may itself issue every type that the mandate names; 6. `iat` not ahead,
    `until` not passed.
    **Not**: whether it was ended since, which the status of every credential under it says.
    Raises `Rejected` 403: `bad_mandate`, `mandate_ended`.
    """
    token, shown, salt = text.partition("~")
    try:
        mandate = _read(token)  # 1
        issuer = trust.issuer(mandate.iss)  # 2
        _verify_signature(token, issuer, now)  # 3, 4
        verified = VerifiedMandate(token, mandate, frozenset(issuer.vcts), b64u_fixed(salt, 32) if shown else None)
    except Rejected as error:
        raise Rejected("bad_mandate", error.detail, status=403) from error
    if not {claims.vct for claims in mandate.claims or ()} <= verified.vcts:  # 5
        raise Rejected("bad_mandate", "the mandate names a type that its issuer may not issue", status=403)
    if mandate.iat > now + MAX_CLOCK_SKEW:  # 6
        raise Rejected("bad_mandate", "the mandate is not in force yet", status=403)
    if mandate.until <= now:
        raise Rejected("mandate_ended", "the mandate has ended", status=403)
    return verified


def _verify_signature(token: str, issuer: TrustedIssuer, now: int) -> None:
    jws = parse_jws(token, typ=MANDATE_TYPE, max_bytes=MAX_MANDATE_BYTES)
    leaf = x509.verify_chain(x509.parse_x5c(jws.header.get("x5c")), issuer.root_certificates, now)
    if not speaks_for(leaf, issuer.id):
        raise Rejected("wrong_issuer", "the certificate does not speak for the mandate's issuer")
    verify_jws(jws, leaf.key)


def _widened(detail: str) -> Rejected:
    return Rejected("mandate_widened", detail, status=403)


def check_mandated(terms: Terms, verified: VerifiedMandate) -> None:
    """T stays within the mandate that it names. Every party that could be misled checks this for itself.

    1. T names this very mandate; 2. its service is named; 3. all its attributes are, and are of types that the
    mandate's issuer may issue; 4. it ends no later; 5. its lock is the mandate's, of the very version of T: the
    other parties look for version 1 of each code and walk on from there, so another one they would never find.
    The caller MUST `check_terms` first. Raises `Rejected` 403: `bad_mandate`, `mandate_widened`.
    """
    if terms.on_behalf_of is None or not is_equal(b64u_decode(terms.on_behalf_of), verified.hash):  # 1
        raise Rejected("bad_mandate", "the terms name another mandate", status=403)
    mandate = verified.mandate
    if not mandate.is_for(terms.recipient, terms.service):  # 2
        raise _widened("the mandate is not for this service")
    for claim in terms.claims:  # 3
        if claim.vct not in verified.vcts or claim.path[0] not in mandate.names_of(claim.vct):
            raise _widened("the mandate does not name an attribute of the terms")
    if terms.not_after > mandate.until:  # 4
        raise _widened("the terms end later than the mandate")
    if verified.salt is None:  # 5
        raise _widened("the mandate is not shown for a lock")
    digest = b64u_encode(lock_digest(verified.salt, b64u_decode(terms.lock)))
    if digest not in mandate.locks or mandate.locks.index(digest) % LOCK_VERSIONS + 1 != terms.version:
        raise _widened("the lock is not the mandate's for this version: the others could not stop it")


def check_presence(terms: Terms, shown: str | None) -> None:
    """`shown`: there exactly when T names a mandate. Raises `Rejected`: `bad_mandate` 403."""
    if (terms.on_behalf_of is None) != (shown is None):
        raise Rejected("bad_mandate", "a mandate comes with terms that name one, and with no others", status=403)


def check_signers(mandate: Mandate, parties: Collection[int]) -> None:
    """One party of each group signed. Raises `Rejected`: `mandate_signature_missing` 403."""
    if any(not set(group) & set(parties) for group in mandate.signers):
        raise Rejected("mandate_signature_missing", "somebody who has to sign as well did not", status=403)


def narrowed_names(mandate: Mandate, vcts: Collection[str]) -> Mapping[str, frozenset[str]]:
    """For an issuer: what to disclose of each of its types under this mandate; types without are left out."""
    found = {vct: mandate.names_of(vct) for vct in vcts}
    return {vct: names for vct, names in found.items() if names}
