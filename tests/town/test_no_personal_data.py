"""All files of a town after everything that residents do in it, searched for every value of the persons in it."""

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest

from examples.founding import OIN, PARKING, PASSPHRASE, PERSONS, Town
from tests.town import searching
from tests.town.residents import BSNS, CASE, Agreement, agree, grant_again, read, revoke
from tests.town.searching import REGISTER, Wanted, files, secrets_of, traces

PEOPLE: list[dict[str, Any]] = [json.loads(line) for line in PERSONS.read_text().splitlines()[:4]]
"""Two parents and their children: the parents have wallets, and act for the younger child and for each other."""
CHILD = PEOPLE[3]["naam"]["volledigeNaam"]
OFFICER = "k.vandervoort"
STREET, POSTCODE = "Pruimenlaan", "9876ZX"


def moved() -> dict[str, Any]:
    """The first of them, at another address."""
    person: dict[str, Any] = json.loads(json.dumps(PEOPLE[0]))
    person["verblijfplaats"]["verblijfadres"] |= {"officieleStraatnaam": STREET, "postcode": POSTCODE}
    return person


def wallet(town: Town, who: str, *words: str, **options: Any) -> Any:
    return town.regie(who, "wallet", *words, **options).answer


def take(town: Town, who: str, **members: Any) -> str:
    """The mandate that the register offers with these members, and its cards; its number."""
    told = wallet(town, who, "mandates", "--ask")["representations"]
    (one,) = [one for one in told if members.items() <= one.items()]
    return str(wallet(town, who, "mandate", "take", one["reference"])["id"])


def grant_for(town: Town, who: str, mandate: str) -> None:
    """Granted in somebody's name, and read."""
    ask = town.regie("agency", "verifier", "ask", PARKING["id"], "--case", "Z-2026-0042").answer
    given = wallet(town, who, "grant", ask["request"], "--for", mandate)
    assert given["state"] == "active"
    read(town, Agreement(who, ask["id"], given["id"], given["slot"], given["code"]))


def look_and_stop(town: Town) -> None:
    """Reads, a refusal, a stop, a look back, a backup and a stop paper."""
    for number, who in enumerate(("anna", "bram")):
        agreement = agree(town, who, person=number)
        read(town, agreement)
        read(town, agreement, "volledigeNaam", expect=None)
        revoke(town, agreement)
        read(town, agreement, expect=1)
        wallet(town, who, "history")
        wallet(town, who, "stop-paper")
        wallet(town, who, "backup", str(town.home / f"{who}.backup"))


def act_for_each_other(town: Town) -> None:
    """By the register: a parent for a child, which the other parent stops. By a wish: the one for the other."""
    grant_for(town, "anna", take(town, "anna", **{"for": CHILD, "state": "open"}))
    take(town, "bram", **{"for": CHILD, "state": "registered"})
    (found,) = wallet(town, "bram", "sync")["found"]
    wallet(town, "bram", "history", found)
    wallet(town, "bram", "revoke", found)
    invitation = wallet(town, "bram", "mandate", "invite")["invitation"]
    named = ("--service", f"{OIN}/{PARKING['id']}", "--until", "2027-11-01")
    wallet(town, "anna", "mandate", "wish", "-", *named, stdin=invitation)
    grant_for(town, "bram", take(town, "bram", kind="helper", role="delegate"))
    own = take(town, "anna", kind="helper", role="self")
    wallet(town, "anna", "sync")
    wallet(town, "anna", "mandate", "end", own)


def move_house(town: Town, folder: Path) -> Agreement:
    """An agreement that follows the register, before and after."""
    wallet(town, "anna", "profile", "ontzorgd")
    agreement = grant_again(town, "anna")
    wallet(town, "anna", "follow", agreement.grant, "yes")
    read(town, agreement)
    (folder / "moved.jsonl").write_text(json.dumps(moved()) + "\n")
    town.regie("issuer", "issuer", "import", str(folder / "moved.jsonl"))
    assert wallet(town, "anna", "sync")["renewed"] == [agreement.grant]
    assert read(town, agreement).answer["values"]["postcode"] == POSTCODE
    return agreement


def use_rights(town: Town, agreement: Agreement) -> None:
    """To see, to have corrected, to have erased, to complain; and everything that an agency answers."""
    ask, given = agreement.ask, agreement.grant
    wallet(town, "anna", "ask", "access", given)
    wallet(town, "anna", "ask", "rectification", given, "--attribute", "postcode")
    wallet(town, "anna", "erase", given)
    town.regie("agency", "verifier", "access", ask, str(town.home / "access.json"))
    for answer in ("access_answered", "rectified", "erased"):
        town.regie("agency", "verifier", "answer", ask, answer)
    wallet(town, "anna", "complain", given, str(town.home / "complaint.json"), "--reason", "no_answer")


