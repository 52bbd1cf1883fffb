"""Sealed disclosures, key shares and deposits: what makes "no log entry, no key" true (**ours**; section 4).

The key of a disclosure needs `a`, which the agency holds, and the claim share made from `b`, which the log holds
(or several operators do: `operators`) and releases only after an entry. The wallet seals; the log checks its
deposit; the agency opens. What an agency checks before it stores or opens anything is in `standing`.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from msgspec import Meta, field

from protocol.attributes import attribute, fits
from protocol.canonical import (
    b64u_decode,
    b64u_encode,
    convert,
    hkdf_sha256,
    hmac_sha256,
    is_equal,
    sha256,
)
from protocol.disclosure import digest_of
from protocol.errors import Rejected
from protocol.leaf import Grant, LeafType, commitment
from protocol.mandate import ShownMandate
from protocol.reading import SHARE_BYTES, Slot
from protocol.seal import NONCE_BYTES, KemPrivate, aead_open, aead_seal, hpke_open, hpke_seal, pad, unpad
from protocol.terms import (
    MAX_CLAIMS,
    B64u24,
    B64u32,
    Claim,
    Form,
    Place,
    Terms,
    check_terms,
    terms_bytes,
    terms_hash,
)

AEAD_OVERHEAD = 16
"""Bytes that XChaCha20-Poly1305 adds."""
MAX_SEALED_BYTES = 576 * 1024
"""JSON of a `regie_sealed`: `MAX_CLAIMS` disclosures of the largest size, the terms, a tlog-proof, a mandate and
`MAX_COSIGNED` co-signatures."""
MAX_COSIGNED = 4
"""Parties besides the one that presents: more than two parents and a child."""

Ciphertext: TypeAlias = Annotated[str, Meta(max_length=(4096 + AEAD_OVERHEAD) * 4 // 3 + 1)]
Cosigned: TypeAlias = Annotated[str, Meta(max_length=20 * 1024, pattern=r"\A[A-Za-z0-9_.~-]+\Z")]
SealedSecret: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1557}[AQgw]\Z")]
"""One HPKE-sealed 32-byte secret: 1168 bytes."""


class SealedDisclosure(Form, frozen=True):
    """One disclosure under its own key, padded to its attribute's size."""

    digest: B64u32
    nonce: B64u24
    ciphertext: Ciphertext


class RegieSealed(Form, frozen=True):
    """The response parameter `regie_sealed`; `proof` is the tlog-proof text of the grant leaf.

    When T is on behalf of somebody: `mandate` as `mandate.show_mandate` makes it, and `cosigned`: `JWT~KB-JWT` of
    each other party that has to agree to T (`cosign.cosign`).
    """

    terms: Terms
    slot: Slot
    sealed: Annotated[list[SealedDisclosure], Meta(min_length=1, max_length=MAX_CLAIMS)]
    opening_key: B64u32
    share_a: SealedSecret
    proof: Annotated[str, Meta(max_length=72 * 1024)]
    mandate: ShownMandate | None = None
    cosigned: Annotated[list[Cosigned], Meta(max_length=MAX_COSIGNED)] = field(default_factory=list)


def parse_regie_sealed(value: Any) -> RegieSealed:
    """Form, and the terms' own rules. Raises `Rejected`: `bad_form`, `bad_terms`, `flags_missing`."""
    sealed = convert(value, RegieSealed)
    check_terms(sealed.terms)
    return sealed


def xor(first: bytes, *others: bytes) -> bytes:
    """Of strings of one length."""
    for other in others:
        first = bytes(left ^ right for left, right in zip(first, other, strict=True))
    return first


def claim_share(b: bytes, digest: bytes) -> bytes:
    """What is released for one attribute: HMAC(b, `regie/claim/v1` || digest), 32 bytes.

    Where operators hold the shares, b is all pieces joined (32 bytes each), and the share the XOR over them.
    """
    if len(b) == SHARE_BYTES:
        return hmac_sha256(b, b"regie/claim/v1", digest)
    pieces = (b[start : start + SHARE_BYTES] for start in range(0, len(b), SHARE_BYTES))
    return xor(*(hmac_sha256(piece, b"regie/claim/v1", digest) for piece in pieces))


