"""Remarks on what is allowed: one for each, none for a good list."""

import re
from typing import Any

import msgspec
import pytest

from examples import services
from protocol.canonical import convert
from protocol.service_law import Condition
from protocol.trust_list import Service, ServiceClaim, WalletProvider, Words
from registrar.draft import Draft, new_draft
from registrar.lint import remarks_on
from registrar.lists import Lists
from registrar.providers import add_wallet_provider
from registrar.register import add_agency, add_issuer, add_log, add_service, add_witness
from tests.protocol import builders
from tests.protocol.builders import ADRES, DAY, NOW, PERSOON
from tests.protocol.test_service_law import free_consent
from tests.registrar.test_lists import OURS
from tests.registrar.test_register import log, witness

ANOTHER = "00000099000000002000"
BSN = "burgerservicenummer"
GEZIN = "urn:regie:nl:gezin:1"
LAW = "Artikel 3 Wet gemeentelijke schuldhulpverlening"
LINK = "https://wetten.overheid.nl/jci1.3:c:BWBR0031331&artikel=3"
BABW = "Artikel 49 Besluit administratieve bepalingen inzake het wegverkeer (BABW)"


def town(**service: Any) -> Draft:
    """A town with one service, to which a privacy officer has nothing to say."""
    draft = add_agency(new_draft("R"), builders.agency(services=[good(**service)]), NOW)
    draft = add_log(add_issuer(draft, builders.issuer(), NOW), log())
    return add_witness(add_witness(draft, witness()), witness("a.example", auditing=True))


def good(**changes: Any) -> Service:
    members = {"mode": "view", "upl": "parkeervergunning", "selectielijst": "11.1", "free_consent": free_consent()}
    return builders.service(**{**members, **changes})


def task(**changes: Any) -> dict[str, Any]:
    """Members of a good service that is a task of the law."""
    members = {"basis": "public_task", "law": LAW, "law_url": LINK, "upl": "schuldhulpverlening"}
    return {**members, "free_consent": None, "selectielijst": "8.1.9", "retention": "P5Y", **changes}


def codes(draft: Draft, lists: Lists = OURS) -> list[str]:
    return [remark.code for remark in remarks_on(draft, lists)]


def objections(draft: Draft, lists: Lists = OURS) -> list[str]:
    return [remark.code for remark in remarks_on(draft, lists) if remark.is_objection]


def claims(vct: str, *names: str, needed: bool = True) -> list[ServiceClaim]:
    return [ServiceClaim(vct=vct, path=[name], needed=needed) for name in names]


def private(**changes: Any) -> Draft:
    """A party that is no public body, with one service."""
    members = {"upl": None, "selectielijst": None, "free_consent": None, **changes}
    entry = builders.agency(bsn_allowed=False, services=[good(**members)])
    return add_agency(new_draft("R"), entry, NOW)


def test_good_list_gets_no_remark() -> None:
    assert codes(town()) == codes(town(**task())) == []


def test_services_of_the_demo_town_get_no_objection() -> None:
    listed = [convert(members, Service) for members in (services.PARKING, services.DEBT_HELP)]
    draft = add_agency(new_draft("R"), builders.agency(services=listed), NOW)
    assert objections(draft) == []


MANY = ["straat", "huisnummer", "huisletter", "toevoeging", "postcode", "woonplaats", "gemeente"]
MANY += ["land", "datumVan", "soort", "geheimhouding", "inOnderzoek", "opschorting"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": Words(nl="Parking", en="Parking")}, "same_text"),
        ({"purpose": Words(nl="woord " * 20 + "woord", en="See where you live.")}, "long_sentence"),
        ({"longest_term": 367 * DAY, "retention": "P2Y", "selectielijst": "8.1.9"}, "long_consent"),
        ({"claims": claims(ADRES, "straat", needed=False)}, "nothing_needed"),
        ({"claims": claims(ADRES, *MANY[:4])}, "all_needed"),
        (task(law_url=None), "no_law_url"),
        (task(law="Artikel 4 Wet gemeentelijke schuldhulpverlening"), "other_law"),
        ({"upl": None}, "no_upl"),
        (task(upl="gehandicaptenparkeerkaart instellingen", law=BABW), "not_for_residents"),
        ({"selectielijst": None}, "no_result"),
        (task(mode="store", retention="P3Y"), "retention_too_short"),
        ({"bsn_law": "Wabb artikel 10"}, "bsn_law_unused"),
        ({"claims": claims(PERSOON, "geboortedatum")}, "derived_available"),
        ({"claims": claims(PERSOON, "volledigeNaam", "voornamen")}, "asked_twice"),
        ({"claims": claims(GEZIN, "kinderen")}, "data_of_others"),
        ({"claims": claims(PERSOON, "nationaliteiten")}, "origin_asked"),
    ],
)
def test_service_gets_a_remark_to_weigh(changes: dict[str, Any], expected: str) -> None:
    draft = town(**changes)
    assert (codes(draft), objections(draft)) == ([expected], [])
    (remark,) = remarks_on(draft, OURS)
    assert remark.place == f"{builders.AGENCY_ID}/{builders.SERVICE_ID}@1"
    assert re.search(r"(AVG|Archiefwet|Grondwet|Wet BRP).* \d", remark.article)


