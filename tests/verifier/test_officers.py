"""Who reads is named in a sealed account only; two people open it together; nobody reads without an entry."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import Rejected, Unavailable
from protocol.passphrase import PROFILES
from service.home import Home
from tests.protocol.builders import NOW
from tests.verifier.agency import PURPOSE, Agency, Wallet, copy_form
from verifier.account import Act, is_of, open_act, pseudonym, seal_act
from verifier.account_key import make_ring, open_ring
from verifier.account_store import FILE, AccountStore
from verifier.assisted import confirm_help, note_help
from verifier.desk import Desk
from verifier.gate import Purpose
from verifier.look import look, look_once
from verifier.reader import read_grant

ANNA, BEN, CIS = "Privacy officer", "Works council", "Auditor"
WORDS = {ANNA: b"a heron on the pond", BEN: b"seven grey bicycles", CIS: b"the tower in the rain"}
TWO = {name: WORDS[name] for name in (ANNA, CIS)}
LATER = NOW + 1000


def code_of(act: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    with pytest.raises((Rejected, Unavailable)) as info:
        act(*arguments, **named)
    return info.value.code


def granted(agency: Agency, wallet: Wallet) -> str:
    rid, link = agency.ask()
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
    return rid


def begin(agency: Agency) -> int:
    taken_in = agency.desk.officers.begin(WORDS, PROFILES["small"], agency.clock.time)
    agency.clock.time += 1
    return taken_in


def opened(desk: Desk) -> list[tuple[str, str, bool | None]]:
    found = desk.officers.open(TWO, "complaint", NOW - 10, LATER, LATER)
    return [(one.kind, one.officer, one.is_proven) for one in found]


# --- the key ---------------------------------------------------------------------------------------------


def random(size: int, seed: list[int] = [0]) -> bytes:  # noqa: B006 - another value each time
    seed[0] += 1
    return bytes([seed[0] % 251]) * size


def test_any_two_of_three_people_open_the_account_and_no_other_number_of_them() -> None:
    ring = make_ring(WORDS, PROFILES["small"], random)
    for left_out in WORDS:
        private = open_ring(ring, {name: word for name, word in WORDS.items() if name != left_out})
        assert private.public_bytes() == ring.key
    assert code_of(open_ring, ring, {ANNA: WORDS[ANNA]}) == "two_people"
    assert code_of(open_ring, ring, WORDS) == "two_people"


def test_wrong_passphrase_or_name_opens_nothing() -> None:
    ring = make_ring(WORDS, PROFILES["small"], random)
    assert code_of(open_ring, ring, {ANNA: WORDS[ANNA], BEN: WORDS[CIS]}) == "wrong_passphrase"
    assert code_of(open_ring, ring, {ANNA: WORDS[ANNA], "Somebody": WORDS[CIS]}) == "unknown_person"


def test_key_is_dealt_to_different_people_with_different_passphrases() -> None:
    small = PROFILES["small"]
    assert code_of(make_ring, {ANNA: WORDS[ANNA]}, small, random) == "two_people"
    assert code_of(make_ring, {ANNA: WORDS[ANNA], BEN: WORDS[ANNA]}, small, random) == "same_passphrase"
    assert code_of(make_ring, {ANNA: WORDS[ANNA], BEN: b"short"}, small, random) == "weak_passphrase"


def test_sealed_entry_opens_in_its_own_place_only_and_its_length_tells_no_name() -> None:
    ring = make_ring(WORDS, PROFILES["small"], random)
    act, other = Act("officer-17", "Z-1"), Act("o" * 100, "Z-2024-000000000001")
    body = seal_act(ring.key, 3, act)
    assert open_act(open_ring(ring, TWO), 3, body) == act
    assert code_of(open_act, open_ring(ring, TWO), 4, body) == "unsealable"
    assert len(seal_act(ring.key, 3, other)) == len(body)


def test_account_without_salt_or_of_another_read_proves_nothing() -> None:
    assert not is_of(Act("officer-17", "Z-1"), "a.b.c")
    assert not is_of(Act("officer-17", "Z-1", "A" * 43), "a.b.c")


# --- reading ---------------------------------------------------------------------------------------------


def test_each_read_has_an_entry_that_names_the_officer_and_is_proven_by_the_log(
    agency: Agency, wallet: Wallet
) -> None:
    rid = granted(agency, wallet)
    begin(agency)
    look(agency.desk, rid, ["postcode"], PURPOSE, "application")
    read_grant(agency.desk, rid, ["postcode"], Purpose(PURPOSE.case, "night-batch", "batch"))
    assert opened(agency.desk) == [("read", PURPOSE.officer, True), ("read", "night-batch", True)]
    checked = agency.desk.officers.check()
    assert (checked.count, checked.without_entry, checked.without_read) == (4, (), 0)


def test_no_name_of_an_officer_lies_open_in_the_home(agency: Agency, wallet: Wallet) -> None:
    rid, (once, link) = granted(agency, wallet), agency.ask(once=True)
    request = wallet.open(agency, link)
    assert agency.post(once, copy_form(request, wallet.show(request))).status_code == 200
    look(agency.desk, rid, ["postcode"], PURPOSE, "application")  # still in the open
    note_help(agency.desk, agency.ask()[0], "officer-helping")
    assert PURPOSE.officer.encode() in agency.files()
    assert begin(agency) == 2
    look(agency.desk, rid, ["postcode"], PURPOSE, "application")
    look_once(agency.desk, once, PURPOSE, "application")
    for name in (PURPOSE.officer, "officer-helping"):
        assert name.encode() not in agency.files()
    shown = agency.desk.officers.known_as(PURPOSE.officer)
    assert {each.officer for each in agency.desk.store.book.looks(1)[1]} == {shown}
    lines = [line[:2] for line in opened(agency.desk)]
    assert sorted(lines[:2]) == [("known", PURPOSE.officer), ("known", "officer-helping")]
    assert lines[2:] == [("read", PURPOSE.officer), ("copy", PURPOSE.officer)]


def test_attack_copy_is_taken_on_the_command_line_past_the_account(
    agency: Agency, wallet: Wallet, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(agency)
    (first, link), (second, other) = agency.ask(once=True), agency.ask(once=True)
    for rid, at in ((first, link), (second, other)):
        request = wallet.open(agency, at)
        assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
    run("read", first, "--case", "Z-1", "--officer", "officer-17")
    assert opened(agency.desk) == [("copy", "officer-17", None)]

    def full(*_: Any) -> int:
        raise Unavailable("database", "the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(AccountStore, "append", full)
        run("read", second, "--officer", "officer-17", exit_code=3)
    assert run("read", second, "--officer", "officer-18")["values"]


def test_read_without_its_entry_is_not_sent(
    agency: Agency, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rid = granted(agency, wallet)
    begin(agency)
    before = (len(agency.desk.store.reads.all()), agency.log.reads)

    def full(*_: Any) -> int:
        raise Unavailable("database", "the disk is full")

    monkeypatch.setattr(agency.desk.officers.account, "append", full)
    assert code_of(look, agency.desk, rid, ["postcode"], PURPOSE, "application") == "database"
    assert (len(agency.desk.store.reads.all()), agency.log.reads) == before


def test_attack_account_is_switched_off_by_taking_its_key_away(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet)
    begin(agency)
    before = (len(agency.desk.store.reads.all()), agency.log.reads)
    ring = agency.home.read("officers.json")
    agency.home.remove("officers.json")
    agency.start()
    assert code_of(look, agency.desk, rid, ["postcode"], PURPOSE, "application") == "account"
    assert code_of(read_grant, agency.desk, rid, ["postcode"], PURPOSE) == "account"
    assert code_of(begin, agency) == "account"
    assert (len(agency.desk.store.reads.all()), agency.log.reads) == before
    assert PURPOSE.officer.encode() not in agency.files()
    agency.home.write_secret("officers.json", ring)
    agency.start()
    look(agency.desk, rid, ["postcode"], PURPOSE, "application")


def test_four_eyes_stay_four_eyes_under_pseudonyms(agency: Agency, wallet: Wallet) -> None:
    begin(agency)
    rid, link = agency.ask()
    note_help(agency.desk, rid, "officer-1")
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
    assert code_of(confirm_help, agency.desk, rid, "officer-1") == "same_officer"
    confirm_help(agency.desk, rid, "officer-2")
    confirm_help(agency.desk, rid, "officer-2")
    assert code_of(confirm_help, agency.desk, rid, "officer-3") == "helped_already"


def test_attack_officer_confirms_the_own_help_while_an_account_is_half_begun(
    agency: Agency, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rid, link = agency.ask()
    note_help(agency.desk, rid, "officer-1")
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200

    def cut(_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(agency.desk.store.book, "rename_officers", cut)
        with pytest.raises(KeyboardInterrupt):
            begin(agency)
    assert code_of(confirm_help, agency.desk, rid, "officer-1") == "same_officer"
    assert code_of(read_grant, agency.desk, rid, ["postcode"], PURPOSE) == "second_officer"
    confirm_help(agency.desk, rid, "officer-2")
    begin(agency)
    assert code_of(confirm_help, agency.desk, rid, "officer-1") == "same_officer"
    confirm_help(agency.desk, rid, "officer-2")


# --- opening ---------------------------------------------------------------------------------------------


def test_opening_is_an_entry_before_anybody_sees_anything(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet)
    begin(agency)
    look(agency.desk, rid, ["postcode"], PURPOSE, "application")
    opened(agency.desk)
    (one,) = agency.desk.officers.openings()
    assert (one.at, one.is_refused, one.asked.persons, one.asked.reason) == (
        LATER,
        False,
        [CIS, ANNA],
        "complaint",
    )


def test_attack_one_person_opens_with_the_own_passphrase_twice(agency: Agency) -> None:
    begin(agency)
    officers = agency.desk.officers
    before = officers.account.last()
    assert code_of(officers.open, {ANNA: WORDS[ANNA]}, "audit", NOW - 10, LATER, LATER) == "two_people"
    assert officers.account.last() == before
    twice = {ANNA: WORDS[ANNA], BEN: WORDS[ANNA]}
    assert code_of(officers.open, twice, "audit", NOW - 10, LATER, LATER) == "wrong_passphrase"
    assert [one.is_refused for one in officers.openings()] == [True]


def guess(agency: Agency, now: int) -> str:
    """One of the two guesses at the passphrase of the other."""
    return code_of(agency.desk.officers.open, {ANNA: WORDS[ANNA], CIS: b"a guess"}, "audit", NOW - 10, LATER, now)


def test_attack_wrong_passphrase_is_an_entry_that_all_see_and_nobody_takes_away(agency: Agency, run: Any) -> None:
    begin(agency)
    assert guess(agency, LATER) == "wrong_passphrase"
    agency.desk.officers.open(TWO, "complaint", NOW - 10, LATER, LATER + 1)
    told = run("officers", "openings")["openings"]
    assert [(one["at"], one["is_refused"], one["persons"], one["reason"]) for one in told] == [
        (LATER + 1, False, [CIS, ANNA], "complaint"),
        (LATER, True, [CIS, ANNA], "audit"),
    ]
    with sqlite3.connect(agency.home.file(FILE)) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute("DELETE FROM entries WHERE kind = 'refused'")
    assert agency.desk.officers.check().without_entry == ()


def test_attack_passphrase_is_guessed_and_after_five_wrong_ones_none_is_tried(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(agency)
    assert [guess(agency, LATER + second) for second in range(5)] == ["wrong_passphrase"] * 5
    before = agency.desk.officers.account.last()

    def stretched(*_: Any) -> None:
        raise AssertionError("a guess was tried")

    with monkeypatch.context() as watched:
        watched.setattr("verifier.officers.open_ring", stretched)
        for now in (LATER + 5, LATER + 15 * 60 - 1):
            assert guess(agency, now) == "too_many_attempts"
            assert code_of(agency.desk.officers.open, TWO, "audit", NOW - 10, LATER, now) == "too_many_attempts"
    assert agency.desk.officers.account.last() == before
    assert agency.desk.officers.open(TWO, "audit", NOW - 10, LATER, LATER + 15 * 60) == []


def test_attack_many_guesses_at_once_are_no_more_than_one_after_the_other(agency: Agency) -> None:
    begin(agency)
    with ThreadPoolExecutor(8) as pool:
        codes = Counter(pool.map(lambda _: guess(agency, LATER), range(12)))
    assert codes == {"wrong_passphrase": 5, "too_many_attempts": 7}


def test_wrong_passphrase_that_cannot_be_written_down_opens_nothing(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(agency)

    def full(*_: Any) -> int:
        raise Unavailable("database", "the disk is full")

    monkeypatch.setattr(agency.desk.officers.account, "append", full)
    assert guess(agency, LATER) == "database"
    assert code_of(agency.desk.officers.open, TWO, "audit", NOW - 10, LATER, LATER) == "database"


def test_name_that_holds_no_piece_of_the_key_is_not_written_into_the_account(agency: Agency) -> None:
    begin(agency)
    before = agency.desk.officers.account.last()
    stranger = {ANNA: WORDS[ANNA], "Any words at all": b"a guess"}
    assert code_of(agency.desk.officers.open, stranger, "audit", NOW - 10, LATER, LATER) == "unknown_person"
    assert agency.desk.officers.account.last() == before


def test_attack_entry_is_taken_out_of_the_account(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet)
    begin(agency)
    for _ in range(2):
        look(agency.desk, rid, ["postcode"], PURPOSE, "application")
    file = sqlite3.connect(agency.home.file(FILE))
    with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
        file.execute("DELETE FROM entries WHERE n = 2")
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        file.execute("UPDATE entries SET at = 1 WHERE n = 2")
    file.execute("DROP TRIGGER entries_remain")
    file.execute("DELETE FROM entries WHERE n = 2")
    file.commit()
    assert code_of(agency.desk.officers.check) == "broken_account"
    assert code_of(agency.desk.officers.open, TWO, "audit", NOW - 10, LATER, LATER) == "broken_account"
    assert not agency.desk.officers.openings()


def test_attack_last_entry_is_cut_off_and_its_read_is_found_without_one(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet)
    begin(agency)
    look(agency.desk, rid, ["postcode"], PURPOSE, "application")
    file = sqlite3.connect(agency.home.file(FILE))
    file.execute("DROP TRIGGER entries_remain")
    file.execute("DELETE FROM entries WHERE n = 2")
    file.commit()
    (read,) = agency.desk.store.reads.ids()
    assert agency.desk.officers.check().without_entry == (read,)


def test_attack_opening_is_cut_off_or_written_over_and_the_anchor_tells(
    agency: Agency, wallet: Wallet, run: Any, tmp_path: Path
) -> None:
    """Who has the home has all that it takes to make a chain: only what was kept elsewhere speaks against it."""
    rid = granted(agency, wallet)
    begin(agency)
    look(agency.desk, rid, ["postcode"], PURPOSE, "application")
    opened(agency.desk)
    run("evidence", str(tmp_path / "evidence.db"))
    told = run("officers", "check")
    anchor = f"{told['entries']}:{told['head']}"
    meta = dict(sqlite3.connect(tmp_path / "evidence.db").execute("SELECT name, value FROM meta").fetchall())
    assert meta["account"] == anchor
    assert run("officers", "check", "--anchor", anchor)["entries"] == 3
    with sqlite3.connect(agency.home.file(FILE)) as db:
        for trigger in [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]:
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute("DELETE FROM entries WHERE kind = 'opened'")
    assert run("officers", "check")["entries"] == 2  # by itself the file tells nothing
    assert "broken_account" in run("officers", "check", "--anchor", anchor, exit_code=1)
    agency.desk.officers.note_copy(rid, PURPOSE, LATER)
    assert "written anew" in run("officers", "check", "--anchor", anchor, exit_code=1)
    run("officers", "check", "--anchor", "3", exit_code=2)


def test_period_has_a_beginning_before_its_end(agency: Agency) -> None:
    begin(agency)
    assert code_of(agency.desk.officers.open, TWO, "audit", LATER, LATER, LATER) == "bad_period"


def test_account_is_begun_once_and_asked_for_before(agency: Agency) -> None:
    assert code_of(agency.desk.officers.check) == "no_account"
    begin(agency)
    ring = agency.home.read("officers.json")
    assert code_of(begin, agency) == "account_exists"
    assert agency.home.read("officers.json") == ring


def test_attack_beginning_again_gives_no_officer_another_pseudonym(agency: Agency, wallet: Wallet) -> None:
    """Who first read under the account stands in the book under a pseudonym: it is nobody to be taken over."""
    rid = granted(agency, wallet)
    begin(agency)
    look(agency.desk, rid, ["postcode"], PURPOSE, "application")
    before = [each.officer for each in agency.desk.store.book.looks(1)[1]]
    entries = agency.desk.officers.account.last()
    assert code_of(begin, agency) == "account_exists"
    assert [each.officer for each in agency.desk.store.book.looks(1)[1]] == before
    assert agency.desk.officers.account.last() == entries


def test_beginning_that_was_cut_off_goes_on_with_the_same_key(
    agency: Agency, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rid = granted(agency, wallet)
    look(agency.desk, rid, ["postcode"], PURPOSE, "application")
    with monkeypatch.context() as cut:
        cut.setattr(
            agency.desk.store.book, "rename_officers", lambda _: (_ for _ in ()).throw(KeyboardInterrupt())
        )
        with pytest.raises(KeyboardInterrupt):
            begin(agency)
    ring = agency.home.read("officers.json")
    assert begin(agency) == 1
    assert agency.home.read("officers.json") == ring
    assert PURPOSE.officer.encode() not in agency.files()


def test_two_who_begin_at_once_deal_one_key(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    officers = agency.desk.officers
    create, dealt = agency.home.create_secret, []

    def beside(name: str, data: bytes) -> bool:
        if name == "officers-key" and not dealt:
            other = Desk(Home(agency.home.path), agency.desk.parts)
            dealt.append(other.officers.begin(WORDS, PROFILES["small"], NOW))
        return create(name, data)

    monkeypatch.setattr(officers._home, "create_secret", beside)
    assert code_of(begin, agency) == "account_exists"
    agency.start()
    agency.desk.officers.note_copy("a request", PURPOSE, NOW)
    assert opened(agency.desk) == [("copy", PURPOSE.officer, None)]
    assert agency.desk.officers.check().count == 3  # with the opening


def test_beginning_that_was_cut_off_before_its_first_entry_gets_it(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(AccountStore, "append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            begin(agency)
    assert code_of(begin, agency) == "account_exists"
    assert [entry.kind for entry in agency.desk.officers.account.of_kind("begun")] == ["begun"]


def test_commands_begin_check_and_open_the_account(
    agency: Agency, wallet: Wallet, run: Any, tmp_path: Path
) -> None:
    rid = granted(agency, wallet)
    for name, word in WORDS.items():
        (tmp_path / name).write_bytes(word + b"\n")
    persons = {name: f"--person={name}={tmp_path / name}" for name in WORDS}
    begun = run("officers", "init", "--profile", "small", *persons.values())
    assert begun == {"persons": list(WORDS), "taken_over": 0}
    assert "account_exists" in run("officers", "init", "--profile", "small", *persons.values(), exit_code=1)
    agency.clock.time += 1
    run("read", rid, "--case", "Z-1", "--officer", "officer-17", "--only", "postcode")
    checked = run("officers", "check")
    assert (checked["entries"], checked["reads_without_entry"]) == (2, [])
    period = ("--reason", "audit", "--since", "2020-01-01", "--until", "2040-01-01")
    assert "two_people" in run("officers", "open", persons[ANNA], *period, exit_code=1)
    assert run("officers", "openings") == {"openings": []}
    (entry,) = run("officers", "open", persons[ANNA], persons[BEN], *period)["entries"]
    assert (entry["officer"], entry["case"], entry["is_proven"]) == ("officer-17", "Z-1", True)
    assert run("officers", "openings")["openings"][0]["persons"] == [ANNA, BEN]
    assert "officer-17" in run("officers", "open", persons[ANNA], persons[CIS], *period, as_json=False)
    assert f"{CIS} and {ANNA}" in run("officers", "openings", as_json=False)


def test_person_without_a_passphrase_is_told_how_to_give_it(agency: Agency, run: Any) -> None:
    said = run("officers", "init", "--person", ANNA, "--person", BEN, exit_code=2)
    assert "--person NAME=FILE" in said
    assert not agency.home.has("officers.json")


def test_pseudonym_is_the_same_for_the_same_officer_under_the_same_key_only() -> None:
    assert pseudonym(b"k" * 32, "officer-1") == pseudonym(b"k" * 32, "officer-1")
    assert (
        len({pseudonym(b"k" * 32, "officer-1"), pseudonym(b"l" * 32, "officer-1"), pseudonym(b"k" * 32, "2")}) == 3
    )
