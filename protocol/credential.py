"""SD-JWT VC credentials (RFC 9901, draft-ietf-oauth-sd-jwt-vc, HAIP 1.0 section 6.1; protocol section 2).

Issuing puts every attribute into a disclosure of its own. Verifying is the hot path of an agency: header and
signature verdict are remembered, but listing, certificate dates and credential dates are checked each time.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from protocol import disclosure, x509
from protocol.attributes import CREDENTIAL_TYPES, credential_type, fits
from protocol.canonical import JsonValue, b64u_decode, b64u_encode, b64u_fixed, convert, parse_object
from protocol.errors import Rejected
from protocol.jws import parse_jws, sign_jws
from protocol.key_binding import VerifiedKeyBinding, verify_key_binding
from protocol.keys import Es256Private, Es256Public, parse_jwk
from protocol.status_list import StatusReference
from protocol.trust_list import TrustedIssuer, TrustList

CREDENTIAL_TYP = "dc+sd-jwt"
MAX_SD_JWT_BYTES = 64 * 1024
"""One credential with its disclosures: ours are 6 kB."""
MAX_ISSUER_JWT_BYTES = 16 * 1024
"""The issuer-signed part: ours are 3 kB with a chain of one."""
MAX_HEADER_CHARACTERS = 8 * 1024
MAX_CLOCK_SKEW = 60
"""Seconds that an issuer's clock may run ahead of ours."""
SET_BYTES = 16
"""`set` is compared as the text it is: 22 characters of base64url."""
_REMEMBERED_VERDICTS = 2048
_OWN_MEMBERS = frozenset(
    {"iss", "iat", "nbf", "exp", "cnf", "vct", "vct#integrity", "status", "loa", "set", "_sd", "_sd_alg"}
)
"""Members of the JWT that are about the credential, not about the resident."""
_Digest = Annotated[str, msgspec.Meta(min_length=43, max_length=43)]
_Time = Annotated[int, msgspec.Meta(ge=0)]


class _Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`cnf`: the key itself; a key to be fetched (jku, kid) would be a way to phone home."""

    jwk: dict[str, Any]


class _Status(msgspec.Struct, frozen=True):
    status_list: StatusReference


class _Payload(msgspec.Struct, frozen=True):
    """What we read of an issuer-signed JWT; issuers of other types may add visible claims."""

    iss: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    vct: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    iat: _Time
    exp: _Time
    cnf: _Confirmation
    sd: Annotated[list[_Digest], msgspec.Meta(max_length=512)] = msgspec.field(name="_sd", default_factory=list)
    nbf: _Time = 0
    status: _Status | None = None
    loa: Literal["low", "substantial", "high"] | None = None
    set: Annotated[str, msgspec.Meta(min_length=22, max_length=22)] | None = None


@dataclass(frozen=True)
class SdJwt:
    """The parts of `JWT~D..~` or `JWT~D..~KB`: form only."""

    jwt: str
    disclosures: tuple[str, ...]
    kb_jwt: str | None

    @property
    def presented(self) -> str:
        """Everything up to and including the last `~`: what a key binding covers."""
        return "~".join((self.jwt, *self.disclosures, ""))


class VerifiedIssuerJwt(msgspec.Struct, frozen=True, dict=True):
    """What a listed issuer signed; made only by `verify_issuer_jwt`. Times in POSIX seconds.

    `loa` and `set_id` (b64u, 16 bytes) are None only for types outside our vocabulary. `payload` is the
    claims set as signed, with its digests.
    """

    token: str
    iss: str
    vct: str
    iat: int
    exp: int
    nbf: int
    holder: Es256Public
    loa: str | None
    set_id: str | None
    status: StatusReference | None
    payload: Mapping[str, Any]
    chain: tuple[bytes, ...]

    @cached_property
    def digests(self) -> frozenset[bytes]:
        """Digests of the top level, decoys among them: 32 bytes each. Raises `Rejected`: `bad_base64`."""
        return frozenset(b64u_fixed(digest, 32) for digest in self.payload.get("_sd", ()))


@dataclass(frozen=True)
class VerifiedCredential:
    """An issuer-signed JWT with disclosures that belong to it.

    `claims` is what is disclosed or was visible, without the JWT's own members; `disclosures` holds the encoded
    disclosures of the top level under their names.
    """

    issuer_jwt: VerifiedIssuerJwt
    claims: Mapping[str, Any]
    disclosures: Mapping[str, str]


@dataclass(frozen=True)
class VerifiedPresentation:
    """A credential whose holder answers this audience now."""

    credential: VerifiedCredential
    key_binding: VerifiedKeyBinding


class _Verdicts:
    """Verified JWTs, the least recently used forgotten first. Only what a listed issuer signed ever enters."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: OrderedDict[str, VerifiedIssuerJwt] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, token: str) -> VerifiedIssuerJwt | None:
        with self._lock:
            known = self._known.get(token)
            if known is not None:
                self._known.move_to_end(token)
            return known

    def put(self, verdict: VerifiedIssuerJwt) -> None:
        with self._lock:
            self._known[verdict.token] = verdict
            if len(self._known) > self._size:
                self._known.popitem(last=False)

    def drop(self, token: str) -> None:
        with self._lock:
            self._known.pop(token, None)


