"""An issuer whose every answer is spoiled somewhere: the wallet refuses or takes it, and never falls over.

A refusal leaves no card behind; what may stay is a right to come back, with a promise or without.
REGIE_SPOILED_ANSWERS=60 spoils ten times as many.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Response

from protocol.errors import RegieError
from tests.conformance.foreign_issuer import ForeignIssuer
from tests.conformance.held_cards import Holder
from tests.protocol.spoiling import dump, spoil
from tests.wallet.issuer_home import fetch, trusting
from wallet.errand_refill import refill
from wallet.records import Access, Awaited

ROUNDS = int(os.environ.get("REGIE_SPOILED_ANSWERS", "6"))


@pytest.fixture(scope="module")
def issuer() -> Iterator[ForeignIssuer]:
    with ForeignIssuer() as running:
        running.dpop_nonces = True
        yield running


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory, issuer: ForeignIssuer) -> Holder:
    made = Holder(Path(tmp_path_factory.mktemp("spoiled")))
    made.create()
    trusting(made, issuer)
    return made


@pytest.mark.parametrize(
    "document", ["metadata", "server", "attestation", "par", "token", "nonce", "credential", "deferred"]
)
def test_spoiled_answer_is_taken_or_refused(holder: Holder, issuer: ForeignIssuer, document: str) -> None:
    issuer.defers = issuer.ready = document == "deferred"
    with holder.open() as wallet:
        for number in range(ROUNDS):
            chance = random.Random(f"{document} {number}")

            def change(value: Any, chance: random.Random = chance) -> Response:
                return Response(dump(spoil(chance, value)), content_type="application/json")

            issuer.change = {document: change}
            before = wallet.copies()
            refused = False
            try:
                fetch(wallet, issuer.offer(), seconds=1)
            except RegieError:
                refused = True
            assert not refused or wallet.copies() == before, number
            holder.clock.time += 10
            issuer.allow_time(10)
            refill(wallet)
            _forget(wallet)
        issuer.change = {}


def _forget(wallet: Any) -> None:
    """The next round starts without promises."""
    with wallet.vault.transaction():
        for table, kind in (("awaited", Awaited), ("accesses", Access)):
            for name in wallet.vault.all(table, kind):
                wallet.vault.delete(table, name)
