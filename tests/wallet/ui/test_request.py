"""A resident answers requests on a page: shares, leaves out, shortens, refuses, hears what is not certain."""

import html
import re

import pytest

from protocol.errors import Rejected
from protocol.terms import Context, ElementClaim, salted_hash
from tests.protocol import builders
from tests.protocol.test_service_law import free_consent
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import LOG_HOST, Neighbours
from tests.wallet.ui.face import Face
from wallet.records import Activity, GrantRecord


def opened(face: Face, link: str) -> str:
    """The path of the page of this request."""
    answer = face.post("/scan", {"link": link}, page="/scan")
    assert answer.status_code == 303
    assert link not in answer.location
    return str(answer.location)


def grants(face: Face) -> list[GrantRecord]:
    with face.keeper.in_use() as wallet:
        return list(wallet.grants().values())


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def press(face: Face, path: str, **fields: object) -> str:
    """Press a button of the request's page; the path that comes next."""
    answer = face.post(path, fields, page=path)
    assert answer.status_code == 303, answer.text
    return str(answer.location).partition("#")[0]


def test_resident_shares_what_is_needed_and_nothing_more(face: Face, neighbours: Neighbours) -> None:
    path = opened(face, neighbours.agency.ask())
    page = text_of(face.get(path).text)
    for words in ("Gemeente Voorbeeld", "Checked organisation", "Parking permit", "To see whether you live here"):
        assert words in page
    assert "1234AB" not in page
    result = text_of(face.get(press(face, path, answer="give")).text)
    assert "Gemeente Voorbeeld may look until" in result
    (record,) = grants(face)
    assert record.state == "active"
    given = {claim.path[0] for claim in record.body.terms.claims}
    assert given == {"postcode", *builders.flags(builders.ADRES)}
    assert record.about is not None
    again = face.post(path, {"answer": "give"}, page="/scan")  # a button that was pressed twice
    assert (again.status_code, len(grants(face))) == (303, 1)
    assert "may look until" in text_of(face.get(again.location).text)
    assert face.get(path).location == again.location


def test_page_answers_whether_they_may_with_the_law_and_in_words(
    face: Face, holder: Resident, neighbours: Neighbours
) -> None:
    link = "https://wetten.overheid.nl/jci1.3:c:BWBR0005416&artikel=225"
    service = builders.service(
        version=2, law="Artikel 225 Gemeentewet", law_url=link, free_consent=free_consent(request=False),
        bsn_law="Wabb artikel 10",
    )  # fmt: skip
    holder.write_trust(agencies=[builders.agency(services=[service])], version=2)
    path = opened(face, neighbours.agency.ask())
    page = face.get(path).text
    assert f'href="{html.escape(link)}"' in page
    said = text_of(page)
    for words in (
        "Ground in the law: Artikel 225 Gemeentewet",
        "This is in your interest",
        "Not so: You ask for it yourself",
        "Because you ask for it.",
        "(BSN): Wabb artikel 10",
        "How sure is it that these data are yours?",
        "Address: very sure.",
    ):
        assert words in said
    assert "high" not in said.split()
    press(face, path, answer="give")
    with face.keeper.in_use() as wallet:
        (number,) = wallet.grants()
    assert f'href="{html.escape(link)}"' in face.get(f"/agreements/{number}").text


@pytest.mark.parametrize("basis", ["public_task", "legal_obligation"])
def test_task_of_the_law_links_to_its_text(
    face: Face, holder: Resident, neighbours: Neighbours, basis: str
) -> None:
    link = "https://wetten.overheid.nl/jci1.3:c:BWBR0031331&artikel=3"
    service = builders.service(version=2, basis=basis, law="Artikel 3 Wgs", law_url=link)
    holder.write_trust(agencies=[builders.agency(services=[service])], version=2)
    page = face.get(opened(face, neighbours.agency.ask())).text
    assert f'href="{html.escape(link)}"' in page
    assert "Why is this a free choice?" not in page


