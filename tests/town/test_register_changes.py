"""The register changes while agreements run: a move, secrecy, emigration, a death. Real processes, one town."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from examples.founding import PERSONS, Town
from tests.town.residents import CASE, Agreement, agree, read, revoke

LINES = [json.loads(line) for line in PERSONS.read_text().splitlines()]
ON = {"type": "Datum", "datum": "2026-11-20", "langFormaat": "20 november 2026"}


def register_says(town: Town, tmp_path: Path, person: int, **changes: Any) -> Any:
    """What the register says of this person from now on; what that did to the cards."""
    path = tmp_path / f"person-{person}.jsonl"
    path.write_text(json.dumps({**LINES[person], **changes}) + "\n")
    return town.regie("issuer", "issuer", "import", str(path)).answer


def moved(person: int, street: str = "Pruimenlaan", postcode: str = "9876ZX") -> dict[str, Any]:
    """Another address in the same town."""
    residence = json.loads(json.dumps(LINES[person]["verblijfplaats"]))
    residence["verblijfadres"] |= {"officieleStraatnaam": street, "postcode": postcode}
    return {"verblijfplaats": residence}


def later(town: Town) -> None:
    """As after five minutes: the agency asks the issuer's status list again."""
    with sqlite3.connect(town.at("agency") / "verifier.db", timeout=60) as db:
        db.execute("UPDATE status_lists SET fetched = 0")
    db.close()


def state_of(town: Town, agreement: Agreement) -> Any:
    """The agreement as the wallet lists it."""
    grants = town.regie(agreement.who, "wallet", "grants").answer["grants"]
    return next(each for each in grants if each["id"] == agreement.grant)


def outdated(town: Town, agreement: Agreement) -> Any:
    """What the agency learns without reading."""
    (found,) = town.regie("agency", "verifier", "check", agreement.ask).answer["grants"]
    return found["state"], found["out_of_date"]


def test_new_address_follows_after_moving_house(town: Town, tmp_path: Path) -> None:
    """Before: the agency sees that what it has is old. After: it reads the new address, and the old no more.
    The log shows one history, and the paper of the first version stops the newest.
    """
    agreement = agree(town, "melati", person=7)
    town.regie("melati", "wallet", "follow", agreement.grant, "yes")
    assert (
        read(town, agreement).answer["values"]["postcode"]
        == LINES[7]["verblijfplaats"]["verblijfadres"]["postcode"]
    )
    changed = register_says(town, tmp_path, 7, **moved(7))
    assert (changed["superseded"], changed["revoked"]) == (20, 0)
    later(town)
    assert outdated(town, agreement) == ("stands", ["adres"])
    refused = town.regie("agency", "verifier", "read", agreement.ask, "--case", CASE, "--only-current", expect=1)
    assert refused.code == "out_of_date"

    synced = town.regie("melati", "wallet", "sync").answer
    assert (synced["renewed"], synced["problems"], synced["asks"]) == ([agreement.grant], [], [])
    now = state_of(town, agreement)
    assert (now["state"], now["version"], now["follows"]) == ("active", 2, True)
    assert now["slot"] != agreement.slot
    assert outdated(town, agreement) == ("stands", [])
    opened = read(town, agreement).answer
    assert (opened["values"]["postcode"], opened["n"], opened["out_of_date"]) == ("9876ZX", 1, [])
    kinds = [each["kind"] for each in town.regie("melati", "wallet", "history", agreement.grant).answer["events"]]
    assert kinds == ["grant", "read", "refresh", "read"]
    assert town.audit().answer["policy"] == "ok"

    town.regie("anybody", "wallet", "init", "--profile", "small", *town.trust)
    assert town.regie("anybody", "wallet", "revoke", "--code", agreement.code).answer["at_log"] is True
    assert read(town, agreement, expect=1).code == "revoked"


def test_resident_who_chose_nothing_is_asked_first(town: Town, tmp_path: Path) -> None:
    """Secrecy is a flag that travels with a card: it waits for the resident like any other change."""
    agreement = agree(town, "karim", person=5)
    register_says(town, tmp_path, 5, **moved(5), geheimhoudingPersoonsgegevens=True)
    synced = town.regie("karim", "wallet", "sync").answer
    assert (synced["renewed"], synced["asks"]) == ([], [{"id": agreement.grant, "why": "not_chosen"}])
    assert state_of(town, agreement)["version"] == 1
    assert read(town, agreement).answer["flags"]["geheimhouding"] is False
    town.regie("karim", "wallet", "refresh", agreement.grant)
    opened = read(town, agreement).answer
    assert (opened["values"]["postcode"], opened["flags"]["geheimhouding"]) == ("9876ZX", True)


def test_secrecy_keeps_new_data_from_who_is_no_public_body(town: Town, tmp_path: Path) -> None:
    """The agency of this town may not use the BSN: to the wallet it is no public body, whatever was chosen."""
    agreement = agree(town, "bram-t", person=10)
    town.regie("bram-t", "wallet", "follow", agreement.grant, "yes")
    register_says(town, tmp_path, 10, geheimhoudingPersoonsgegevens=True)
    synced = town.regie("bram-t", "wallet", "sync").answer
    listed = town.regie("agency", "verifier", "services").answer["services"]
    assert listed
    assert (synced["renewed"], synced["asks"]) == ([], [{"id": agreement.grant, "why": "secrecy"}])
    assert state_of(town, agreement)["version"] == 1


def test_death_ends_reading_and_every_way_to_more(town: Town, tmp_path: Path) -> None:
    """The agency hears that a card was revoked and not why; who inherits stops the rest with the paper."""
    agreement = agree(town, "thordis", person=12)
    read(town, agreement)
    died = {"reden": {"code": "O", "omschrijving": "overlijden"}, "datum": ON}
    changed = register_says(town, tmp_path, 12, opschortingBijhouding=died, overlijden={"datum": ON})
    assert (changed["superseded"], changed["revoked"]) == (0, 40)
    later(town)
    refused = read(town, agreement, expect=1)
    assert refused.code == "credential_revoked"
    assert "overl" not in refused.words.lower()
    refill = town.regie("thordis", "wallet", "refill", expect=None)
    assert "invalid_grant" in json.dumps(refill.answer) or refill.answer["received"] == []
    stopped = revoke(town, agreement)
    assert stopped["at_log"] is True
    assert outdated(town, agreement)[0] == "revoked"
