"""A new request: only from a registered service, only narrower; and what becomes of it."""

import html
import re
from typing import Any

import pytest

from protocol.trust_list import ServiceClaim
from tests.protocol import builders
from tests.protocol.builders import DAY, PERSOON
from tests.protocol.test_service_law import free_consent
from tests.service.ui.staff import get
from tests.verifier.agency import Wallet
from tests.verifier.ui.conftest import DeskAgency, granted, words_of
from verifier.ui.shown import concerns_of

BSN = ServiceClaim(vct=PERSOON, path=["burgerservicenummer"], needed=True)
PATH = "/new/parkeervergunning@1"


def sent(agency: DeskAgency, **fields: Any) -> Any:
    page = get(agency.open("clerk"), PATH)
    assert page.answer.status_code == 200
    return page.post(PATH, **fields)


def test_officer_asks_and_shows_the_code(agency: DeskAgency, wallet: Wallet) -> None:
    answer = sent(agency, kind="standing", case="Z-1", days="30", max_reads="3", office_hours="1").answer
    assert answer.status_code == 303
    (stored,) = agency.desk.store.requests.all()
    assert answer.headers["Location"] == f"/requests/{stored.request.id}"
    opened = wallet.open(agency, agency.desk.link(stored.request))
    consent = opened.consent
    assert consent is not None
    assert (consent.max_reads, consent.max_not_after) == (3, agency.clock.time + 30 * DAY)
    assert consent.context is not None
    assert consent.context.hours == [8, 18]
    assert consent.case is not None
    page = get(agency.open("clerk"), answer.headers["Location"])
    assert 'role="img"' in page.text
    assert "openid4vp" in page.text or "haip" in page.text


def test_officer_asks_for_a_copy(agency: DeskAgency) -> None:
    assert sent(agency, kind="once", case="Z-1", days="3").answer.status_code == 303
    (stored,) = agency.desk.store.requests.all()
    assert stored.request.kind == "copy"


UNFINISHED: tuple[tuple[dict[str, str], str], ...] = (
    ({"kind": ""}, "kind"),
    ({"kind": "for ever"}, "kind"),
    ({"kind": "standing", "days": "0"}, "days"),
    ({"kind": "standing", "days": "366"}, "days"),
    ({"kind": "standing", "days": "-1"}, "days"),
    ({"kind": "standing", "days": "١"}, "days"),
    ({"kind": "standing", "days": "9" * 5000}, "days"),
    ({"kind": "standing", "max_reads": "1000001"}, "max_reads"),
    ({"kind": "standing", "max_reads": "often"}, "max_reads"),
    ({"kind": "standing", "case": "x" * 257}, "case"),
)


def test_nothing_is_asked_that_the_form_does_not_allow(agency: DeskAgency) -> None:
    form = get(agency.open("clerk"), PATH)
    for fields, field in UNFINISHED:
        page = form.post(PATH, **fields)
        assert page.answer.status_code == 400, fields
        assert f'href="#{field}"' in page.text
    assert agency.desk.store.requests.all() == []


def test_officer_cannot_write_purpose_law_or_data_of_his_own(agency: DeskAgency, wallet: Wallet) -> None:
    text = get(agency.open("clerk"), PATH).text
    assert "<textarea" not in text
    answer = sent(agency, kind="standing", purpose="Anders", law="Geen", claims="bsn", retention="P99Y").answer
    assert answer.status_code == 303
    (stored,) = agency.desk.store.requests.all()
    opened = wallet.open(agency, agency.desk.link(stored.request))
    assert opened.consent is not None
    assert opened.consent.retention == "P1Y"
    assert {claim.path[0] for claim in opened.consent.claims} >= {"postcode"}
    assert "burgerservicenummer" not in {claim.path[0] for claim in opened.consent.claims}


def test_service_that_is_not_registered_is_not_asked(agency: DeskAgency) -> None:
    browser = agency.open("clerk")
    for name in ("unknown@1", "parkeervergunning@9", "x", "@", "%2e%2e", "parkeervergunning@1%0a"):
        assert get(browser, f"/new/{name}").answer.status_code == 403, name
    assert agency.desk.store.requests.all() == []


# --- what becomes of it ----------------------------------------------------------------------------------


def test_page_of_a_request_changes_when_the_resident_agrees(agency: DeskAgency, wallet: Wallet) -> None:
    browser = agency.open("clerk")
    rid, link = agency.ask()
    assert get(browser, f"/requests/{rid}/state").answer.status_code == 204
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
    part = get(browser, f"/requests/{rid}/state")
    assert "De inwoner deelt" in words_of(part)
    assert f"/agreements/{rid}" in part.text
    assert "De houder" in words_of(part) or "Toestemming" in words_of(part)


def test_page_of_a_request_says_that_the_resident_said_no(agency: DeskAgency, wallet: Wallet) -> None:
    rid, link = agency.ask()
    request = wallet.open(agency, link)
    refused = agency.post(rid, f"error=access_denied&state={request.state}".encode())
    assert refused.status_code == 200
    page = get(agency.open("clerk"), f"/requests/{rid}")
    assert "De inwoner zei nee" in words_of(page)
    assert "Dat mag" in words_of(page)


def test_page_of_a_request_says_which_check_failed(agency: DeskAgency, wallet: Wallet) -> None:
    rid, link = agency.ask()
    form = wallet.grant(wallet.open(agency, link)).form()
    assert agency.post(rid, form[:-8] + b"AAAAAAAA").status_code == 400
    words = words_of(get(agency.open("clerk"), f"/requests/{rid}"))
    assert "Niet aangenomen" in words
    assert "Klopt niet" in words


