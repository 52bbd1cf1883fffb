"""Acting for somebody else over real processes: parent, two who must agree, curator, helper, and who may not."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples import within
from examples.founding import OIN, PARKING, PERSONS, Teller, Town, found_town

pytestmark = pytest.mark.story

NOOR, JELLE, WENDE, TIJN = "999100002", "999101742", "999105206", "999103477"
"""Noor and Jelle are the parents of Wende and Tijn."""
MELATI, KARIM = "999112132", "999108669"
FLOOR, BRAM = "999110408", "999117336"
"""Bram is under curatele; the court appointed Floor."""
HENDRIKA, ROKUS = "999113872", "999115601"
CASE = "Z-2026-0042"
SERVICE = f"{OIN}/{PARKING['id']}"


def record(bsn: str, **members: Any) -> dict[str, Any]:
    found = next(one for one in map(json.loads, PERSONS.open("rb")) if one["burgerservicenummer"] == bsn)
    return {**found, **members}


def born(bsn: str, years: int, **members: Any) -> dict[str, Any]:
    """So many years and a half ago."""
    day = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=365 * years + 183)
    return record(bsn, geboorte={"datum": {"type": "Datum", "datum": day.isoformat()}}, **members)


def undetermined(child: str) -> list[dict[str, Any]]:
    reason = "geen gezag te bepalen"
    minor = {"burgerservicenummer": child}
    return [{"type": "GezagNietTeBepalen", "minderjarige": minor, "toelichting": reason}]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    founded = found_town(tmp_path_factory.mktemp("town"), Teller(quiet=True), command=within.run)
    try:
        people = [
            born(WENDE, 6),
            born(TIJN, 13),
            born(KARIM, 9, gezag=undetermined(KARIM)),
            record(MELATI, gezag=undetermined(KARIM)),
        ]
        path = Path(founded.home / "people.jsonl")
        path.write_text("".join(json.dumps(one) + "\n" for one in people))
        founded.regie("issuer", "issuer", "import", str(path))
        yield founded
    finally:
        founded.close()


def wallet(town: Town, who: str, *arguments: str, expect: int | None = 0, stdin: str = "") -> Any:
    return town.regie(who, "wallet", *arguments, expect=expect, stdin=stdin)


def open_for(town: Town, bsn: str) -> str:
    """A wallet with the resident's own cards, made once; its name."""
    who = f"resident{bsn}"
    if not (town.at(who) / "config.json").exists():
        town.open_wallet(who, bsn, ("persoon", "adres"))
    return who


def told(town: Town, who: str, **members: Any) -> list[dict[str, Any]]:
    """What the register says to this resident, of those that have these members."""
    found = wallet(town, who, "mandates", "--ask").answer["representations"]
    return [one for one in found if members.items() <= one.items()]


def take(town: Town, who: str, **members: Any) -> dict[str, Any]:
    (one,) = told(town, who, **members)
    return dict(wallet(town, who, "mandate", "take", one["reference"]).answer)


def ask(town: Town) -> dict[str, Any]:
    return dict(town.regie("agency", "verifier", "ask", PARKING["id"], "--case", CASE).answer)


def read(town: Town, asked: dict[str, Any], expect: int = 0) -> Any:
    words = ("verifier", "read", asked["id"], "--only", "postcode", "--case", CASE)
    return town.regie("agency", *words, expect=expect)


def test_parent_acts_for_a_child_and_the_other_parent_sees_and_stops_it(town: Town) -> None:
    noor, jelle = open_for(town, NOOR), open_for(town, JELLE)
    held = take(town, noor, **{"for": "Wende Brandsma"})
    assert (held["kind"], held["role"], held["signers"]) == ("ouder", "delegate", [[1, 2]])
    assert held["cards"]["adres"] > 0
    asked = ask(town)
    given = wallet(town, noor, "grant", asked["request"], "--for", held["id"]).answer
    assert given["state"] == "active"
    assert read(town, asked).status == 0

    other = take(town, jelle, **{"for": "Wende Brandsma"})
    assert other["hash"] == held["hash"]
    found = wallet(town, jelle, "sync").answer["found"]
    assert len(found) == 1
    kinds = [event["kind"] for event in wallet(town, jelle, "history", found[0]).answer["events"]]
    assert kinds[:2] == ["grant", "read"]
    wallet(town, jelle, "revoke", found[0])
    assert read(town, asked, expect=1).code == "revoked"
    wallet(town, noor, "sync")
    mine = {one["id"]: one["state"] for one in wallet(town, noor, "grants").answer["grants"]}
    assert mine[given["id"]] == "stopped"


