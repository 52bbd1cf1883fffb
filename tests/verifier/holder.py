"""A wallet with any cards, which answers a request as DCQL and the format registry have it: no more than is asked.

Import as `from tests.verifier.holder import Holder`.
"""

from collections.abc import Sequence
from typing import Any

from protocol.anchors import Anchors, StrangerIssuer
from protocol.dcql import Candidate, match
from protocol.formats import Challenge, credential_format
from protocol.keys import Es256Private
from protocol.openid4vp import VerifiedRequest
from tests.protocol import builders, foreign
from tests.protocol.builders import NOW

SD_JWT_VC = credential_format("dc+sd-jwt")
ELDERS = Anchors(issuers=[StrangerIssuer(name="Elders", roots=builders.FOREIGN.roots, vcts=["*"])])
"""Of a home that trusts the foreign issuer for whatever is not our vocabulary."""


class Holder:
    """Cards with the key of each; `pid` is the foreign one of `tests.protocol.foreign`."""

    def __init__(self, *cards: tuple[str, Es256Private]) -> None:
        self.cards = cards or ((foreign.pid(), builders.HOLDER),)

    def vp_token(
        self, request: VerifiedRequest, *, extra: Sequence[str] = (), **changes: Any
    ) -> dict[str, list[str]]:
        """Every query that must be answered, and the optional ones in `extra`; all candidates where many may come.

        `changes` are arguments of `CredentialFormat.present`.
        """
        found = match(request.query, [SD_JWT_VC.read_card(text) for text, _ in self.cards])
        token = {}
        for name in (*found.required, *extra):
            candidates = found.candidates[name]
            chosen = candidates if request.query.credential(name).multiple else candidates[:1]
            token[name] = [self.present(request, candidate, **changes) for candidate in chosen]
        return token

    def present(self, request: VerifiedRequest, candidate: Candidate, **changes: Any) -> str:
        """One presentation of exactly what the query wants."""
        text, key = self.cards[candidate.index]
        challenge = Challenge(request.client_id, request.nonce)
        return SD_JWT_VC.present(text, candidate.paths, key, challenge, NOW, **changes)