def share_digest(share: bytes) -> bytes:
    """T.share: H(`regie/share/v1` || claim share), so that a lying log and a lying wallet can be told apart."""
    return sha256(b"regie/share/v1", share)


def disclosure_key(a: bytes, share: bytes, lock: bytes) -> bytes:
    """Key of one disclosure: HKDF(a || claim share, salt = lock, `regie/disclosure/v1`), 32 bytes."""
    if (len(a), len(share), len(lock)) != (SHARE_BYTES, SHARE_BYTES, 32):
        raise ValueError("shares and lock are 32 bytes")
    return hkdf_sha256(a + share, b"regie/disclosure/v1", salt=lock)


def make_claim(place: Place, disclosure: str, b: bytes) -> Claim:
    """The claim of T for one disclosure (base64url, as the issuer made it).

    Raises `Rejected`: `too_large` when it does not fit its padded size, `unknown_vct`, `unknown_attribute`.
    """
    if not fits(place.vct, place.name, disclosure):
        raise Rejected("too_large", "disclosure is larger than its attribute's padded size")
    digest = digest_of(disclosure)
    return Claim(
        credential=place.credential,
        vct=place.vct,
        path=[place.name],
        digest=b64u_encode(digest),
        size=_size(place),
        share=b64u_encode(share_digest(claim_share(b, digest))),
    )


def _size(place: Place) -> Any:
    """The vocabulary's sizes are the three that `Claim` takes; `check_terms` compares them again."""
    return attribute(place.vct, place.name).size


def seal_presentation(
    terms: Terms,
    disclosures: Mapping[str, str],
    a: bytes,
    b: bytes,
    kem_key: bytes,
    random: Callable[[int], bytes],
) -> tuple[list[SealedDisclosure], bytes]:
    """The sealed disclosures in the order of T, and `share_a`: a sealed to the agency's `kem_key`.

    `disclosures`: base64url disclosures under their digest (b64u). `a` and `b` (as for `claim_share`) MUST be
    fresh for each grant version. Raises `Rejected`: `bad_key`; `ValueError` when a disclosure does not belong to
    these terms.
    """
    binding = terms_hash(terms)
    lock = b64u_decode(terms.lock)
    sealed = []
    for claim in terms.claims:
        digest, disclosure = b64u_decode(claim.digest), disclosures[claim.digest]
        share = claim_share(b, digest)
        if digest_of(disclosure) != digest or share_digest(share) != b64u_decode(claim.share):
            raise ValueError("disclosure or b is not the one of these terms")
        nonce = random(NONCE_BYTES)
        padded = pad(disclosure.encode("ascii"), claim.size)
        ciphertext = aead_seal(disclosure_key(a, share, lock), nonce, padded, binding + digest)
        sealed.append(SealedDisclosure(claim.digest, b64u_encode(nonce), b64u_encode(ciphertext)))
    return sealed, hpke_seal(kem_key, a, b"regie/share-a/v1" + binding)


def open_share_a(private: KemPrivate, terms: Terms, share_a: bytes) -> bytes:
    """a, 32 bytes, with the agency's key. Raises `Rejected`: `bad_share_a`."""
    return _open_secret(private, share_a, b"regie/share-a/v1" + terms_hash(terms), "bad_share_a")


def seal_deposit(deposit_key: bytes, terms: Terms, b: bytes) -> bytes:
    """b sealed to the log's deposit key, for `POST /v1/grants`: 1168 bytes. Raises `Rejected`: `bad_key`."""
    return hpke_seal(deposit_key, b, b"regie/deposit/v1" + terms_hash(terms))


