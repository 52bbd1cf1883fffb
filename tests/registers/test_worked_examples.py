"""RvIG's 304 worked examples and 78 wrong requests, answered by the example source as RvIG answers them."""

import datetime
import json
from collections import Counter
from typing import Any

import pytest
from flask.testing import FlaskClient

from examples.brp_source.app import Source, make_brp
from examples.brp_source.problems import BY_BSN, PATH
from tests.conftest import SHARED
from tests.registers.givens import marriages_example, record, salutation_example

DERIVED = SHARED / "data" / "brp" / "voorbeelden-afleidingen.jsonl"
WRONG = SHARED / "data" / "brp" / "voorbeelden-fouten.jsonl"
BSN = "999990019"
TODAY = datetime.date(2026, 7, 15)
MONTHS = ("januari", "februari", "maart")


def ask(source: Source, client: FlaskClient, person: dict[str, Any], *fields: str) -> dict[str, Any]:
    """What the API answers about one person."""
    source.persons[BSN] = {"burgerservicenummer": BSN, **person}
    body = {"type": BY_BSN, "burgerservicenummer": [BSN], "fields": list(fields)}
    answer = client.post(PATH, json=body).get_json()
    found: dict[str, Any] = answer["personen"][0]
    return found


class Examiner:
    """One server, asked about one person after another."""

    def __init__(self) -> None:
        self.day = TODAY
        self.source = Source({}, today=lambda: self.day)
        self.client = make_brp(self.source).test_client()

    def ask(self, person: dict[str, Any], *fields: str) -> dict[str, Any]:
        return ask(self.source, self.client, person, *fields)

    def check(self, example: dict[str, Any]) -> str:
        """Answer one example; the kind of it. Raises `AssertionError`."""
        feature, columns = example["feature"], example["voorbeeld"]
        if feature.endswith("meerdere-partners.feature"):
            person, expected = marriages_example(columns)
            assert self.ask(person, "adressering.aanhef") == {"adressering": {"aanhef": expected}}
            return "aanhef"
        if feature.startswith("adressering/"):
            person, form, expected = salutation_example(example)
            answer = self.ask(person, f"adressering.{form}")
            assert answer == {"adressering": {} if expected is None else {form: expected}}, example
            return form
        kind: str = feature.partition("/")[0].removesuffix(".feature")
        getattr(self, f"check_{kind}")(example, columns)
        return feature.split("/")[-1].removesuffix(".feature") if kind == "naam" else kind

    def check_datum(self, example: dict[str, Any], columns: dict[str, str]) -> None:
        date = self.ask({"geboorte": {"datum": columns["gba datum"]}}, "geboorte.datum")["geboorte"]["datum"]
        rest = (
            {"type": "Datum", "datum": columns["datum"]}
            if "datum" in columns
            else {"type": "JaarMaandDatum", "jaar": int(columns["jaar"]), "maand": int(columns["maand"])}
        )
        assert date == {**rest, "langFormaat": columns["lang formaat"]}

    def check_leeftijd(self, example: dict[str, Any], columns: dict[str, str]) -> None:
        self.day = TODAY
        if "raadpleeg datum" in columns:  # of somebody born on 29 February 1996
            day, month, year = columns["raadpleeg datum"].split()
            self.day, birth = datetime.date(int(year), MONTHS.index(month) + 1, int(day)), "19960229"
        else:
            words = columns.get("datum") or columns["geboortedatum"]
            when, years = words.split(" - ")
            year = TODAY.year - int(years.split()[0])
            birth = {
                "vandaag": f"{year}0715",
                "morgen": f"{year}0716",
                "volgende maand": f"{year}0800",
                "vorige maand": f"{year}0600",
            }[when]
        answer = self.ask({"geboorte": {"datum": birth}}, "leeftijd")
        assert answer == {"leeftijd": int(columns["leeftijd"])}, example

    def check_naam(self, example: dict[str, Any], columns: dict[str, str]) -> None:
        member = "volledigeNaam" if "volledigeNaam" in columns else "voorletters"
        parts = ("geslacht", "voornamen", "voorvoegsel", "geslachtsnaam")
        given = {part: columns[part] for part in parts if part in columns}
        person = record(**given, titel=columns.get("adellijkeTitelPredicaat", ""))
        assert self.ask(person, f"naam.{member}") == {"naam": {member: columns[member]}}, example

    def check_nationaliteit(self, example: dict[str, Any], columns: dict[str, str]) -> None:
        expected = example["regel"].split("'")[1]
        coded = {"code": columns["code"], "omschrijving": columns.get("omschrijving", "")}
        is_special = "65.10" in columns.get("element", "")
        item = {"aanduidingBijzonderNederlanderschap" if is_special else "nationaliteit": coded}
        (answer,) = self.ask({"nationaliteiten": [item]}, "nationaliteiten")["nationaliteiten"]
        assert answer == {"type": expected} | ({"nationaliteit": coded} if expected == "Nationaliteit" else {})


@pytest.mark.shared
def test_the_source_derives_what_rvig_derives_in_all_its_worked_examples() -> None:
    examiner = Examiner()
    examples = [json.loads(line) for line in DERIVED.read_text(encoding="utf-8").splitlines()]
    passes = Counter(examiner.check(example) for example in examples)
    assert passes == {
        "aanhef": 113,
        "aanschrijfwijze": 58,
        "gebruikInLopendeTekst": 71,
        "datum": 9,
        "leeftijd": 7,
        "volledigeNaam": 36,
        "voorletters": 6,
        "nationaliteit": 4,
    }
    assert passes.total() == 304


def wrong_request(example: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Body and headers: lists are written with commas, unless the example says that they are strings."""
    given = example["request"]
    lists = ("fields", "burgerservicenummer")
    body: dict[str, Any] = {name: value for name, value in given.items() if not name.startswith("header: ")}
    for name in lists:
        if name in body:
            body[name] = body[name].split(",") if body[name] else []
        if f"{name} (als string)" in body:
            body[name] = body.pop(f"{name} (als string)")
    headers = {name.removeprefix("header: "): value for name, value in given.items() if name not in body}
    return body, {name: value for name, value in headers.items() if name in ("Accept", "Content-Type")}


@pytest.mark.shared
def test_the_source_refuses_wrong_requests_in_rvigs_words() -> None:
    examples = [json.loads(line) for line in WRONG.read_text(encoding="utf-8").splitlines()]
    passes: Counter[str] = Counter()
    for example in examples:
        problem = {**example["problem"], "status": int(example["problem"]["status"])}
        params = example["invalidParams"]
        body, headers = wrong_request(example)
        client = make_brp(Source({}, is_domestic_only=problem["status"] == 403)).test_client()
        headers = {"Content-Type": "application/json; charset=utf-8", **headers}
        answer = client.post(PATH, data=json.dumps(body), headers=headers)
        assert answer.get_json(force=True) == problem | ({"invalidParams": params} if params else {}), example
        assert (answer.status_code, answer.mimetype) == (problem["status"], "application/problem+json")
        passes[params[0]["code"] if params else problem["code"]] += 1
    assert passes == {
        "fields": 51,
        "pattern": 8,
        "minItems": 2,
        "maxItems": 2,
        "array": 2,
        "unknownParam": 2,
        "value": 2,
        "required": 1,
        "unauthorizedField": 3,
        "notAcceptable": 1,
        "unsupportedMediaType": 4,
    }
    assert passes.total() == 78
