"""Opening and closing the wallet in a browser."""

import pytest

from tests.wallet.conftest import Resident
from tests.wallet.ui.face import PASSPHRASE, Face
from wallet.ui.session import HOLD_SECONDS


def test_locked_wallet_leads_to_unlock_and_back(face: Face) -> None:
    face.post("/lock")
    answer = face.get("/settings")
    assert answer.status_code == 303
    assert answer.location == "/unlock?next=/settings"
    back = face.post("/unlock", {"passphrase": PASSPHRASE, "next": "/settings"}, page=answer.location)
    assert back.location == "/settings"
    assert face.get("/settings").status_code == 200


def test_form_that_was_sent_too_late_does_nothing_and_comes_back(face: Face) -> None:
    face.post("/lock")
    late = {"/backup": "/unlock?next=/backup", "/settings/idle": "/unlock"}
    for path, expected in late.items():
        answer = face.post(path, {"passphrase": PASSPHRASE, "idle_minutes": "5"}, page="/unlock")
        assert answer.location == expected
    face.unlock()
    assert face.keeper.preferences().idle_minutes == 15


def test_wrong_passphrase_opens_nothing(face: Face) -> None:
    face.post("/lock")
    answer = face.post("/unlock", {"passphrase": "vijf gele fietsen"}, page="/unlock")
    assert answer.status_code == 403
    assert "does not fit" in answer.text
    assert not face.keeper.is_open


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"]
)
def test_attack_next_page_leads_to_another_site(face: Face, elsewhere: str) -> None:
    face.post("/lock")
    answer = face.post("/unlock", {"passphrase": PASSPHRASE, "next": elsewhere}, page="/unlock")
    assert answer.location == "/"


def test_wallet_locks_itself_when_nobody_is_there(face: Face, holder: Resident) -> None:
    clock = holder.neighbours.clock
    clock.advance(14 * 60)
    assert face.get("/settings").status_code == 200
    clock.advance(15 * 60)
    assert face.get("/settings").status_code == 303
    assert not face.keeper.is_open


def test_asking_whether_it_is_open_does_not_keep_it_open(face: Face, holder: Resident) -> None:
    for _ in range(14):
        holder.neighbours.clock.advance(60)
        assert "data-go" not in face.get("/awake").text
    assert "Are you still there?" in face.get("/awake").text
    holder.neighbours.clock.advance(60)
    assert 'data-go="/unlock' in face.get("/awake").text
    assert not face.keeper.is_open


def test_answering_the_warning_keeps_it_open(face: Face, holder: Resident) -> None:
    clock = holder.neighbours.clock
    clock.advance(14 * 60)
    answer = face.post("/awake", {"back": "/settings"}, page="/settings")
    assert answer.location == "/settings"
    clock.advance(14 * 60)
    assert face.get("/settings").status_code == 200


def test_page_with_a_decision_waits_longer_and_says_so(face: Face, holder: Resident) -> None:
    face.keeper.touch(hold=True)
    holder.neighbours.clock.advance(HOLD_SECONDS - 90)
    assert "Are you still there?" in face.get("/awake").text
    assert face.keeper.is_open


def test_other_idle_time_counts_from_now_on(face: Face, holder: Resident) -> None:
    assert face.post("/settings/idle", {"idle_minutes": "5"}, page="/settings").status_code == 303
    holder.neighbours.clock.advance(5 * 60)
    assert face.get("/settings").status_code == 303


def test_idle_time_that_is_none_is_refused(face: Face) -> None:
    assert face.post("/settings/idle", {"idle_minutes": "100000"}, page="/settings").status_code == 400
    assert face.keeper.preferences().idle_minutes == 15


def test_older_file_is_accepted_only_when_the_resident_says_so(holder: Resident) -> None:
    vault = holder.home.file("wallet.db")
    old = vault.read_bytes()
    face = Face(holder.home.path, fetcher=holder.neighbours, clock=holder.neighbours.clock)
    face.unlock()
    face.post("/settings/idle", {"idle_minutes": "5"}, page="/settings")
    face.keeper.lock()
    vault.write_bytes(old)
    refused = face.post("/unlock", {"passphrase": PASSPHRASE}, page="/unlock")
    assert refused.status_code == 409
    assert 'name="accept_older"' in refused.text
    assert not face.keeper.is_open
    assert face.post("/unlock", {"passphrase": PASSPHRASE, "accept_older": "1"}, page="/unlock").status_code == 303
    face.keeper.lock()