def test_resident_adds_what_is_not_required(face: Face, neighbours: Neighbours) -> None:
    path = opened(face, neighbours.agency.ask())
    press(face, path, answer="give", give=["adres.huisnummer"])
    (record,) = grants(face)
    assert {"postcode", "huisnummer"} <= {claim.path[0] for claim in record.body.terms.claims}


def test_one_tap_shares_only_what_is_needed(face: Face, neighbours: Neighbours) -> None:
    path = opened(face, neighbours.agency.ask())
    press(face, path, answer="only_needed", give=["adres.huisnummer", "persoon.geslachtsnaam"])
    (record,) = grants(face)
    assert "huisnummer" not in {claim.path[0] for claim in record.body.terms.claims}


def test_page_shows_the_values_first_and_keeps_the_choice(face: Face, neighbours: Neighbours) -> None:
    path = opened(face, neighbours.agency.ask())
    assert press(face, path, answer="show", give=["adres.huisnummer"], until="2026-12-22", reads="2") == path
    page = face.get(path).text
    assert "1234AB" in page
    assert re.search(r'value="adres.huisnummer"\s+checked', page)
    assert re.search(r'value="2026-12-22"\s+selected', page)
    assert grants(face) == []


def test_resident_shortens_term_and_looks(face: Face, neighbours: Neighbours) -> None:
    path = opened(face, neighbours.agency.ask(max_reads=9))
    press(face, path, answer="give", until="2026-12-31", reads="2")
    (record,) = grants(face)
    assert record.body.terms.max_reads == 2
    assert record.body.terms.not_after <= 1_798_761_600  # the last midnight of 2026


def test_resident_chooses_when_and_from_where(face: Face, neighbours: Neighbours) -> None:
    path = opened(face, neighbours.agency.ask(context=Context(days=[1, 2, 3, 4, 5, 6], hours=[9, 20])))
    assert "Monday to Saturday, from 9:00 to 20:00" in text_of(face.get(path).text)
    assert press(face, path, answer="show", when="work", where="office") == path
    assert "Monday to Friday, from 9:00 to 18:00, only at the office" in text_of(face.get(path).text)
    press(face, path, answer="give", when="work", where="office")
    (record,) = grants(face)
    assert record.body.terms.context == Context(days=[1, 2, 3, 4, 5], hours=[9, 18], zone="office")
    assert "Monday to Friday, from 9:00 to 18:00, only at the office" in text_of(face.get("/agreements/1").text)


def test_times_that_the_agency_cannot_use_are_said_on_the_page(face: Face, neighbours: Neighbours) -> None:
    path = opened(face, neighbours.agency.ask(context=Context(days=[6, 7])))
    assert press(face, path, answer="give", when="work") == path
    assert "Then they could never look" in text_of(face.get(path).text)
    assert grants(face) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"until": "2099-01-01"}, "Choose an earlier last day"),
        ({"until": "1999-01-01"}, "Choose another last day"),
        ({"until": "tomorrow"}, "Choose another last day"),
        ({"reads": "many"}, "Fill in how often"),
        ({"reads": "10"}, "Choose fewer looks"),
    ],
)
def test_what_is_filled_in_wrong_is_said_on_the_page(
    face: Face, neighbours: Neighbours, fields: dict[str, str], words: str
) -> None:
    path = opened(face, neighbours.agency.ask(max_reads=9))
    assert press(face, path, answer="give", **fields) == path
    assert words in text_of(face.get(path).text)
    assert grants(face) == []


def test_refusal_gives_nothing_and_is_kept(face: Face, neighbours: Neighbours) -> None:
    path = opened(face, neighbours.agency.ask())
    result = text_of(face.get(press(face, path, answer="refuse")).text)
    assert "Gemeente Voorbeeld got nothing" in result
    assert neighbours.agency.declined == ["access_denied"]
    assert grants(face) == []
    with face.keeper.in_use() as wallet:
        (activity,) = wallet.vault.all("activities", Activity).values()
    assert activity.kind == "declined"


