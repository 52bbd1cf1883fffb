"""A resident looks back in the browser: agreements, stopping, activities, rights; with a network and without."""

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest

from protocol.reading import one_month_after
from tests.protocol.builders import DAY, NOW
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import AGENCY_HOST, COSIGNER_HOST, LOG_HOST, Neighbours, second_agency
from tests.wallet.ui.face import Face
from wallet.errand_grant import grant
from wallet.errand_history import look_back
from wallet.errand_request import decline, share_once
from wallet.opened import OpenWallet
from wallet.records import Choice, Evidence, ShareChoice
from wallet.state import state_of
from wallet.ui.jobs import job_of
from wallet.ui.work import MESSAGES, SEARCH, STOP, SYNC


def text_of(page: str) -> str:
    """What a page says, without its markup."""
    main = page.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", main)))


def settled(face: Face, kind: str) -> None:
    """Wait for a job of ours; it takes milliseconds here."""
    for _ in range(500):
        job = job_of(face.keeper, kind)
        if job is not None and not job.is_running:
            return
        time.sleep(0.01)
    raise AssertionError(f"{kind} does not end")


def says(face: Face, path: str) -> str:
    answer = face.get(path)
    assert answer.status_code == 200, answer.text
    return text_of(answer.text)


@pytest.fixture
def given(face: Face, neighbours: Neighbours) -> int:
    """The slot of agreement 1, which was read once."""
    with face.keeper.in_use() as wallet:
        slot = grant(wallet, neighbours.agency.ask(max_reads=5), Choice()).record.slot
        assert slot is not None
        neighbours.clock.time += 60
        neighbours.log.read(slot, "postcode")
        look_back(wallet, "1")
    return slot


def test_resident_sees_what_is_shared_and_for_how_long(face: Face, given: int) -> None:
    page = says(face, "/agreements")
    assert "Gemeente Voorbeeld" in page or "Voorbeeld" in page
    assert "Active" in page
    assert "left" in page
    assert "Viewed 1 time" in page
    one = says(face, "/agreements/1")
    assert "Postal code" in one
    assert "They may look 4 more times." in one
    assert "Stop sharing" in one
