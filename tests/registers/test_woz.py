"""The second register: what a home is worth, for who has an interest in it himself."""

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import yaml
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from examples.brp_source.__main__ import HOMES
from examples.brp_source.app import Source, make_brp, read_persons
from examples.brp_source.woz import PREFIX, read_objects
from issuer import store, woz
from issuer.brp import Bsn, parse_person
from issuer.brp_api import fields_for
from issuer.connect import Connector
from issuer.register import WOZ_VCT, attributes_of
from issuer.source import BrpSource, WozSource
from issuer.woz import MAX_OBJECTS, Place, object_of, query_of
from protocol.credential import verify_credential
from protocol.errors import Rejected
from protocol.status_list import SUPERSEDED, VALID
from service.database import snapshot
from service.fetch import Fetcher
from tests.conftest import SHARED
from tests.issuer.acting import fetch
from tests.issuer.desk import KARIM, NOOR, NOW, PERSONS, Desk, open_desk
from tests.issuer.test_made_here import narrow
from tests.issuer.test_web import read_status
from tests.registers.test_connect import DAY, click_regie

ID = "0599010000012345"


class Town:
    """Both registers on one port, and an issuer that makes WOZ cards."""

    def __init__(self, desk: Desk) -> None:
        self.source = Source(read_persons(PERSONS), homes=read_objects(HOMES))
        self._server = make_server("localhost", 0, make_brp(self.source), threaded=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://localhost:{self._server.port}"
        self.desk = narrow(desk, "persoon", "adres", "woz")

    @property
    def brp(self) -> str:
        return f"{self.url}/haalcentraal/api/brp"

    def connector(self, *, with_homes: bool = True) -> Connector:
        fetcher = Fetcher(loopback=True)
        homes = WozSource(fetcher, self.url + PREFIX, {}, lambda seconds: None) if with_homes else None
        brp = BrpSource(fetcher, self.brp, {}, lambda seconds: None)
        return Connector(self.desk.office, brp, fields_for(self.desk.office.credentials), homes)

    def card(self, bsn: str = NOOR) -> dict[str, Any]:
        """What a WOZ card of this resident would say now."""
        with snapshot(self.desk.office.engine) as connection:
            record = store.person_record(connection, bsn)
        assert record is not None
        return attributes_of(WOZ_VCT, parse_person(record), DAY)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def town(tmp_path: Any) -> Iterator[Town]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    made = Town(open_desk(tmp_path / "issuer"))
    yield made
    made.close()


def test_an_owner_gets_a_card_with_the_last_value_of_his_home(town: Town) -> None:
    town.connector().refresh([NOOR])
    assert {name: value for name, value in town.card().items() if name not in ("inOnderzoek", "opschorting")} == {
        "wozObjectnummer": "990100000012",
        "adres": "Kersenlaan 12B, 9901SA Lindehaven",
        "gemeente": "Lindehaven",
        "waarde": 312000,
        "waardepeildatum": "2025-01-01",
        "hoedanigheid": "eigenaar en gebruiker",
        "bezwaarOfBeroep": False,
        "grondoppervlakte": 148,
        "geheimhouding": False,
    }
    text, _ = fetch(town.desk, town.desk.token("woz"), "woz")
    listed = msgspec.structs.replace(town.desk.trust.issuers[0], vcts=[WOZ_VCT])
    card = verify_credential(text, msgspec.structs.replace(town.desk.trust, issuers=[listed]), NOW)
    assert set(card.disclosures) == set(town.card())


def test_a_tenant_is_told_that_he_is_the_user_and_nothing_of_the_owner_is_kept(town: Town) -> None:
    town.connector().refresh([KARIM])
    assert (town.card(KARIM)["hoedanigheid"], town.card(KARIM)["waarde"]) == ("gebruiker", 187000)
    with snapshot(town.desk.office.engine) as connection:
        record = store.person_record(connection, KARIM) or ""
    assert "Woningstichting" not in record
    assert "999900018" not in record


def test_who_lives_with_the_owner_is_told_nothing(town: Town) -> None:
    spouse = "999101742"
    town.source.persons[spouse]["verblijfplaats"] = town.source.persons[NOOR]["verblijfplaats"]
    town.connector().refresh([spouse])
    assert {town.card(spouse)[name] for name in ("waarde", "hoedanigheid", "wozObjectnummer")} == {None}


def test_a_new_value_makes_the_card_out_of_date_and_no_other(town: Town) -> None:
    town.connector().refresh([NOOR])
    desk = town.desk
    (home,) = desk.fetch(desk.token("woz"), "woz")
    (address,) = desk.fetch(desk.token("adres"), "adres")
    town.source.homes[0]["waarden"].append({"waardepeildatum": "2026-01-01", "vastgesteldeWaarde": 330000})
    assert town.connector(with_homes=False).refresh([NOOR]).superseded == 0
    assert town.card()["waarde"] == 312000
    assert town.connector().refresh([NOOR]).superseded == 1
    assert (read_status(desk, home), read_status(desk, address)) == (SUPERSEDED, VALID)
    assert town.card()["waarde"] == 330000


def test_a_sale_takes_the_value_away(town: Town) -> None:
    town.connector().refresh([NOOR])
    buyer = {"type": "natuurlijk_persoon", "burgerservicenummer": KARIM}
    town.source.homes[0] |= {"belanghebbendeEigenaar": buyer, "belanghebbendeGebruiker": buyer}
    town.connector().refresh([NOOR])
    assert town.card()["waarde"] is None


def test_source_of_persons_that_tells_of_a_home_is_not_believed(town: Town) -> None:
    town.source.persons[NOOR]["woz"] = {"identificatie": "1", "waarde": 1, "hoedanigheid": "eigenaar"}
    brp = BrpSource(Fetcher(loopback=True), town.brp, {}, lambda seconds: None)
    lying = Connector(town.desk.office, _Told(brp, town.source.persons[NOOR]["woz"]), ["burgerservicenummer"])
    lying.refresh([NOOR])
    assert town.card()["waarde"] is None


class _Told:
    """A source whose records hold a home."""

    def __init__(self, brp: BrpSource, home: dict[str, Any]) -> None:
        self._brp, self._home = brp, home

    def persons(self, bsns: Any, fields: Any) -> dict[Bsn, dict[str, Any]]:
        return {bsn: {**record, "woz": self._home} for bsn, record in self._brp.persons(bsns, fields).items()}


class _Broken:
    """A source whose record of one resident is none."""

    def __init__(self, brp: BrpSource, bsn: Bsn) -> None:
        self._brp, self._bsn = brp, bsn

    def persons(self, bsns: Any, fields: Any) -> dict[Bsn, dict[str, Any]]:
        found = self._brp.persons(bsns, fields)
        return {**found, self._bsn: {**found[self._bsn], "geboorte": "gisteren"}}


def test_one_bad_record_or_home_keeps_nobody_else_from_being_taken(town: Town) -> None:
    """Residents are asked for in order: without this nobody behind the bad one would ever be heard of again."""
    town.connector().refresh([NOOR])
    town.source.homes[0]["waarden"] = [{"waardepeildatum": "2026-01-01", "vastgesteldeWaarde": "330000"}]
    brp = BrpSource(Fetcher(loopback=True), town.brp, {}, lambda seconds: None)
    homes = WozSource(Fetcher(loopback=True), town.url + PREFIX, {}, lambda seconds: None)
    fields = fields_for(town.desk.office.credentials)
    report = Connector(town.desk.office, _Broken(brp, "999101742"), fields, homes).refresh(
        [NOOR, "999101742", KARIM]
    )
    assert (report.taken, report.is_whole) == (2, False)
    assert report.refused == {"bad_source_answer": 1, "bad_person": 1}
    assert (town.card(NOOR)["waarde"], town.card(KARIM)["waarde"]) == (312000, 187000)


def test_an_issuer_that_makes_no_woz_asks_nothing_about_homes(tmp_path: Any, town: Town) -> None:
    home = tmp_path / "other"
    click_regie(home, "init", "--url", "https://issuer.voorbeeld.example", "--name", "Gemeente Lindehaven")
    refused = click_regie(home, "connect", town.brp, "--bsn", NOOR, "--woz", town.url + PREFIX)
    assert refused.exit_code == 1
    assert "not_made_here" in refused.output
    assert town.source.asked == []
    both = ("--credential", "adres", "--credential", "woz")
    click_regie(tmp_path / "woz", "init", "--url", "https://woz.voorbeeld.example", "--name", "WOZ", *both)
    taken = click_regie(tmp_path / "woz", "connect", town.brp, "--bsn", NOOR, "--woz", town.url + PREFIX, "--json")
    assert json.loads(taken.stdout)["taken"] == 1
    assert "verblijfplaats.adresseerbaarObjectIdentificatie" in town.source.asked[-1]["fields"]
    assert not any(field.startswith("kinderen") for field in town.source.asked[-1]["fields"])


# ---- questions and answers


def test_a_home_is_asked_for_by_its_identification_before_its_address() -> None:
    place = Place(ID, "9901SA", 12, "B", "bis")
    assert (query_of(place) or "").startswith(f"/wozobjecten?adresseerbaarObjectIdentificatie={ID}&fields=")
    asked = query_of(Place(None, "9901SA", 12, "B", "bis")) or ""
    assert asked.startswith(
        "/wozobjecten?postcode=9901SA&huisnummer=12&huisletter=B&huisnummertoevoeging=bis&fields="
    )


@pytest.mark.parametrize(
    "place",
    [Place(), Place("0599/../1", None, None), Place(None, "9901 SA", 1), Place(None, "9901SA", None)],
)
def test_address_that_cannot_be_asked_for_is_not(place: Place) -> None:
    assert query_of(place) is None


def listed(**members: Any) -> bytes:
    one = {"identificatie": "1", "belanghebbendeEigenaar": {"burgerservicenummer": NOOR}, **members}
    return json.dumps({"_embedded": {"wozObjecten": [one]}}).encode()


def test_an_objection_is_known_by_its_flag_or_by_its_status() -> None:
    for value in ({"indicatieBezwaarBeroep": True}, {"beschikkingsStatussen": ["beroep_aangetekend"]}):
        found = object_of(
            listed(waarden=[{"vastgesteldeWaarde": 1, "waardepeildatum": "2025-01-01", **value}]), NOOR
        )
        assert found is not None
        assert found.bezwaarOfBeroep


def test_an_object_without_an_address_is_described_by_its_place() -> None:
    found = object_of(listed(aanduiding={"locatieomschrijving": "Naast de derde brug"}), NOOR)
    assert found is not None
    assert (found.adres, found.waarde) == ("Naast de derde brug", None)


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b'{"_embedded":{"wozObjecten":[{"identificatie":1}]}}', b'{"_embedded":"x"}'],
)
def test_woz_register_that_answers_something_else_is_refused(body: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        object_of(body, NOOR)
    assert caught.value.code == "bad_source_answer"
    assert object_of(b"{}", NOOR) is None


def client() -> FlaskClient:
    return make_brp(Source({}, homes=read_objects(HOMES), key="k")).test_client()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/wozobjecten", 400, "paramsRequired"),
        ("/wozobjecten?postcode=9901SA", 400, "paramsCombination"),
        ("/wozobjecten?postcode=9901%20SA&huisnummer=1", 400, "paramsValidation"),
        ("/wozobjecten?bsn=999100002", 400, "paramsValidation"),
        ("/wozobjecten?rsin=999900018&fields=naam", 400, "paramsValidation"),
        ("/wozobjecten/990100000099", 404, "notFound"),
    ],
)
def test_the_example_register_refuses_as_its_specification_says(path: str, status: int, code: str) -> None:
    answer = client().get(PREFIX + path, headers={"X-API-KEY": "k"})
    assert (answer.status_code, answer.mimetype, answer.get_json(force=True)["code"]) == (
        status,
        "application/problem+json",
        code,
    )
    assert client().get(PREFIX + path).status_code == 401