def watch_officers(town: Town, agreement: Agreement, folder: Path) -> None:
    """The account of who read, an officer who lives in the street of a resident he is related to, the alarm bell,
    a batch, and what goes to the logs of others.
    """
    people = []
    for name in ("ada", "bea"):
        secret = town.home / f"passphrase-{name}"
        secret.write_text(f"{PASSPHRASE} {name}\n")
        people += ["--person", f"{name}={secret}"]
    town.regie("agency", "verifier", "officers", "init", *people, "--profile", "small")
    told = {
        "officer": OFFICER,
        "postcodes": [POSTCODE],
        "streets": [{"street": STREET, "town": PEOPLE[0]["verblijfplaats"]["verblijfadres"]["woonplaats"]}],
        "relatives": [{"bsn": PEOPLE[0]["burgerservicenummer"]}],
    }
    (folder / "officers.jsonl").write_text(json.dumps(told) + "\n")
    town.regie("agency", "verifier", "alarms", "officers", str(folder / "officers.jsonl"))
    rows = "".join(json.dumps({"grant": agreement.ask, "case": CASE}) + "\n" for _ in range(2))
    batch = town.regie("agency", "verifier", "batch", "-", "--officer", OFFICER, stdin=rows)
    assert POSTCODE in batch.words
    town.regie("agency", "verifier", "alarms", "list")
    town.regie("agency", "verifier", "export", "ldv", str(town.home / "ldv.json"))
    town.regie("agency", "verifier", "export", "vng", str(town.home / "vng.json"))


def share_once(town: Town) -> None:
    """A copy, handed over by the agency."""
    ask = town.regie("agency", "verifier", "request", PARKING["id"]).answer
    wallet(town, "bram", "present", ask["request"], "--yes")
    town.regie("agency", "verifier", "read", ask["id"])


def move_to_another_wallet(town: Town) -> None:
    """With the migration object of TS10."""
    password, file = town.home / "password", str(town.home / "anna.move")
    password.write_text(PASSPHRASE + " " + PASSPHRASE + "\n")
    wallet(town, "anna", "export", file, "--password-file", str(password))
    town.make_wallet("carla")
    wallet(town, "carla", "import", file, "--password-file", str(password))


@pytest.fixture(scope="module")
def lived_in(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """Everything above, an evidence file and an audit."""
    look_and_stop(town)
    act_for_each_other(town)
    folder = tmp_path_factory.mktemp("register")
    agreement = move_house(town, folder)
    use_rights(town, agreement)
    watch_officers(town, agreement, folder)
    share_once(town)
    move_to_another_wallet(town)
    town.regie("agency", "verifier", "evidence", str(town.home / "evidence.db"))
    town.audit()
    return town


def test_no_value_of_a_resident_and_no_officer_is_in_any_file_of_the_town(lived_in: Town) -> None:
    """Who read stands in a sealed account since that was begun."""
    persons = [*PEOPLE, moved(), {"officer": OFFICER}]
    assert len(Wanted(persons).codes) > 200
    assert traces(lived_in.home, persons) == []


def test_the_search_finds_a_value_in_each_encoding() -> None:
    value = BSNS[0]
    wanted = Wanted(PEOPLE)
    noise = random.Random(6).randbytes(1000)
    hidden = (value.encode(), base64.b64encode(b"x" + value.encode()), value.encode().hex().encode())
    for place, code in enumerate((*hidden, value.encode("utf-16-le"))):
        assert wanted.found_in(noise[place:] + code + noise[: 100 - place]), code
    assert wanted.found_in(value.encode()) == {value.encode()}
    assert wanted.found_in(bytes(200) + value.encode() + bytes(200)) >= {value.encode()}
    assert wanted.found_in(noise) == wanted.found_in(b"") == set()


def test_the_search_passes_over_a_journal_that_has_gone_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wallets in the browser write while the search goes on."""
    (tmp_path / "here").write_text(BSNS[0])
    listed = [tmp_path / "gone", tmp_path / "here"]
    monkeypatch.setattr(searching, "files", lambda home: listed)
    assert traces(tmp_path, PEOPLE) == [("here", BSNS[0].encode())]


def test_the_search_looks_for_everything_that_the_register_says(lived_in: Town) -> None:
    """A name, a number, a street, a date, of the child too; and the new address."""
    for person in PEOPLE:
        known = secrets_of(person)
        assert {person["burgerservicenummer"], person["naam"]["volledigeNaam"], "Kersenlaan"} <= known
    assert {STREET, POSTCODE} <= secrets_of(moved())
    register = b"".join(path.read_bytes() for path in lived_in.at("issuer").glob(f"{REGISTER}*"))
    assert Wanted([moved()]).found_in(register)


def test_the_search_covers_every_room(lived_in: Town) -> None:
    names = {path.relative_to(lived_in.home).parts[0] for path in files(lived_in.home)}
    rooms = {"log", "agency", "witness", "cosigner", "anna", "bram", "carla", "auditor", "issuer"}
    words = {"log.log", "issuer.log", "agency.log"}
    made = {"anna.backup", "anna.move", "access.json", "complaint.json", "evidence.db"}
    assert rooms | words | made <= names
