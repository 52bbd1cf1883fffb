"""SD-JWT VC credentials (RFC 9901, draft-ietf-oauth-sd-jwt-vc, HAIP 1.0 section 6.1; protocol section 2).

Issuing puts every attribute into a disclosure of its own. Verifying joins the issuer-signed JWT (`issuer_jwt.py`),
its disclosures and the key binding.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from protocol import disclosure
from protocol.attributes import CREDENTIAL_TYPES, CredentialType, credential_type, fits
from protocol.canonical import JsonValue, b64u_encode, b64u_fixed
from protocol.errors import Rejected
from protocol.issuer_jwt import CREDENTIAL_TYP, OWN_MEMBERS, VerifiedIssuerJwt, read_issuer_jwt, verify_issuer_jwt
from protocol.issuer_payload import MANDATED_SUFFIX, base_type
from protocol.jws import sign_jws
from protocol.key_binding import VerifiedKeyBinding, read_key_binding
from protocol.keys import Es256Private, Es256Public
from protocol.status_list import StatusReference
from protocol.trust_list import TrustList

MAX_SD_JWT_BYTES = 192 * 1024
"""One credential with its disclosures: ours are 6 kB, a PID with the largest portrait 150 kB."""
SET_BYTES = 16
_OWN_TYPE_MEMBERS = OWN_MEMBERS | {"loa", "set", "mandate", "party"}
"""In a type of our vocabulary; in other types these are claims like any other."""


class SdJwt(msgspec.Struct, frozen=True):
    """The parts of `JWT~D..~` or `JWT~D..~KB`: form only."""

    jwt: str
    disclosures: tuple[str, ...]
    kb_jwt: str | None

    @property
    def presented(self) -> str:
        """Everything up to and including the last `~`: what a key binding covers."""
        return "~".join((self.jwt, *self.disclosures, ""))


class VerifiedCredential(msgspec.Struct, frozen=True):
    """An issuer-signed JWT with disclosures that belong to it.

    `claims` is what is disclosed or was visible, without the JWT's own members; `disclosures` holds the encoded
    disclosures of the top level under their names.
    """

    issuer_jwt: VerifiedIssuerJwt
    claims: Mapping[str, Any]
    disclosures: Mapping[str, str]


class VerifiedPresentation(msgspec.Struct, frozen=True):
    """A credential whose holder answers this audience now.

    `key_binding` is None for a credential that is bound to no key.
    """

    credential: VerifiedCredential
    key_binding: VerifiedKeyBinding | None


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
    mandate: bytes | None = None,
    party: int | None = None,
    names: Collection[str] | None = None,
) -> str:
    """`JWT~D..~` with one disclosure for each attribute of the type, in the order of the vocabulary.

    `attributes` names every attribute of `vct`, None where the register has nothing; arrays stay whole. `iat` and
    `exp` are rounded to the day by the caller, `set_id` is b64u of 16 bytes, `x5c` is leaf first without the root.
    Decoys fill `_sd` to the type's fixed length; it is sorted so that its order tells nothing (RFC 9901 4.2.4.1).
    To somebody who acts for the person: `mandate` = M (32 bytes), `party` = who that is under it, `names` = what
    the mandate opens of this type, flags always; of all else there are decoys only. `vct` is the plain type here.
    Raises `ValueError` for a missing, unknown or too large attribute, for `names` without a mandate, for a mandate
    without a party; `Rejected` `unknown_vct`.
    """
    kind = credential_type(vct)
    if set(attributes) != set(kind.by_name):
        raise ValueError("every attribute of the type is issued, and no other")
    shown = _shown(kind, mandate, party, names)
    b64u_fixed(set_id, SET_BYTES)
    salt = disclosure.SALT_BYTES
    disclosures = [_disclose(vct, name, attributes[name], random(salt)) for name in shown]
    digests = [made.digest for made in disclosures]
    digests += [random(32) for _ in range(kind.digest_count - len(digests))]
    payload: dict[str, object] = {
        "_sd": sorted(b64u_encode(digest) for digest in digests),
        "_sd_alg": disclosure.SD_ALG,
        "cnf": {"jwk": holder.jwk()},
        "exp": exp,
        "iat": iat,
        "iss": issuer,
        "loa": loa,
        "set": set_id,
        "status": {"status_list": status},
        "vct": vct if mandate is None else vct + MANDATED_SUFFIX,
    }
    if mandate is not None:
        payload |= {"mandate": b64u_encode(mandate), "party": party}
    jwt = sign_jws(payload, signer, typ=CREDENTIAL_TYP, header={"x5c": list(x5c)})
    return "~".join((jwt, *(made.encoded for made in disclosures), ""))


def _shown(
    kind: CredentialType, mandate: bytes | None, party: int | None, names: Collection[str] | None
) -> list[str]:
    """The attributes that get a disclosure, in the order of the vocabulary."""
    if (mandate is None) != (party is None) or (mandate is None and names is not None):
        raise ValueError("mandate and party go together, and nothing else is narrowed")
    if mandate is not None and len(mandate) != 32:
        raise ValueError("a mandate's hash is 32 bytes")
    if names is None:
        return list(kind.names)
    if not set(names) <= set(kind.by_name):
        raise ValueError("the type has no such attribute")
    return [name for name in kind.names if name in names or name in kind.flags]


def claims_about_holder(processed: Mapping[str, Any]) -> dict[str, Any]:
    """A processed payload without the members that are about the credential itself."""
    about_itself = _OWN_TYPE_MEMBERS if base_type(processed["vct"]) in CREDENTIAL_TYPES else OWN_MEMBERS
    return {name: value for name, value in processed.items() if name not in about_itself}


def _with_disclosures(issuer_jwt: VerifiedIssuerJwt, encoded: Sequence[str]) -> VerifiedCredential:
    processed = disclosure.process(
        issuer_jwt.payload,
        encoded,
        floats=issuer_jwt.vct not in CREDENTIAL_TYPES,
        is_flat=issuer_jwt.is_flat,
    )
    claims = claims_about_holder(processed.payload)
    named = {found.name: found.encoded for found in processed.top_level if found.name is not None}
    return VerifiedCredential(issuer_jwt, claims, named)


def verify_credential(sd_jwt: str, trust: TrustList, now: int) -> VerifiedCredential:
    """A credential as the holder receives it (RFC 9901 section 7.2).

    1. form, and no key binding: a holder MUST NOT take an SD-JWT+KB from an issuer; 2. `verify_issuer_jwt`;
    3. disclosures belong to it (RFC 9901 7.1 steps 3-5); 4. a type of our vocabulary comes whole: `_sd` of the
    fixed length, every attribute disclosed and within its padded size, or it could not be sealed later. Under a
    mandate some attributes may be missing, never a flag; which ones, the caller MUST compare with that mandate.
    The caller MUST compare `holder` with its own key and `vct` with what it asked for.
    Raises `Rejected`: `unexpected_key_binding`, `incomplete_credential` and those of the parts.
    """
    parts = split_sd_jwt(sd_jwt)  # 1
    if parts.kb_jwt is not None:
        raise Rejected("unexpected_key_binding", "an issuer sends no key binding")
    verified = _with_disclosures(verify_issuer_jwt(parts.jwt, trust, now), parts.disclosures)  # 2, 3
    kind = CREDENTIAL_TYPES.get(verified.issuer_jwt.vct)
    if kind is not None:  # 4
        shown = set(verified.disclosures)
        least = set(kind.by_name if verified.issuer_jwt.mandate is None else kind.flags)
        if not least <= shown <= set(kind.by_name) or set(verified.claims) != shown:
            raise Rejected("incomplete_credential", "the credential has not exactly the attributes of its type")
        if len(verified.issuer_jwt.digests) != kind.digest_count:
            raise Rejected("incomplete_credential", "the credential has not the digests of its type")
        if not all(fits(kind.vct, name, encoded) for name, encoded in verified.disclosures.items()):
            raise Rejected("incomplete_credential", "an attribute is larger than its padded size")
    return verified


def verify_presentation(
    sd_jwt_kb: str,
    trust: TrustList,
    *,
    now: int,
    audience: str,
    nonce: str,
    max_age: int = 300,
    allow_unbound: bool = False,
) -> VerifiedPresentation:
    """A presentation made for `audience` (full client_id) in answer to `nonce` (RFC 9901 section 7.3).

    1. form; 2. issuer, type, chain and dates of the JWT (`verify_issuer_jwt` steps 1-5); 3. key binding is there,
    by our policy and not because it happens to be (7.3 step 1, 9.5): a credential that is bound to a key is never
    taken without, one that is bound to none only where the query said so (`allow_unbound`:
    `require_cryptographic_holder_binding` false, OpenID4VP 6.1); 4. it covers exactly this text, for this audience
    and nonce, at most `max_age` seconds old; 5. disclosures belong to the JWT (7.1 steps 3-5); 6. signatures of
    the issuer and of its `cnf` key. They come last, and together: OpenSSL's tables and the interpreter drive each
    other out of the processor's cache, which costs a tenth (`bench/exchange.py`).
    **Not** checked: credential status, and whether the claims answer the query.
    Raises `Rejected`: `no_key_binding`, `no_holder` and those of the parts.
    """
    parts = split_sd_jwt(sd_jwt_kb)  # 1
    if parts.kb_jwt is None and not allow_unbound:
        raise Rejected("no_key_binding", "a presentation without key binding is refused")
    issued = read_issuer_jwt(parts.jwt, trust, now)  # 2
    if parts.kb_jwt is None:  # 3
        if issued.read.cnf is not None:
            raise Rejected("no_key_binding", "a presentation without key binding is refused")
        return VerifiedPresentation(_with_disclosures(issued.verify(), parts.disclosures), None)
    presented = sd_jwt_kb[: -len(parts.kb_jwt)]
    bound = read_key_binding(  # 4
        parts.kb_jwt, presented, audience=audience, nonce=nonce, now=now, max_age=max_age
    )
    credential = _with_disclosures(issued.told, parts.disclosures)  # 5
    issuer_jwt = issued.verify()  # 6
    return VerifiedPresentation(credential, bound.verify(issuer_jwt.holder))