def test_request_that_is_over_can_be_asked_again_but_not_answered(agency: DeskAgency) -> None:
    rid, _ = agency.ask()
    agency.clock.time += DAY
    page = get(agency.open("clerk"), f"/requests/{rid}")
    assert "Niemand antwoordde op tijd" in words_of(page)
    assert '<svg class="r-qr' not in page.text
    assert get(agency.open("clerk"), f"/requests/{rid}/form").answer.status_code == 410


def test_form_on_paper_says_you_to_the_resident_and_holds_both_boxes(agency: DeskAgency) -> None:
    rid, _ = agency.ask()
    page = get(agency.open("clerk"), f"/requests/{rid}/form")
    words = words_of(page)
    assert "vakjes voor ja en nee" in words
    assert "uw wallet" in words
    assert " je " not in words
    (sheet,) = page.text.split('<svg class="r-answer"')[1:]
    boxes = re.findall(r'<rect x="([0-9.]+)" y="([0-9.]+)" width="6.5" height="6.5"', sheet)
    yes, no = sorted({x for x, _ in boxes}, key=float)
    assert [x for x, _ in boxes] == [yes, no] * 3  # for each datum two boxes of one size, in one row
    assert [y for _, y in boxes[::2]] == [y for _, y in boxes[1::2]]


def test_form_of_a_copy_has_nothing_to_tick(agency: DeskAgency) -> None:
    rid, _ = agency.ask(once=True)
    page = get(agency.open("clerk"), f"/requests/{rid}/form")
    assert "r-answer" not in page.text
    assert "Ik wil niet delen" in words_of(page)


def test_what_does_not_exist_is_not_found(agency: DeskAgency) -> None:
    browser = agency.open("manager")
    for path in ("/requests/0", "/requests/%00", "/agreements/0", "/rights/x", "/requests/0/help"):
        assert get(browser, path).answer.status_code == 404, path


# --- lists -----------------------------------------------------------------------------------------------


def test_lists_are_paged_and_know_their_ends(agency: DeskAgency) -> None:
    for _ in range(26):
        agency.ask()
    browser = agency.open("clerk")
    assert "Pagina 1 van 2" in words_of(get(browser, "/requests/"))
    last = get(browser, "/requests/?page=2")
    assert "Pagina 2 van 2" in words_of(last)
    for odd in ("3", "999999", "-1", "x", "1e9", "9" * 99, ""):
        assert get(browser, f"/requests/?page={odd}").answer.status_code == 200


def test_agreements_stand_under_their_state(agency: DeskAgency, wallet: Wallet) -> None:
    stands, _ = granted(agency, wallet)
    other = Wallet(agency.clock, agency.log, name="other", set_name="set 2")
    stopped, made = granted(agency, other)
    agency.desk.store.grants.end(made.sealed.terms.lock, agency.clock.time)
    assert "De afspraak is voorbij" in words_of(get(agency.open("clerk"), f"/requests/{stopped}"))
    browser = agency.open("clerk")
    now, ended = get(browser, "/agreements/").text, get(browser, "/agreements/?state=revoked").text
    assert (stands in now, stopped in now) == (True, False)
    assert (stands in ended, stopped in ended) == (False, True)
    everything = get(browser, "/agreements/?state=all").text
    assert stands in everything
    assert stopped in everything


def test_work_shows_what_waits(agency: DeskAgency, wallet: Wallet) -> None:
    browser = agency.open("clerk")
    assert "Er wacht niets op je" in words_of(get(browser, "/"))
    rid, _ = granted(agency, wallet)
    waiting, _ = agency.ask()
    page = get(browser, "/")
    assert rid in page.text
    assert waiting in page.text
    assert "Parkeervergunning" in words_of(page)


def test_officer_sees_the_law_and_why_the_resident_is_free(agency: DeskAgency) -> None:
    link = "https://wetten.overheid.nl/jci1.3:c:BWBR0005416&artikel=225"
    service = builders.service(
        version=2,
        law="Artikel 225 Gemeentewet",
        law_url=link,
        bsn_law="Wabb artikel 10",
        upl="parkeervergunning",
        selectielijst="11.1",
        free_consent=free_consent(request=False),
    )
    agency.enlist(builders.trust_list(version=2, agencies=[builders.agency(services=[service])]))
    page = get(agency.open("clerk"), PATH.replace("@1", "@2"))
    assert f'href="{html.escape(link)}"' in page.text
    for words in (
        "Artikel 225 Gemeentewet", "Wabb artikel 10", "parkeervergunning", "11.1",
        "Het is in het belang van de inwoner", "Niet zo: De inwoner vraagt er zelf om", "Omdat u het vraagt.",
    ):  # fmt: skip
        assert words in words_of(page)


@pytest.mark.parametrize(
    ("changes", "concern"),
    [
        ({}, "no_test"),
        ({"free_consent": free_consent(interest=False)}, "not_free"),
        ({"free_consent": free_consent()}, None),
        ({"claims": [BSN], "free_consent": free_consent()}, "bsn_law"),
        ({"claims": [BSN], "free_consent": free_consent(), "bsn_law": "Wabb artikel 10"}, None),
        ({"basis": "public_task", "law": "Artikel 225 Gemeentewet"}, None),
    ],
)
def test_privacy_officer_is_shown_a_ground_that_does_not_hold(
    changes: dict[str, Any], concern: str | None
) -> None:
    found = set(concerns_of(builders.service(**changes))) & {"no_law", "no_test", "not_free", "bsn_law"}
    assert found == ({concern} if concern else set())
