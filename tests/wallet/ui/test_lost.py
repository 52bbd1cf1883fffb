"""A lost phone: what the paper and the open wallet can stop, and what nobody can."""

import pytest

from protocol.revocation_code import format_code, format_paper_qr
from tests.wallet.conftest import Resident
from tests.wallet.ui.face import Face
from wallet.errand_grant import grant
from wallet.records import Choice
from wallet.state import state_of
from wallet.ui.lost import split_codes


def give(holder: Resident, face: Face) -> str:
    """A grant, by the command line's errand."""
    with face.keeper.in_use() as wallet:
        return grant(wallet, holder.neighbours.agency.ask(), Choice()).id


def code_of(face: Face, number: str) -> str:
    with face.keeper.in_use() as wallet:
        return format_code(wallet.code(wallet.grant(number)))


def state(face: Face, number: str) -> str:
    with face.keeper.in_use() as wallet:
        return state_of(wallet.grant(number), wallet.now())


def test_recovery_sheet_shows_the_code_of_every_agreement_that_runs(face: Face, holder: Resident) -> None:
    number = give(holder, face)
    page = face.get("/recovery-sheet").text
    assert "".join(f"<span>{part}</span> " for part in code_of(face, number).split()) in page
    assert f"Agreement {number}" in page
    face.post("/lost/everything")
    assert "Nothing to stop" in face.get("/recovery-sheet").text


def test_everything_is_stopped_at_once(face: Face, holder: Resident) -> None:
    number = give(holder, face)
    assert "You have 1 agreement." in face.get("/lost/everything").text
    assert face.post("/lost/everything", page="/lost/everything").location == "/"
    assert state(face, number) in ("stopped", "stopping")
    assert "nothing to stop" in face.get("/lost/everything").text


def test_code_of_the_paper_stops_without_a_passphrase(face: Face, holder: Resident) -> None:
    number = give(holder, face)
    code = code_of(face, number)
    face.post("/lock")
    answer = face.post("/lost", {"codes": code})
    assert answer.status_code == 200
    assert "Code 1: stopped" in answer.text
    assert not face.keeper.is_open
    face.unlock()
    assert all(given.revoked is not None for given in holder.neighbours.log.grants)


def test_code_of_nothing_stops_nothing(face: Face, holder: Resident) -> None:
    number = give(holder, face)
    answer = face.post("/lost", {"codes": format_code(bytes(16))})
    assert "nothing has this code" in answer.text
    assert state(face, number) == "active"


@pytest.mark.parametrize("text", ["", "  \n ", "9" * 40 + "\n" + "x" * 200, "\n".join(["1"] * 41 * 51)])
def test_what_is_no_code_is_said_to_be_none(face: Face, text: str) -> None:
    answer = face.post("/lost", {"codes": text})
    assert "not a code" in answer.text or "nothing has this code" in answer.text
    assert "xxxxx" not in answer.text


def test_codes_are_told_apart_however_they_are_typed() -> None:
    first, second = "0123456789" * 4, "9876543210" * 4
    in_groups = " ".join(first[place : place + 4] for place in range(0, 40, 4))
    qr = format_paper_qr("https://log.example", bytes(16))
    assert split_codes(f"{in_groups}\n{second}") == [first, second]
    assert split_codes(f"{first[:20]}\n{first[20:]}\n\n{second}") == [first, second]
    assert split_codes(first.replace("4", "4-", 1)) == [first]
    assert split_codes(f"{qr}\n{first}") == [qr, first]
    assert split_codes("123") == ["123"]