_verdicts = _Verdicts(_REMEMBERED_VERDICTS)


def split_sd_jwt(text: str) -> SdJwt:
    """The parts of an SD-JWT with or without key binding (RFC 9901 section 4): form only.

    Raises `Rejected`: `too_large`, `bad_sd_jwt`, `too_many_disclosures`.
    """
    if len(text) > MAX_SD_JWT_BYTES:
        raise Rejected("too_large", f"an SD-JWT is at most {MAX_SD_JWT_BYTES} bytes")
    jwt, *disclosures = text.split("~")
    if not text.isascii() or not jwt or not disclosures:
        raise Rejected("bad_sd_jwt", "an SD-JWT is a JWT followed by ~")
    kb_jwt = disclosures.pop() or None
    if len(disclosures) > disclosure.MAX_DISCLOSURES:
        raise Rejected("too_many_disclosures", f"at most {disclosure.MAX_DISCLOSURES} disclosures are read")
    if "" in disclosures:
        raise Rejected("bad_sd_jwt", "a disclosure is empty")
    return SdJwt(jwt, tuple(disclosures), kb_jwt)


def _disclose(vct: str, name: str, value: JsonValue, salt: bytes) -> disclosure.Disclosure:
    made = disclosure.make_disclosure(name, value, salt)
    if not fits(vct, name, made.encoded):
        raise ValueError("an attribute is larger than the padded size of its kind")
    return made


def issue_credential(
    *,
    vct: str,
    issuer: str,
    attributes: Mapping[str, JsonValue],
    holder: Es256Public,
    signer: Es256Private,
    x5c: Sequence[str],
    iat: int,
    exp: int,
    loa: str,
    set_id: str,
    status: StatusReference,
    random: Callable[[int], bytes],
) -> str:
    """`JWT~D..~` with one disclosure for each attribute of the type, in the order of the vocabulary.

    `attributes` names every attribute of `vct`, None where the register has nothing; arrays stay whole. `iat` and
    `exp` are rounded to the day by the caller, `set_id` is b64u of 16 bytes, `x5c` is leaf first without the root.
    Decoys fill `_sd` to the type's fixed length; it is sorted so that its order tells nothing (RFC 9901 4.2.4.1).
    Raises `ValueError` for a missing, unknown or too large attribute; `Rejected` `unknown_vct`.
    """
    kind = credential_type(vct)
    if set(attributes) != set(kind.by_name):
        raise ValueError("every attribute of the type is issued, and no other")
    b64u_fixed(set_id, SET_BYTES)
    salt = disclosure.SALT_BYTES
    disclosures = [_disclose(vct, name, attributes[name], random(salt)) for name in kind.names]
    digests = [made.digest for made in disclosures]
    digests += [random(32) for _ in range(kind.digest_count - len(digests))]
    payload = {
        "_sd": sorted(b64u_encode(digest) for digest in digests),
        "_sd_alg": disclosure.SD_ALG,
        "cnf": {"jwk": holder.jwk()},
        "exp": exp,
        "iat": iat,
        "iss": issuer,
        "loa": loa,
        "set": set_id,
        "status": {"status_list": status},
        "vct": vct,
    }
    jwt = sign_jws(payload, signer, typ=CREDENTIAL_TYP, header={"x5c": list(x5c)})
    return "~".join((jwt, *(made.encoded for made in disclosures), ""))