COHORT = {
    "answers": "yes_no",
    "asked_by": "0" * 20,
    "question": [Condition(vct=ADRES, path=["postcode"], op="equal", value="1011AB")],
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"free_consent": None}, "no_free_consent"),
        ({"free_consent": free_consent(request=False)}, "consent_not_free"),
        ({"mode": "store"}, "store_with_consent"),
        ({"law": LAW, "law_url": LINK}, "consent_for_task"),
        ({"upl": "schuldhulpverlening"}, "consent_for_task"),
        (task(law="Wet gemeentelijke schuldhulpverlening"), "no_article"),
        (task(law="AVG artikel 6 lid 1 onder e"), "law_gives_no_task"),
        ({"purpose": Words(nl="Diverse doeleinden van u", en="See where you live")}, "vague_purpose"),
        ({"purpose": Words(nl="Zien waar u woont", en="Parking")}, "vague_purpose"),
        ({"retention": "P1M", "longest_term": 90 * DAY}, "term_beyond_purpose"),
        ({"upl": "parkeervergunninkje"}, "unknown_upl"),
        ({"selectielijst": "99.9"}, "unknown_result"),
        ({"retention": "P2Y"}, "retention_too_long"),
        ({"claims": claims(PERSOON, BSN), "bsn_law": "Wabb artikel 10"}, "bsn_on_consent"),
        (COHORT, "asker_not_listed"),
    ],
)
def test_privacy_officer_would_object(changes: dict[str, Any], expected: str) -> None:
    draft = town(**changes)
    assert objections(draft) == [expected]
    (remark,) = [remark for remark in remarks_on(draft, OURS) if remark.is_objection]
    assert remark.text
    assert re.search(r"(AVG|Archiefwet|Wabb).* \d", remark.article)


def test_every_answer_of_the_test_that_is_no_is_said_in_words() -> None:
    failed = free_consent(interest=False, request=False, no_downside=False, no_imbalance=False)
    (remark,) = remarks_on(town(free_consent=failed), OURS)
    for words in ("interest of the person", "concrete request", "worse off", "imbalance of power"):
        assert words in remark.text


def test_bsn_on_a_task_with_its_law_passes() -> None:
    assert codes(town(**task(claims=claims(PERSOON, BSN), bsn_law="Wabb artikel 10"))) == []


def test_bsn_without_a_law_in_a_list_of_old_is_objected_to() -> None:
    old = builders.agency(services=[good(**task(claims=claims(PERSOON, BSN)))])
    draft = msgspec.structs.replace(new_draft("R"), agencies=[old])
    assert objections(draft) == ["bsn_without_law"]


def test_private_party_needs_no_test_and_is_told_of_secrecy_and_tasks() -> None:
    assert codes(private()) == ["secret_to_private"]
    assert codes(private(claims=claims(PERSOON, "leeftijdBoven18"))) == []
    assert objections(private(basis="public_task", law=LAW, law_url=LINK)) == ["task_of_nobody"]


def test_product_that_is_offered_as_a_task_too_is_no_matter_of_consent() -> None:
    of_the_law = {"basis": "public_task", "law": "Artikel 225 Gemeentewet", "law_url": LINK, "free_consent": None}
    both = [good(), good(id="vergunning", **of_the_law)]
    draft = add_agency(new_draft("R"), builders.agency(services=both), NOW)
    assert objections(draft) == ["consent_for_task"]


def test_more_than_others_ask_for_the_same_product_is_objected_to() -> None:
    other = builders.party("similar", san_dns="similar.example")
    asked = good(claims=claims(ADRES, "postcode", "huisnummer"))
    modest = builders.agency(id=ANOTHER, name="Gemeente Anderstad", roots=other.roots, services=[asked])
    draft = add_agency(town(), modest, NOW)
    (remark,) = [remark for remark in remarks_on(draft, OURS) if remark.is_objection]
    assert (remark.code, remark.place.split("/")[0]) == ("more_than_similar", builders.AGENCY_ID)
    assert "geslachtsnaam" in remark.text
    assert "postcode" not in remark.text


def test_objection_to_an_older_version_is_remembered_and_no_longer_objected_to() -> None:
    draft = add_service(town(mode="store"), builders.AGENCY_ID, good(version=2))
    (remark,) = remarks_on(draft, OURS)
    assert (remark.code, remark.is_objection, remark.place[-2:]) == ("older_version", False, "@1")
    assert "store_with_consent" in remark.text


def test_without_the_lists_nothing_is_held_against_them() -> None:
    for changes in ({"upl": "parkeervergunninkje"}, {"selectielijst": "99.9"}, {"retention": "P2Y"}):
        assert codes(town(**changes), Lists()) == []


def test_thirteenth_attribute_is_remarked() -> None:
    for count, expected in ((12, []), (13, ["many_attributes"])):
        asked = [ServiceClaim(vct=ADRES, path=[name], needed=n == 0) for n, name in enumerate(MANY[:count])]
        assert codes(town(claims=asked)) == expected


def test_log_that_nobody_watches_is_remarked() -> None:
    assert codes(add_log(new_draft("R"), log())) == ["no_witness", "no_auditor"]
    assert codes(add_witness(add_log(new_draft("R"), log()), witness())) == ["no_auditor"]


def test_agency_without_service_and_plain_http_are_remarked() -> None:
    draft = add_agency(new_draft("R"), builders.agency(services=[]), NOW)
    draft = add_issuer(draft, builders.issuer(id="http://127.0.0.1:8001"), NOW)
    assert codes(draft) == ["no_service", "no_tls"]


def test_agencies_whose_names_look_alike_are_remarked() -> None:
    other = builders.party("look-alike", san_dns="look.example")
    entry = builders.agency(id=ANOTHER, name="Gemeente V00rbeeld", roots=other.roots, services=[good()])
    draft = add_agency(town(), entry, NOW)
    assert codes(draft) == ["look_alike", "look_alike"]


def test_wallet_provider_without_tls_is_remarked() -> None:
    entry = WalletProvider(id="http://localhost:8083", name="Wallets", roots=builders.STRANGER.roots)
    assert codes(add_wallet_provider(town(), entry, NOW)) == ["no_tls"]