def test_the_example_register_gives_the_members_that_were_asked_for() -> None:
    path = f"{PREFIX}/wozobjecten?rsin=999900018&fields=identificatie,belanghebbendeEigenaar.rsin"
    answer = client().get(path, headers={"X-API-KEY": "k"})
    assert answer.mimetype == "application/hal+json"
    (one,) = answer.get_json(force=True)["_embedded"]["wozObjecten"]
    assert one == {
        "identificatie": "990300000140",
        "belanghebbendeEigenaar": {"rsin": "999900018"},
        "_links": {"self": {"href": f"{PREFIX}/wozobjecten/990300000140"}},
    }
    whole = client().get(f"{PREFIX}/wozobjecten/990300000140", headers={"X-API-KEY": "k"}).get_json(force=True)
    assert whole["waarden"][1]["vastgesteldeWaarde"] == 187000


@pytest.mark.shared
def test_what_is_asked_is_in_the_specification_of_the_kadaster() -> None:
    specification = yaml.safe_load((SHARED / "data" / "specs" / "woz-bevragen-openapi.yaml").read_text())
    schemas = specification["components"]["schemas"]
    for path in woz.FIELDS:
        group, _, member = path.partition(".")
        assert group in schemas["WozObject"]["properties"]
        assert not member or member in schemas["Belanghebbende"]["properties"]
    search = specification["paths"]["/wozobjecten"]["get"]["parameters"]
    known = {parameter["name"]: parameter["schema"] for parameter in search}
    assert known["pageSize"]["maximum"] == MAX_OBJECTS
    asked = {
        part.split("=")[0]
        for part in (query_of(Place(None, "9901SA", 12, "B", "bis")) or "").split("?")[1].split("&")
    }
    assert asked <= set(known)
    statuses = set(schemas["StatusBeschikkingEnum"]["enum"])
    assert statuses >= woz._PENDING
