"""Looks into agreements are written down for good; who changes the register anyway is found out."""

import sqlite3
from pathlib import Path

import pytest

from auditor.looks import DATABASE, MAX_NOTE_CHARS, REASONS, Looks, check_look
from protocol.errors import Rejected
from service.home import Home
from tests.protocol.builders import NOW


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "auditor").create()
    for n in range(5):
        Looks(made).add(NOW + n, "a.ditor", n % 2, "complaint", f"K-{n}")
    return made


def test_looks_are_numbered_and_shown_newest_first(home: Home) -> None:
    looks = Looks(home)
    assert [look.id for look in looks.page(0, 3)] == [5, 4, 3]
    assert [look.id for look in looks.page(3, 3)] == [2, 1]
    assert [look.note for look in looks.of(1, 10)] == ["K-3", "K-1"]
    assert looks.count() == 5
    assert looks.first_broken() is None


@pytest.mark.parametrize("statement", ["UPDATE case_looks SET note = ''", "DELETE FROM case_looks WHERE id = 2"])
def test_attack_rows_of_the_register_cannot_be_changed(home: Home, statement: str) -> None:
    with sqlite3.connect(home.file(DATABASE)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    assert Looks(home).first_broken() is None


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE case_looks SET note = 'other' WHERE id = 3", 3),
        ("UPDATE case_looks SET who = 'x' WHERE id = 1", 1),
        ("DELETE FROM case_looks WHERE id = 2", 2),
        ("UPDATE case_looks SET slot = 7 WHERE id = 5", 5),
    ],
)
def test_attack_register_changed_around_its_triggers_shows(home: Home, statement: str, broken: int) -> None:
    with sqlite3.connect(home.file(DATABASE)) as connection:
        for event in ("update", "delete"):
            connection.execute(f"DROP TRIGGER case_looks_no_{event}")
        connection.execute(statement)
    assert Looks(home).first_broken() == broken


@pytest.mark.parametrize(
    ("reason", "note", "code"),
    [
        ("curious", "K-1", "no_reason"),
        ("", "K-1", "no_reason"),
        ("sample", "", "no_note"),
        ("sample", " \n ", "no_note"),
        ("sample", "x" * (MAX_NOTE_CHARS + 1), "note_too_long"),
        ("sample", "\x07", "note_too_long"),
    ],
)
def test_look_without_a_reason_is_refused(reason: str, note: str, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        check_look(reason, note)
    assert caught.value.code == code


@pytest.mark.parametrize("reason", REASONS)
def test_look_with_a_reason_and_the_longest_note_is_taken(reason: str) -> None:
    assert check_look(reason, "x" * MAX_NOTE_CHARS) == (reason, "x" * MAX_NOTE_CHARS)
    assert check_look(reason, "  two\n words ") == (reason, "two words")
