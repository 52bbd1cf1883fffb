"""The keys that copies are bound to, by the proofs of a credential request (OpenID4VCI 1.0 section 8.2, F). Pure.

    jwt            a proof for each key; with a key attestation in its header it stands for all attested keys (F.1)
    attestation    one key attestation, which holds the c_nonce itself (F.3)

Which kinds of key storage are good enough is **not** asked: no provider is refused for what it does not claim.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from protocol.canonical import parse_json
from protocol.credential_request import AskedCredential
from protocol.errors import Rejected
from protocol.issuer_metadata import BATCH_SIZE
from protocol.key_attestation import (
    MAX_KEY_ATTESTATION_BYTES,
    MAX_NONCE,
    VerifiedKeyAttestation,
    parse_key_attestation,
    verify_key_attestation,
)
from protocol.key_proof import UnverifiedKeyProof, parse_key_proofs, verify_key_proofs
from protocol.keys import Es256Public
from protocol.trust_list import TrustList

Trust = Callable[[], TrustList]


@dataclass(frozen=True)
class ShownProofs:
    """Proofs of good form; `refusal` if one has none. The caller MUST spend all `nonces` before it looks at it."""

    nonces: tuple[str, ...]
    proofs: tuple[UnverifiedKeyProof, ...]
    attestation: str | None
    refusal: Rejected | None


def read_proofs(asked: AskedCredential) -> ShownProofs:
    """What can be read of the proofs before anything is verified."""
    if asked.proof_type == "attestation":
        (token,) = asked.proofs
        try:
            return ShownProofs((_nonce_of(token),), (), token, None)
        except Rejected as error:
            return ShownProofs((), (), token, Rejected("invalid_proof", error.detail))
    proofs, refusal = parse_key_proofs(asked.proofs)
    return ShownProofs(tuple(proof.nonce for proof in proofs), proofs, None, refusal)


def _nonce_of(token: str) -> str:
    jws = parse_key_attestation(token)
    claims = parse_json(jws.payload, max_bytes=MAX_KEY_ATTESTATION_BYTES, floats=True)
    nonce = claims.get("nonce") if isinstance(claims, dict) else None
    if not isinstance(nonce, str) or not 0 < len(nonce) <= MAX_NONCE:
        raise Rejected("invalid_proof", "the key attestation has no c_nonce")
    return nonce


def verify_holders(
    shown: ShownProofs, *, audience: str, client_id: str | None, now: int, trust: Trust | None
) -> tuple[Es256Public, ...]:
    """The keys, in the order of the proofs. 1. every proof is good (`verify_key_proofs`); 2. every attestation
    is by a listed provider, holds the proof's key, and its nonce, where there is one, is the proof's; 3. no key
    twice and no more than a batch.

    `trust`: None for an issuer that knows no wallet providers. Raises `Rejected`: `invalid_proof`; `Unavailable`.
    """
    if shown.attestation is not None:
        return _attested(shown.attestation, trust, now).keys
    keys = verify_key_proofs(shown.proofs, audience=audience, now=now, client_id=client_id)  # 1
    holders: list[Es256Public] = []
    for key, proof in zip(keys, shown.proofs, strict=True):
        holders += (
            [key] if proof.attestation is None else _attested_with(proof, proof.attestation, trust, now)
        )  # 2
    if len(set(holders)) != len(holders) or len(holders) > BATCH_SIZE:  # 3
        raise Rejected("invalid_proof", f"keys are all different and at most {BATCH_SIZE}")
    return tuple(holders)


def _attested_with(proof: UnverifiedKeyProof, token: str, trust: Trust | None, now: int) -> Sequence[Es256Public]:
    found = _attested(token, trust, now)
    if proof.key not in found.keys or found.nonce not in (None, proof.nonce):
        raise Rejected("invalid_proof", "the key attestation is not for this proof")
    return found.keys


def _attested(token: str, trust: Trust | None, now: int) -> VerifiedKeyAttestation:
    if trust is None:
        raise Rejected("invalid_proof", "this issuer knows no wallet providers")
    return verify_key_attestation(token, trust=trust(), now=now)
