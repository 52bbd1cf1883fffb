"""Who asks: the proofs in the headers of a request, each of them taken once.

    OAuth-Client-Attestation, -PoP   a wallet that a listed provider attests         protocol.client_attestation
    DPoP                             the key that a token is, or will be, bound to   protocol.dpop

Freshness comes from nonces of ours (stateless: module `nonce`), single use from remembering each `jti` for as
long as its proof could be shown again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from issuer import store_oauth
from issuer.nonce import Use, make_nonce, verify_nonce
from protocol.canonical import sha256
from protocol.client_attestation import MAX_CLOCK_SKEW as POP_MAX_AHEAD
from protocol.client_attestation import POP_MAX_AGE, VerifiedClient, verify_client_attestation
from protocol.dpop import DPOP_MAX_AGE, DPOP_MAX_AHEAD, VerifiedDpop, verify_dpop
from protocol.errors import Rejected
from protocol.trust_list import TrustList
from service.clock import Clock
from service.database import immediate

_REMEMBER = max(DPOP_MAX_AGE + DPOP_MAX_AHEAD, POP_MAX_AGE + POP_MAX_AHEAD) + 1


@dataclass(frozen=True)
class Proofs:
    """Headers as they came; None for one that did not."""

    dpop: str | None = None
    attestation: str | None = None
    pop: str | None = None


class Possession:
    """Verifies proofs for one issuer; `trust` says which wallet providers are listed, None for nobody."""

    def __init__(
        self,
        engine: Engine,
        key: bytes,
        clock: Clock,
        random: Callable[[int], bytes],
        issuer: str,
        trust: Callable[[int], TrustList] | None = None,
    ) -> None:
        self._engine = engine
        self._key = key
        self._clock = clock
        self._random = random
        self.issuer = issuer
        self._trust = trust

    def dpop_nonce(self) -> str:
        """A nonce for the next DPoP proof."""
        return make_nonce(self._key, self._clock.now(), self._random, Use.DPOP)

    def challenge(self) -> str:
        """A challenge for the next proof beside a wallet attestation."""
        return make_nonce(self._key, self._clock.now(), self._random, Use.CHALLENGE)

    def trust(self) -> TrustList:
        """The trust list in force. Raises `Rejected`: `unauthorized_client` without one; `Unavailable`."""
        if self._trust is None:
            raise Rejected("unauthorized_client", "this issuer knows no wallet providers")
        return self._trust(self._clock.now())

    def dpop(self, proof: str | None, *, method: str, path: str, access_token: str | None = None) -> VerifiedDpop:
        """1. the proof is for this request, at `path` below the issuer's URL; 2. with a nonce of ours; 3. not seen
        before. Raises `Rejected`: `invalid_dpop_proof`, `use_dpop_nonce`.
        """
        if proof is None:
            raise Rejected("invalid_dpop_proof", "this request needs one DPoP proof")
        now = self._clock.now()
        found = verify_dpop(  # 1
            proof, method=method, uri=self.issuer + path, now=now, access_token=access_token
        )
        self._check_nonce(found.nonce, now, Use.DPOP, "use_dpop_nonce")  # 2
        self._spend("dpop", found.jkt, found.jti, now, "invalid_dpop_proof")  # 3
        return found

    def client(self, proofs: Proofs) -> VerifiedClient:
        """1. a listed provider attests the wallet, which holds the attested key; 2. with a challenge of ours;
        3. not seen before. Raises `Rejected`: `invalid_client` (401), `invalid_client_attestation` (401),
        `use_attestation_challenge`.
        """
        if proofs.attestation is None or proofs.pop is None:
            raise Rejected("invalid_client", "send one wallet attestation and one proof beside it", status=401)
        now = self._clock.now()
        found = verify_client_attestation(  # 1
            proofs.attestation, proofs.pop, trust=self.trust(), audience=self.issuer, now=now
        )
        self._check_nonce(found.challenge, now, Use.CHALLENGE, "use_attestation_challenge")  # 2
        self._spend("client", found.key.thumbprint(), found.jti, now, "invalid_client_attestation")  # 3
        return found

    def _check_nonce(self, nonce: str | None, now: int, use: Use, code: str) -> None:
        try:
            verify_nonce(self._key, nonce or "", now, use)
        except Rejected as error:
            raise Rejected(code, "the proof needs the nonce in the header of this answer") from error

    def _spend(self, kind: str, jkt: str, jti: str, now: int, code: str) -> None:
        name = sha256(kind.encode(), b"\0", jkt.encode(), b"\0", jti.encode())
        with immediate(self._engine) as connection:
            fresh = store_oauth.spend_nonces(connection, {name: now + _REMEMBER}, now)
        if not fresh:
            raise Rejected(code, "this proof was used before", status=401 if kind == "client" else 400)
