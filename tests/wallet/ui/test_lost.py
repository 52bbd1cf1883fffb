"""A lost phone: what the paper and the open wallet can stop, and what nobody can."""

import pytest
from msgspec.structs import replace

from protocol.revocation_code import format_code, format_paper_qr, format_stop_digits, format_stop_qr
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import COSIGNER_HOST, LOG_HOST
from tests.wallet.ui.face import Face
from wallet.errand_grant import grant
from wallet.records import Choice
from wallet.seed import stop_seed
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


def paper_of(face: Face) -> bytes:
    with face.keeper.in_use() as wallet:
        return stop_seed(wallet.secrets())


@pytest.mark.parametrize("scanned", [False, True])
@pytest.mark.parametrize(("field", "address"), [("paper", "/lost/paper"), ("codes", "/lost")])
def test_stop_paper_stops_everything_without_a_passphrase(
    face: Face, holder: Resident, field: str, address: str, scanned: bool
) -> None:
    give(holder, face)
    paper = paper_of(face)
    face.post("/lock")
    answer = face.post(address, {field: format_stop_qr(paper) if scanned else format_stop_digits(paper)})
    assert "1 agreement has ended" in answer.text
    assert not face.keeper.is_open
    assert all(given.revoked is not None for given in holder.neighbours.log.grants)


def test_stop_paper_is_shown_by_the_open_wallet_alone(face: Face) -> None:
    digits = format_stop_digits(paper_of(face))
    shown = "".join(f"<span>{part}</span> " for part in digits.split())
    assert shown in face.get("/stop-paper").text
    face.post("/lock")
    assert face.get("/stop-paper").status_code == 303


def test_wallet_of_before_points_to_the_recovery_sheet(face: Face) -> None:
    with face.keeper.in_use() as wallet, wallet.vault.transaction():
        wallet.keep_secrets(replace(wallet.secrets(), codes=1))
    assert "Your wallet has no stop paper" in face.get("/stop-paper").text


@pytest.mark.parametrize(
    ("paper", "words"),
    [("", "not the number"), ("1" * 44, "not the number"), (format_stop_digits(bytes(16)), "nothing belongs")],
)
def test_attack_wrong_or_mistyped_paper_stops_nothing_and_is_not_repeated(
    face: Face, holder: Resident, paper: str, words: str
) -> None:
    number = give(holder, face)
    answer = face.post("/lost/paper", {"paper": paper})
    assert answer.status_code == 422
    assert words in answer.text
    assert not paper or paper not in answer.text
    assert state(face, number) == "active"


def test_paper_waits_while_the_log_is_away(face: Face, holder: Resident) -> None:
    give(holder, face)
    holder.neighbours.down = {LOG_HOST, COSIGNER_HOST}
    answer = face.post("/lost/paper", {"paper": format_stop_digits(paper_of(face))})
    assert "Not yet confirmed" in answer.text
