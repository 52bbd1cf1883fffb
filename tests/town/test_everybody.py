"""Everybody in the register is issued, grants and is read, whatever is odd about him, as the register has him.

The same run over RvIG's 715 persons takes minutes: `make everybody`, or `make campaign ARGS=everybody`.
"""

import csv
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from examples.everybody import story, town_of_everybody
from examples.founding import PERSONS, Teller
from examples.odd_kinds import kinds_of
from tests.figures import record

ODD = {
    "adres_buitenland",
    "curatele",
    "diakrieten_of_bijzondere_tekens",
    "emigratie",
    "geboortedatum_onvolledig",
    "geen_voornamen",
    "geheimhouding",
    "in_onderzoek",
    "locatie",
    "overleden",
    "verblijfplaats_onbekend",
    "zeer_lange_naam",
}
"""What a population has and a demonstration has not."""
INDEXED = ODD - {"in_onderzoek", "zeer_lange_naam"} | {
    *("gezag_onduidelijk", "voogdij", "partner", "briefadres", "rni", "meer_nationaliteiten", "verblijfstitel"),
    *("geen_geslachtsnaam", "adellijke_titel_predicaat"),
}
"""Kinds that the index beside RvIG's persons tells by the same rule."""


def come_through(persons: Path, workers: int) -> Counter[str]:
    """How many of each kind did."""
    tell = Teller()
    with town_of_everybody(tell, persons) as place:
        kinds, faults = story(place, persons.read_text("utf-8").splitlines(), workers, tell)
    assert faults == []
    return kinds


def test_every_person_of_ours_is_issued_granted_and_read(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = come_through(PERSONS, workers=1)
    assert kinds.keys() >= ODD
    told = capsys.readouterr().out
    count = len(PERSONS.read_text("utf-8").splitlines())
    assert f"{count} of {count} issued, granted and read; 0 faults" in told
    assert [kind for kind in kinds if f" {kind}\n" not in told] == []


@pytest.mark.shared
@pytest.mark.campaign
def test_every_person_of_rvig_is_issued_granted_and_read(shared: Path) -> None:
    kinds = come_through(shared / "data/brp/personen.jsonl", workers=os.cpu_count() or 1)
    assert kinds.keys() >= ODD
    record("everybody", dict(sorted(kinds.items())))


@pytest.mark.shared
def test_odd_kinds_are_told_as_in_the_index_of_rvigs_persons(shared: Path) -> None:
    folder = shared / "data/brp"
    with (folder / "personen-index.csv").open(encoding="utf-8") as file:
        index = {row["burgerservicenummer"]: set(row["kenmerken"].split(";")) for row in csv.DictReader(file)}
    persons = [json.loads(line) for line in (folder / "personen.jsonl").read_text("utf-8").splitlines()]
    assert len(persons) == len(index) == 715
    for person in persons:
        assert kinds_of(person) & INDEXED == index[person["burgerservicenummer"]] & INDEXED