def test_task_of_the_law_has_no_button_for_consent(face: Face, holder: Resident, neighbours: Neighbours) -> None:
    service = builders.service(version=2, basis="public_task", law="Wet BRP, artikel 3.2")
    holder.write_trust(agencies=[builders.agency(services=[service])], version=2)
    page = text_of(face.get(opened(face, neighbours.agency.ask())).text)
    assert "You do not have to give consent" in page
    assert "Wet BRP, artikel 3.2" in page
    assert "You can object" in page
    assert "Do not deliver" in page
    assert "Do not share" not in page


def test_duty_of_the_law_promises_no_objection(face: Face, holder: Resident, neighbours: Neighbours) -> None:
    service = builders.service(version=2, basis="legal_obligation", law="Participatiewet, artikel 17")
    holder.write_trust(agencies=[builders.agency(services=[service])], version=2)
    page = text_of(face.get(opened(face, neighbours.agency.ask())).text)
    assert "You cannot object to a duty of the law" in page


def test_copy_is_said_to_have_no_way_back(face: Face, holder: Resident, neighbours: Neighbours) -> None:
    claim = type(builders.service().claims[0])
    names = ("postcode", "woonplaats", *builders.flags(builders.ADRES))
    claims = [claim(vct=builders.ADRES, path=[name], needed=True) for name in names]
    holder.write_trust(
        agencies=[builders.agency(services=[builders.service(version=2, claims=claims)])], version=2
    )
    path = opened(face, neighbours.agency.ask(once=True))
    page = text_of(face.get(path).text)
    assert "You cannot take a copy back" in page
    result = text_of(face.get(press(face, path, answer="give")).text)
    assert "Gemeente Voorbeeld has a copy" in result
    assert "Postal code" in result
    assert len(neighbours.agency.copies) == 1


def test_over_asking_is_named_and_never_given(face: Face, neighbours: Neighbours) -> None:
    claims = [ElementClaim("adres", ["postcode"], True), ElementClaim("adres", ["woonplaats"], False)]
    path = opened(face, neighbours.agency.ask(claims=claims))
    page = text_of(face.get(path).text)
    assert "They ask for more than they registered" in page
    assert "Town more than registered" in page
    press(face, path, answer="give", give=["adres.woonplaats"])
    (record,) = grants(face)
    assert "woonplaats" not in {claim.path[0] for claim in record.body.terms.claims}


def test_over_asking_of_what_is_called_needed_leaves_one_button(face: Face, neighbours: Neighbours) -> None:
    path = opened(face, neighbours.agency.ask(claims=[ElementClaim("adres", ["woonplaats"], True)]))
    page = face.get(path).text
    assert 'value="give"' not in page
    assert 'value="refuse"' in page
    answer = face.post(path, {"answer": "give"}, page=path)
    assert answer.status_code == 403
    assert grants(face) == []


def test_slow_reader_is_shown_the_request_again_and_loses_nothing(
    face: Face, holder: Resident, neighbours: Neighbours
) -> None:
    path = opened(face, neighbours.agency.ask(exp=200))
    request = neighbours.agency.requests["1"]["payload"]
    neighbours.clock.time += 300
    request["exp"] = neighbours.clock.time + 200  # what the agency's next answer says
    assert press(face, path, answer="give", give=["adres.huisnummer"]) == path
    page = face.get(path).text
    assert "You took your time, and that is fine" in page
    assert re.search(r'value="adres.huisnummer"\s+checked', page)
    assert grants(face) == []
    press(face, path, answer="give", give=["adres.huisnummer"])
    assert [record.state for record in grants(face)] == ["active"]


def test_log_that_is_away_leaves_a_grant_that_is_said_to_be_uncertain(face: Face, neighbours: Neighbours) -> None:
    path = opened(face, neighbours.agency.ask())
    neighbours.down.add(LOG_HOST)
    result = text_of(face.get(press(face, path, answer="give")).text)
    assert "It is not certain that Gemeente Voorbeeld has it" in result
    assert [record.state for record in grants(face)] == ["intended"]