def open_deposit(private: KemPrivate | Sequence[KemPrivate], terms: Terms, deposit: bytes) -> bytes:
    """b, 32 bytes; the log opens a deposit at once and never stores it. `private`: several while keys rotate.

    Raises `Rejected`: `bad_deposit`.
    """
    *others, last = [private] if isinstance(private, KemPrivate) else private
    info = b"regie/deposit/v1" + terms_hash(terms)
    for key in others:
        with contextlib.suppress(Rejected):
            return _open_secret(key, deposit, info, "bad_deposit")
    return _open_secret(last, deposit, info, "bad_deposit")


def _open_secret(private: KemPrivate, sealed: bytes, info: bytes, code: str) -> bytes:
    try:
        secret = hpke_open(private, sealed, info)
    except Rejected as error:
        raise Rejected(code, "not sealed to this key for these terms") from error
    if len(secret) != SHARE_BYTES:
        raise Rejected(code, "a share is 32 bytes")
    return secret


def check_deposit(terms: Terms, b: bytes) -> None:
    """Every T.share is recomputed from b, so that nothing is granted that can never be opened.

    Raises `Rejected`: `bad_deposit`.
    """
    for claim, share in zip(terms.claims, claim_shares(terms.claims, b), strict=True):
        if not is_equal(share_digest(share), b64u_decode(claim.share)):
            raise Rejected("bad_deposit", "the deposit does not make the shares of these terms")


def claim_shares(claims: Sequence[Claim], b: bytes) -> list[bytes]:
    """The shares of `claims`, in their order: what a release holds."""
    return [claim_share(b, b64u_decode(claim.digest)) for claim in claims]


def check_share(claim: Claim, share: bytes) -> None:
    """The share that came is the one in T: else the log lies. Raises `Rejected`: `share_mismatch`."""
    if not is_equal(share_digest(share), b64u_decode(claim.share)):
        raise Rejected("share_mismatch", "the log released another share than the terms name")


def open_disclosure(
    terms: Terms, claim: Claim, sealed: SealedDisclosure, a: bytes, share: bytes, *, binding: bytes
) -> str:
    """The disclosure (base64url) of one claim; `binding` = H(JCS(T)), computed once for all of them.

    Call `check_share` first: then a failure here is the wallet's doing. Raises `Rejected`: `digest_mismatch`.
    """
    digest = b64u_decode(claim.digest)
    try:
        key = disclosure_key(a, share, b64u_decode(terms.lock))
        nonce, ciphertext = b64u_decode(sealed.nonce), b64u_decode(sealed.ciphertext)
        disclosure = unpad(aead_open(key, nonce, ciphertext, binding + digest)).decode("ascii")
    except (Rejected, UnicodeDecodeError) as error:
        raise Rejected("digest_mismatch", "the wallet sealed something else or under another key") from error
    if digest_of(disclosure) != digest:
        raise Rejected("digest_mismatch", "the wallet sealed another disclosure than the terms name")
    return disclosure


def check_sealed_form(terms: Terms, sealed: Sequence[SealedDisclosure]) -> None:
    """Every digest of T once, in its order, and each ciphertext of exactly the attribute's padded size.

    Raises `Rejected`: `bad_sealed`.
    """
    if [item.digest for item in sealed] != [claim.digest for claim in terms.claims]:
        raise Rejected("bad_sealed", "not exactly one sealed disclosure for each claim")
    for claim, item in zip(terms.claims, sealed, strict=True):
        if len(b64u_decode(item.ciphertext)) != claim.size + AEAD_OVERHEAD:
            raise Rejected("bad_sealed", "a sealed disclosure does not have its attribute's size")


def grant_opening(terms: Terms) -> bytes:
    """What a grant leaf commits to: JCS(T)."""
    return terms_bytes(terms)


def grant_leaf(terms: Terms, slot: int, opening_key: bytes) -> Grant:
    """The leaf that this grant has in the log if the log is honest."""
    commit = commitment(opening_key, LeafType.GRANT, grant_opening(terms))
    return Grant(slot, b64u_decode(terms.lock), commit)