@lru_cache(maxsize=128)
def _read_header(header: str) -> tuple[bytes, ...]:
    """The chain in a JWS header; an issuer writes one header for all its credentials."""
    if len(header) > MAX_HEADER_CHARACTERS:
        raise Rejected("too_large", f"a header is at most {MAX_HEADER_CHARACTERS} characters")
    return x509.parse_x5c(parse_jws(f"{header}..", typ=CREDENTIAL_TYP).header.get("x5c"))


def _read_issuer_jwt(jwt: str) -> tuple[VerifiedIssuerJwt, bytes]:
    """What the token says, and its signature: to be trusted only after `_check_trust` and the signature."""
    if len(jwt) > MAX_ISSUER_JWT_BYTES:
        raise Rejected("too_large", f"an issuer-signed JWT is at most {MAX_ISSUER_JWT_BYTES} bytes")
    parts = jwt.split(".")
    if len(parts) != 3:
        raise Rejected("bad_jws", "a compact JWS has three parts")
    chain = _read_header(parts[0])
    payload = parse_object(b64u_decode(parts[1]))
    claims = convert(payload, _Payload)
    if claims.vct in CREDENTIAL_TYPES and (claims.loa is None or claims.set is None or claims.status is None):
        raise Rejected("bad_credential", "a credential of this type has loa, set and status")
    status = None if claims.status is None else claims.status.status_list
    read = VerifiedIssuerJwt(
        jwt, claims.iss, claims.vct, claims.iat, claims.exp, claims.nbf, parse_jwk(claims.cnf.jwk),
        claims.loa, claims.set, status, payload, chain,
    )  # fmt: skip
    return read, b64u_fixed(parts[2], 64)


def _is_named(leaf: x509.VerifiedLeaf, iss: str) -> bool:
    """Whether a certificate speaks for `iss`: the same URI, or the dNSName of its host (SD-JWT VC 2.5)."""
    if iss in leaf.san_uri:
        return True
    try:
        host = urlsplit(iss).hostname
    except ValueError:
        return False
    return host is not None and host in leaf.san_dns


def _check_trust(read: VerifiedIssuerJwt, issuer: TrustedIssuer, now: int) -> Es256Public:
    """The leaf's key, once the listed issuer may issue this type with it."""
    if read.vct not in issuer.vcts:
        raise Rejected("vct_not_allowed", "this issuer may not issue this type of credential", status=403)
    leaf = x509.verify_chain(read.chain, issuer.root_certificates, now)
    if not _is_named(leaf, read.iss):
        raise Rejected("wrong_issuer", "the certificate does not speak for iss")
    return leaf.key


def _check_dates(read: VerifiedIssuerJwt, now: int) -> None:
    if read.exp <= now:
        _verdicts.drop(read.token)
        raise Rejected("expired_credential", "the credential has expired")
    if read.nbf > now or read.iat > now + MAX_CLOCK_SKEW:
        raise Rejected("not_yet_valid", "the credential is not valid yet")


def verify_issuer_jwt(jwt: str, trust: TrustList, now: int) -> VerifiedIssuerJwt:
    """The issuer-signed JWT of a listed issuer, in force at `now` (SD-JWT VC section 2.5, RFC 9901 7.1 steps 1-2).

    1. size and form; `typ` dc+sd-jwt, `alg` ES256, no `jku`, `x5u`, `jwk`, `crit`; members have their types;
    `cnf.jwk` is a public P-256 key; 2. `iss` is listed; 3. it may issue this `vct` (a type gives no right);
    4. `x5c` leads to a root listed for it at `now`, its leaf names `iss` in a SAN (HAIP 6.1.1); 5. signature by
    the leaf, the one step that is remembered (until `exp`); 6. `iat`, `nbf`, `exp`.
    **Not** checked: the credential's status; the caller MUST look it up or say why not.
    Raises `Rejected`: `not_listed`, `vct_not_allowed`, `wrong_issuer`, `bad_signature`, `expired_credential`,
    `not_yet_valid`, `bad_credential`, `bad_form` and those of parsing, keys and certificates.
    """
    known = _verdicts.get(jwt)
    if known is None:
        read, signature = _read_issuer_jwt(jwt)  # 1
    else:
        read, signature = known, b""
    issuer = trust.issuer(read.iss)  # 2
    key = _check_trust(read, issuer, now)  # 3, 4
    if known is None:  # 5
        key.verify(signature, jwt.rpartition(".")[0].encode("ascii"))
    _check_dates(read, now)  # 6
    if known is None:
        _verdicts.put(read)
    return read


