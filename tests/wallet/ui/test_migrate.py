"""Moving in the browser: a file out, a file in, what is still to be asked for."""

import io
from typing import Any

import pytest

from tests.wallet.test_migrate import GOOD, INFO, PASSWORD, sealed
from tests.wallet.ui.face import PASSPHRASE, Face
from tests.wallet.ui.test_request import text_of

OUT, IN, PAGE = "/settings/move/out", "/settings/move/in", "/settings/move"
ENTRY = {
    "transactionIdentifier": "1",
    "time": "2026-01-01T00:00:00",
    "transactionType": "Presentation",
    "transactionResult": "Completed",
    "presentation": {"interactingPartyName": "<b>Haagse Bank</b>"},
}


def take_in(face: Face, token: bytes | str, password: str = PASSWORD.decode()) -> Any:
    data = token.encode() if isinstance(token, str) else token
    return face.post(IN, {"file": (io.BytesIO(data), "old.jwe"), "file_password": password}, page=PAGE)


def test_resident_takes_a_file_along_and_puts_it_into_the_next_wallet(face: Face) -> None:
    told = face.post(OUT, {"password": PASSWORD.decode(), "again": PASSWORD.decode()}, page=PAGE)
    assert told.headers["Content-Disposition"].startswith('attachment; filename="wallet-20')
    assert told.headers["Cache-Control"] == "no-store"
    assert take_in(face, told.data).location == PAGE
    page = text_of(face.get(PAGE).text)
    assert " came along." in page
    assert "Ask for these cards anew" not in page  # they are all here


def test_log_and_missing_cards_of_another_maker_are_shown_as_its_word(face: Face) -> None:
    assert take_in(face, sealed(GOOD | {"transactionLog": [ENTRY], "listOfCredentials": [INFO]})).location == PAGE
    page = face.get(PAGE).text
    assert "1 activity came along." in page
    assert "No log proves it here." in page
    assert "<b>Haagse" not in page
    assert "Ask for it where you had it from." in page
    assert "Haagse Bank" not in face.get("/activities").text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": "12345678", "again": "12345678"}, "too easy to guess"),
        ({"password": "drie rode tafels", "again": "drie rode stoelen"}, "not the same"),
    ],
)
def test_password_of_the_file_has_to_be_good(face: Face, fields: dict[str, str], words: str) -> None:
    answer = face.post(OUT, fields, page=PAGE)
    assert answer.status_code == 422
    assert words in answer.text


@pytest.mark.parametrize(
    ("token", "password", "words"),
    [
        (b"", "x", "not of another wallet"),
        (b"\xff\x00", "x", "not of another wallet"),
        (sealed(GOOD), PASSPHRASE, "does not fit"),
        (sealed([]), PASSWORD.decode(), "not of another wallet"),
    ],
)
def test_attack_file_that_is_no_file_of_a_wallet_changes_nothing(
    face: Face, token: bytes | str, password: str, words: str
) -> None:
    with face.keeper.in_use() as wallet:
        counter = wallet.vault.counter
    answer = take_in(face, token, password)
    assert answer.status_code == 422
    assert words in answer.text
    with face.keeper.in_use() as wallet:
        assert wallet.vault.counter == counter
