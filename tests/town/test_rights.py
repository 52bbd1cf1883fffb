"""Rights over real processes: erasure with and without a law to keep, seeing, correcting, and a complaint.

The log proves each question and each answer; the auditor counts them and finds nothing to say.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from examples.founding import PARKING, PERSONS, Town
from protocol.canonical import b64u_encode, parse_object, sha256
from protocol.jws import parse_jws
from protocol.reading import MESSAGE_TYPE
from protocol.request_object import REQUEST_TYP

pytestmark = pytest.mark.story

BSN = json.loads(PERSONS.read_text().splitlines()[0])["burgerservicenummer"]


@pytest.fixture(scope="module")
def erin(town: Town) -> dict[str, Any]:
    """A resident with two agreements, of which the agency read the first."""
    town.open_wallet("erin", BSN)
    asks = [town.regie("agency", "verifier", "ask", PARKING["id"]).answer for _ in range(2)]
    given = [town.regie("erin", "wallet", "grant", ask["request"], "--yes").answer["id"] for ask in asks]
    town.regie("agency", "verifier", "read", asks[0]["id"], "--only", "postcode", "--case", "Z-2026-1")
    return {"asks": [ask["id"] for ask in asks], "given": given}


def messages(town: Town, number: str) -> list[dict[str, Any]]:
    """What the log proves of the messages about one agreement, in its order."""
    events = town.regie("erin", "wallet", "history", number).answer["events"]
    return [event for event in events if event["kind"] == "message"]


def test_data_without_a_law_to_keep_them_are_erased(town: Town, erin: dict[str, Any]) -> None:
    asked = town.regie("erin", "wallet", "erase", erin["given"][0]).answer
    assert (asked["state"], asked["right"]) == ("sent", "erasure")
    (waiting,) = town.regie("agency", "verifier", "inbox").answer["messages"]
    assert (waiting["grant"], waiting["right"]) == (erin["asks"][0], "erasure")
    assert 28 * 86400 <= waiting["due"] - waiting["received"] <= 31 * 86400
    town.regie("agency", "verifier", "answer", erin["asks"][0], "erased")
    kinds = [event["reason"] for event in messages(town, erin["given"][0])]
    assert kinds == ["erasure_asked", "erasure_acknowledged", "erased"]


def test_data_that_a_law_keeps_are_kept_until_a_day_that_is_told(town: Town, erin: dict[str, Any]) -> None:
    ask, given = erin["asks"][1], erin["given"][1]
    town.regie("erin", "wallet", "erase", given)
    assert town.regie("agency", "verifier", "answer", ask, "kept", expect=1).code == "bad_answer"
    law = ("--law", "Archiefwet 1995 artikel 3", "--until", "2034-01-01")
    town.regie("agency", "verifier", "answer", ask, "kept", *law)
    last = messages(town, given)[-1]
    assert (last["reason"], last["law"]) == ("kept", "Archiefwet 1995 artikel 3")
    assert last["until"] > last["time"]


def test_resident_sees_and_has_corrected(town: Town, erin: dict[str, Any], tmp_path: Path) -> None:
    ask, given = erin["asks"][0], erin["given"][0]
    town.regie("erin", "wallet", "ask", "access", given)
    town.regie("erin", "wallet", "ask", "rectification", given, "--attribute", "postcode")
    file = tmp_path / "access.json"
    town.regie("agency", "verifier", "access", ask, str(file))
    town.regie("agency", "verifier", "answer", ask, "access_answered")
    town.regie("agency", "verifier", "answer", ask, "rectified")
    told = {event["reason"]: event for event in messages(town, given)}
    assert told["access_answered"]["document"] == b64u_encode(sha256(file.read_bytes()))
    assert told["rectification_asked"]["attributes"] == ["adres.postcode"]
    assert "rectified" in told
    (read,) = json.loads(file.read_bytes())["reads"]
    assert "adres.postcode" in read["attributes"]


def test_complaint_file_proves_the_request_and_the_clock_and_holds_no_data(
    town: Town, erin: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "complaint.json"
    told = town.regie("erin", "wallet", "complain", erin["given"][0], str(file), "--reason", "not_erased").answer
    made = json.loads(file.read_bytes())
    assert made["party"]["commonName"] == told["party"]
    assert file.stat().st_mode & 0o077 == 0
    request = parse_object(parse_jws(made["request"], typ=REQUEST_TYP).payload)
    assert request["client_id"].startswith("x509_")
    for asked in made["rightsExercised"]:
        assert parse_object(parse_jws(asked["message"], typ=MESSAGE_TYPE).payload)["kind"].endswith("_asked")
    assert "erasure" in {asked["right"] for asked in made["rightsExercised"]}
    values = town.regie("erin", "wallet", "cards", "--values").answer
    person = json.loads(PERSONS.read_text().splitlines()[0])
    assert person["burgerservicenummer"] in json.dumps(values)
    assert person["burgerservicenummer"] not in file.read_text()
    log = town.regie("erin", "wallet", "activities").answer["transactionLog"]
    assert "DPAReport" in [each["transactionType"] for each in log]


def test_auditor_has_nothing_to_say_about_it(town: Town, erin: dict[str, Any]) -> None:
    town.audit()