def _with_disclosures(issuer_jwt: VerifiedIssuerJwt, encoded: Sequence[str]) -> VerifiedCredential:
    processed = disclosure.process(issuer_jwt.payload, encoded)
    claims = {name: value for name, value in processed.payload.items() if name not in _OWN_MEMBERS}
    named = {found.name: found.encoded for found in processed.top_level if found.name is not None}
    return VerifiedCredential(issuer_jwt, claims, named)


def verify_credential(sd_jwt: str, trust: TrustList, now: int) -> VerifiedCredential:
    """A credential as the holder receives it (RFC 9901 section 7.2).

    1. form, and no key binding: a holder MUST NOT take an SD-JWT+KB from an issuer; 2. `verify_issuer_jwt`;
    3. disclosures belong to it (RFC 9901 7.1 steps 3-5); 4. a type of our vocabulary comes whole: `_sd` of the
    fixed length, every attribute disclosed and within its padded size, or it could not be sealed later.
    The caller MUST compare `holder` with its own key and `vct` with what it asked for.
    Raises `Rejected`: `unexpected_key_binding`, `incomplete_credential` and those of the parts.
    """
    parts = split_sd_jwt(sd_jwt)  # 1
    if parts.kb_jwt is not None:
        raise Rejected("unexpected_key_binding", "an issuer sends no key binding")
    verified = _with_disclosures(verify_issuer_jwt(parts.jwt, trust, now), parts.disclosures)  # 2, 3
    kind = CREDENTIAL_TYPES.get(verified.issuer_jwt.vct)
    if kind is not None:  # 4
        if set(verified.disclosures) != set(kind.by_name) or set(verified.claims) != set(kind.by_name):
            raise Rejected("incomplete_credential", "the credential has not exactly the attributes of its type")
        if len(verified.issuer_jwt.digests) != kind.digest_count:
            raise Rejected("incomplete_credential", "the credential has not the digests of its type")
        if not all(fits(kind.vct, name, encoded) for name, encoded in verified.disclosures.items()):
            raise Rejected("incomplete_credential", "an attribute is larger than its padded size")
    return verified


def verify_presentation(
    sd_jwt_kb: str, trust: TrustList, *, now: int, audience: str, nonce: str, max_age: int = 300
) -> VerifiedPresentation:
    """A presentation made for `audience` (full client_id) in answer to `nonce` (RFC 9901 section 7.3).

    1. form; 2. key binding is there, by our policy and not because it happens to be (7.3 step 1, 9.5);
    3. `verify_issuer_jwt`; 4. key binding by its `cnf` key over exactly this text, at most `max_age` seconds old;
    5. disclosures belong to it (7.1 steps 3-5).
    **Not** checked: credential status, and whether the claims answer the query.
    Raises `Rejected`: `no_key_binding` and those of the parts.
    """
    parts = split_sd_jwt(sd_jwt_kb)  # 1
    if parts.kb_jwt is None:  # 2
        raise Rejected("no_key_binding", "a presentation without key binding is refused")
    issuer_jwt = verify_issuer_jwt(parts.jwt, trust, now)  # 3
    presented = sd_jwt_kb[: -len(parts.kb_jwt)]
    binding = verify_key_binding(  # 4
        parts.kb_jwt, presented, issuer_jwt.holder, audience=audience, nonce=nonce, now=now, max_age=max_age
    )
    return VerifiedPresentation(_with_disclosures(issuer_jwt, parts.disclosures), binding)  # 5