def test_child_of_thirteen_and_a_parent_decide_together(town: Town) -> None:
    tijn, noor = open_for(town, TIJN), open_for(town, NOOR)
    held = take(town, noor, **{"for": "Tijn Hidde Brandsma", "role": "delegate"})
    own = take(town, tijn, role="self")
    assert (held["signers"], own["party"]) == ([[0], [1, 2]], 0)
    asked = ask(town)
    begun = wallet(town, noor, "grant", asked["request"], "--for", held["id"]).answer
    assert begun["state"] == "intended"
    wallet(town, noor, "sync", expect=None)
    assert read(town, asked, expect=1).status == 1
    (proposal,) = wallet(town, tijn, "proposals").answer["proposals"]
    assert proposal["agency"]["id"] == OIN
    wallet(town, tijn, "agree", str(proposal["number"]))
    finished = wallet(town, noor, "sync").answer["finished"]
    assert finished == [begun["id"]]
    assert read(town, asked).status == 0


def test_curator_that_the_court_appointed_acts_for_the_ward(town: Town) -> None:
    floor = open_for(town, FLOOR)
    until = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=300)).isoformat()
    made = town.regie(
        "issuer", "issuer", "mandate", "add", "--represented", BRAM, "--delegate", FLOOR, "--kind", "curator",
        "--until", until, "--decision", "C/26/1234", "--officer", "A. de Vries",
    ).answer  # fmt: skip
    assert not told(town, floor, kind="curator", state="registered")
    town.regie("issuer", "issuer", "mandate", "confirm", str(made["id"]), "--officer", "B. Jansen")
    held = take(town, floor, kind="curator")
    asked = ask(town)
    given = wallet(town, floor, "grant", asked["request"], "--for", held["id"]).answer
    assert given["state"] == "active"
    assert read(town, asked).status == 0


def test_helper_acts_until_the_resident_ends_it(town: Town) -> None:
    helper, resident = open_for(town, HENDRIKA), open_for(town, ROKUS)
    invitation = wallet(town, helper, "mandate", "invite").answer["invitation"]
    until = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)).isoformat()
    wish = ("mandate", "wish", "-", "--service", SERVICE, "--until", until)
    wallet(town, resident, *wish, stdin=invitation)
    held, own = take(town, helper, kind="helper"), take(town, resident, role="self")
    assert held["services"] == [SERVICE]
    asked = ask(town)
    given = wallet(town, helper, "grant", asked["request"], "--for", held["id"]).answer
    assert given["state"] == "active"
    assert read(town, asked).status == 0
    again = wallet(town, resident, *wish, stdin=invitation, expect=1)
    assert again.code == "bad_invitation"

    wallet(town, resident, "sync")
    wallet(town, resident, "mandate", "end", own["id"])
    assert read(town, asked, expect=1).code == "revoked"
    assert not told(town, helper, kind="helper", state="registered")
    refused = wallet(town, helper, "grant", ask(town)["request"], "--for", held["id"], expect=1)
    assert refused.code == "mandate_ended"


def test_undetermined_authority_leads_to_the_counter(town: Town) -> None:
    melati = open_for(town, MELATI)
    (one,) = told(town, melati, state="counter")
    assert one["why"] == "gezag_undetermined"
    refused = wallet(town, melati, "mandate", "take", one["reference"], expect=1)
    assert refused.code == "not_representable"
    assert wallet(town, melati, "mandates").answer["mandates"] == []