def test_refused_grant_is_an_error_page_and_nothing_was_given(face: Face, neighbours: Neighbours) -> None:
    path = opened(face, neighbours.agency.ask())
    neighbours.agency.refuse = Rejected("already_answered", "somebody was first", status=409)
    answer = face.post(path, {"answer": "give"}, page=path)
    assert answer.status_code == 400
    assert "Sorry, this request was answered before" in text_of(answer.text)
    assert neighbours.agency.grants == []


def test_same_request_is_not_answered_twice(face: Face, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask()
    press(face, opened(face, link), answer="give")
    path = opened(face, link)
    answer = face.post(path, {"answer": "give"}, page=path)
    assert (answer.status_code, len(grants(face))) == (409, 1)


@pytest.mark.parametrize(
    "text", ["", "hallo", "https://example.org/", "javascript:alert(1)", "openid4vp://?client_id=x"]
)
def test_what_is_no_link_is_said_on_the_page(face: Face, text: str) -> None:
    answer = face.post("/scan", {"link": text}, page="/scan")
    assert answer.status_code == 400
    assert "This is not a QR code or link" in text_of(answer.text)


def test_code_of_a_paper_leads_to_where_it_stops(face: Face, neighbours: Neighbours) -> None:
    press(face, opened(face, neighbours.agency.ask()), answer="give")
    code = re.search(r"(?:<span>\d{4}</span> ){10}", face.get("/receipt/1").text)
    assert code is not None
    page = face.post("/scan", {"link": text_of(code[0])}, page="/scan")
    filled = re.search(r"<textarea[^>]*>(\d{40})</textarea>", page.text)
    assert filled is not None
    face.post("/lost", {"codes": filled[1]}, page="/scan")
    assert [kept.revoked is not None for kept in neighbours.log.grants] == [True]


def test_receipt_holds_the_code_for_paper_and_none_for_programs(face: Face, neighbours: Neighbours) -> None:
    press(face, opened(face, neighbours.agency.ask()), answer="give")
    paper = text_of(face.get("/receipt/1").text)
    code = re.search(r"(\d{4} ){10}", paper)
    assert code is not None
    assert "Nagaan" not in paper  # English page
    made = face.get("/receipt/1/data")
    assert made.content_type == "application/ld+json"
    receipt = made.get_json(force=True)
    assert receipt["@type"] == "dpv:ConsentReceipt"
    assert code[0].replace(" ", "") not in made.text.replace(" ", "")
    assert "1234AB" not in made.text
    assert face.get("/receipt/2").status_code == 404


def test_forged_form_of_another_site_gives_nothing(face: Face, neighbours: Neighbours) -> None:
    """CSRF: without our token, and from another origin."""
    path = opened(face, neighbours.agency.ask())
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = face.post(path, {"answer": "give"}, page=path, headers=headers)
        assert answer.status_code == 403
    bare = {"Origin": face.launch.origin, "Sec-Fetch-Site": "same-origin"}
    url = face.launch.origin
    assert face.client.post(path, base_url=url, data={"answer": "give"}, headers=bare).status_code == 403
    assert grants(face) == []


def test_resident_sees_that_they_may_look_for_one_case_only(face: Face, neighbours: Neighbours) -> None:
    """Terms hold a code of the case, so the page says that it is one, and not which one."""
    path = opened(face, neighbours.agency.ask(case=salted_hash(bytes(32), "123456782/ZAAK-2026-42")))
    assert "They may look for one case only." in text_of(face.get(path).text)
    press(face, path, answer="only_needed")
    with face.keeper.in_use() as wallet:
        (number,) = wallet.grants()
    assert "For which case? For one case only." in text_of(face.get(f"/agreements/{number}").text)
    other = opened(face, neighbours.agency.ask())
    assert "one case" not in text_of(face.get(other).text)
