"""Grants that several parties sign: what the wallet believes of the issuer's board."""

from typing import Any

import pytest

from protocol.mandate_api import BoardAnswer, BoardProposal, Cosigned, Proposal
from tests.protocol import mandates
from tests.protocol.builders import NOW
from tests.wallet import delegates
from tests.wallet.neighbours import Neighbours
from wallet.choose import choose_copies
from wallet.errand_acting import acting_of
from wallet.errand_joint import agree, proposals
from wallet.errand_request import read_request
from wallet.grant import decide_grant, draft_grant, presented_query
from wallet.opened import OpenWallet
from wallet.records import Choice
from wallet.seed import mandate_code

JUNK = "a.b.c~d.e.f"
BOTH = mandates.token(signers=[[1], [2]])


class Board:
    """What an issuer shows of a board, and what was sent to it."""

    def __init__(self, wallet: OpenWallet, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch) -> None:
        acting = acting_of(wallet, delegates.hold(wallet, BOTH))
        request = read_request(wallet, neighbours.agency.ask())
        decision = decide_grant(request, Choice())
        query = presented_query(request, decision)
        chosen = choose_copies(wallet.copies(), query, decision.agency.id, NOW, mandate=acting.hash)
        draft = draft_grant(
            request,
            decision,
            chosen,
            wallet.trust_list().log(decision.element.log.origin),
            code=mandate_code(acting.record, 0),
            now=NOW,
            random=wallet.random,
            mandate=acting.verified,
        )
        self.proposal = Proposal(2, request.token, request.client_id, draft.body.terms, JUNK)
        self.cosigned: list[Cosigned] = []
        self.sent: list[Cosigned] = []
        monkeypatch.setattr(wallet.peers.mandates, "board", self.answer)
        monkeypatch.setattr(wallet.peers.mandates, "cosign", self.take)

    def answer(self, *_: Any) -> BoardAnswer:
        return BoardAnswer([BoardProposal(1, NOW, NOW + 3600, self.proposal, self.cosigned)])

    def take(self, issuer: str, mandate: str, seed: bytes, number: int, body: Cosigned) -> BoardAnswer:
        self.sent.append(body)
        return self.answer()


@pytest.fixture
def board(wallet: OpenWallet, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch) -> Board:
    return Board(wallet, neighbours, monkeypatch)


def test_junk_co_signature_in_our_name_does_not_keep_us_from_signing(wallet: OpenWallet, board: Board) -> None:
    client_id, terms = board.proposal.client_id, board.proposal.terms
    other = mandates.cosigned(BOTH, terms, party=2, audience=client_id)
    board.cosigned = [Cosigned(1, JUNK), Cosigned(1, other)]
    (waiting,) = proposals(wallet)
    assert not waiting.is_signed
    agree(wallet, waiting)
    (sent,) = board.sent
    board.cosigned = [Cosigned(1, JUNK), sent]
    assert [one.is_signed for one in proposals(wallet)] == [True]
