"""An officer reads: what is asked first, what is shown, and when it leaves the screen."""

from typing import Any

from protocol.reading import parse_read
from protocol.status_list import SUPERSEDED
from protocol.terms import salted_hash
from tests.protocol import builders
from tests.protocol.builders import ADRES, DAY
from tests.service.ui.staff import ORIGIN, Page, get
from tests.verifier.agency import Wallet, copy_form
from tests.verifier.ui.conftest import DeskAgency, granted, token_of, words_of
from verifier.assisted import note_help

FORM = {"case": "Z-2026-1", "reason": "application", "only": ["adres.postcode"]}


def read(page: Page, rid: str, **fields: Any) -> Page:
    """Send the form of an agreement's page."""
    return page.post(f"/agreements/{rid}/read", **{"token": token_of(page), **FORM, **fields})


def test_officer_reads_what_was_ticked_for_a_case_and_a_reason(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    page = read(get(agency.open("clerk"), f"/agreements/{rid}"), rid)
    assert page.answer.status_code == 200
    assert "1234AB" in page.text
    assert "Voorbeeld" not in words_of(page).replace("Gemeente Voorbeeld", "")
    assert page.answer.headers["Cache-Control"] == "no-store"
    (look,) = agency.desk.store.book.looks_of(rid)
    assert (look.officer, look.case_number, look.reason, look.outcome) == (
        "bente.bakker",
        "Z-2026-1",
        "application",
        "done",
    )


def test_who_reads_goes_hashed_into_the_log(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    read(get(agency.open("clerk", name="Canary Bakker"), f"/agreements/{rid}"), rid)
    (row,) = agency.desk.store.reads.all()
    sent = parse_read(agency.log.requests[0]).read
    assert sent.officer == salted_hash(row["officer_salt"], "canary.bakker")
    assert sent.channel == "desk"
    assert "canary" not in agency.log.requests[0]


UNFINISHED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"case": ""}, "case"),
    ({"case": " "}, "case"),
    ({"case": "x" * 257}, "case"),
    ({"case": "Z\u202e1"}, "case"),
    ({"reason": ""}, "reason"),
    ({"reason": "curious"}, "reason"),
    ({"only": []}, "only"),
)


def test_nothing_is_read_without_case_reason_and_choice(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    form = get(agency.open("clerk"), f"/agreements/{rid}")
    for fields, field in UNFINISHED:
        page = read(form, rid, **fields)
        assert page.answer.status_code == 400, fields
        assert f'href="#{field}"' in page.text
    assert not agency.log.requests
    assert agency.desk.store.book.looks_of(rid) == []


def test_a_datum_that_was_not_granted_cannot_be_chosen(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    page = read(get(agency.open("clerk"), f"/agreements/{rid}"), rid, only=["adres.straat"])
    assert page.answer.status_code == 403
    assert not agency.log.requests


def test_loading_a_reading_again_reads_nothing(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    form = get(agency.open("clerk"), f"/agreements/{rid}")
    assert read(form, rid).answer.status_code == 200
    again = read(form, rid)
    assert again.answer.status_code == 409
    assert "1234AB" not in again.text
    assert len(agency.log.requests) == 1
    address = get(form.browser, f"/agreements/{rid}/read")
    assert address.answer.status_code == 303


def test_form_that_no_page_gave_reads_nothing(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    form = get(agency.open("clerk"), f"/agreements/{rid}")
    for token in ("", "x", "x" * 23):
        assert read(form, rid, token=token).answer.status_code == 409
    assert not agency.log.requests


def test_reading_forged_by_another_site_is_refused(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    form = get(agency.open("clerk"), f"/agreements/{rid}")
    data = {"token": token_of(form), **FORM}
    path = f"/agreements/{rid}/read"
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN}, {}):
        assert form.browser.post(path, data=data, headers=headers).status_code == 403
    own = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
    assert form.browser.post(path, data=data, headers=own).status_code == 403  # without the form's token
    assert not agency.log.requests
    assert agency.desk.store.book.looks_of(rid) == []


def test_stopped_agreement_is_not_read_and_says_so(agency: DeskAgency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    form = get(agency.open("clerk"), f"/agreements/{rid}")
    wallet.log.stop(made.sealed.slot, made.secret)
    refused = read(form, rid)
    assert refused.answer.status_code == 410
    assert "niet meer lezen" in words_of(refused)
    assert "1234AB" not in refused.text
    after = get(form.browser, f"/agreements/{rid}")
    assert "Niet meer lezen" in words_of(after)
    assert "/read" not in after.text
    assert get(form.browser, f"/agreements/{rid}/reading/state").answer.status_code == 200


def test_values_stay_while_the_agreement_stands_and_go_when_it_stops(agency: DeskAgency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    browser = agency.open("clerk")
    state = f"/agreements/{rid}/reading/state"
    assert get(browser, state).answer.status_code == 204
    wallet.log.stop(made.sealed.slot, made.secret)
    agency.clock.time += 10
    over = get(browser, state)
    assert (over.answer.status_code, "data-done" in over.text) == (200, True)
    assert "Niet meer lezen" in words_of(over)
    assert agency.desk.store.grants.get(rid).state == "revoked"


def test_values_go_when_nobody_can_tell_any_more(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    agency.log.down = True
    over = get(agency.open("clerk"), f"/agreements/{rid}/reading/state")
    assert over.answer.status_code == 200
    assert "niet zien of dit nog geldt" in words_of(over)


def test_officer_who_asks_the_log_by_hand_is_told_what_it_says(agency: DeskAgency, wallet: Wallet) -> None:
    """Without scripts: an agreement that nobody can vouch for now does not stand, nor is there a form to read."""
    rid, _ = granted(agency, wallet)
    page = get(agency.open("clerk"), f"/agreements/{rid}")
    assert "Deze afspraak geldt" in words_of(page)
    agency.log.down = True
    asked = page.post(f"/agreements/{rid}/check")
    assert asked.answer.status_code == 303
    told = get(page.browser, asked.answer.headers["Location"])
    assert "niet zien of dit nog geldt" in words_of(told)
    assert "Deze afspraak geldt" not in words_of(told)
    assert token_of(told) == ""


def test_values_go_when_the_term_ends(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    agency.clock.time += 101 * DAY
    assert "termijn is voorbij" in words_of(get(agency.open("clerk"), f"/agreements/{rid}/reading/state"))


def test_log_that_is_down_gives_no_values(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    form = get(agency.open("clerk"), f"/agreements/{rid}")
    agency.log.down = True
    page = read(form, rid)
    assert page.answer.status_code == 503
    assert "1234AB" not in page.text


def test_flags_of_the_register_come_before_the_data(agency: DeskAgency, wallet: Wallet) -> None:
    flagged = builders.attributes_of(
        ADRES,
        geheimhouding=True,
        inOnderzoek=["postcode"],
        opschorting={"reden": "emigratie", "datum": "2026-03-01"},
    )
    wallet.cards[ADRES] = builders.credential(ADRES, holder=wallet.keys[ADRES].public, attributes=flagged)
    rid, _ = granted(agency, wallet)
    words = words_of(read(get(agency.open("clerk"), f"/agreements/{rid}"), rid))
    assert "Deze inwoner houdt de gegevens geheim" in words
    assert "Postcode wordt onderzocht" in words
    assert "emigratie , 1 maart 2026" in words.replace("emigratie,", "emigratie ,")
    assert words.index("houdt de gegevens geheim") < words.index("1234AB")


def test_name_of_a_register_that_looks_like_markup_stays_text(agency: DeskAgency, wallet: Wallet) -> None:
    odd = builders.attributes_of(ADRES, postcode="<Onbekend> & </Onbemind><script>alert(1)</script>")
    wallet.cards[ADRES] = builders.credential(ADRES, holder=wallet.keys[ADRES].public, attributes=odd)
    rid, _ = granted(agency, wallet)
    page = read(get(agency.open("clerk"), f"/agreements/{rid}"), rid)
    assert "&lt;Onbekend&gt; &amp; &lt;/Onbemind&gt;" in page.text
    assert "<script>alert" not in page.text


def test_values_are_in_no_file_of_the_home(agency: DeskAgency, wallet: Wallet) -> None:
    canary = builders.attributes_of(ADRES, postcode="CANARY77")
    wallet.cards[ADRES] = builders.credential(ADRES, holder=wallet.keys[ADRES].public, attributes=canary)
    rid, _ = granted(agency, wallet)
    assert "CANARY77" in read(get(agency.open("clerk"), f"/agreements/{rid}"), rid).text
    assert b"CANARY77" not in agency.files()


# --- shared once -----------------------------------------------------------------------------------------


def shared_once(agency: DeskAgency, wallet: Wallet) -> str:
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
    return rid


def test_what_is_shared_once_is_shown_once(agency: DeskAgency, wallet: Wallet) -> None:
    rid = shared_once(agency, wallet)
    page = get(agency.open("clerk"), f"/requests/{rid}")
    taken = page.post(f"/requests/{rid}/take", token=token_of(page), case="Z-1", reason="application")
    assert "1234AB" in taken.text
    after = get(page.browser, f"/requests/{rid}")
    assert "opgehaald of verlopen" in words_of(after)
    again = page.post(f"/requests/{rid}/take", token="x" * 22, case="Z-1", reason="application")
    assert (again.answer.status_code, "1234AB" in again.text) == (410, False)


def test_nothing_is_fetched_without_case_and_reason(agency: DeskAgency, wallet: Wallet) -> None:
    rid = shared_once(agency, wallet)
    page = get(agency.open("clerk"), f"/requests/{rid}")
    refused = page.post(f"/requests/{rid}/take", token=token_of(page), case="", reason="")
    assert refused.answer.status_code == 400
    assert agency.desk.store.lists.has_copy(rid)


def test_what_was_decided_with_help_is_not_fetched_before_the_second_officer(
    agency: DeskAgency, wallet: Wallet
) -> None:
    rid = shared_once(agency, wallet)
    page = get(agency.open("clerk"), f"/requests/{rid}")
    note_help(agency.desk, rid, "somebody")
    refused = page.post(f"/requests/{rid}/take", token=token_of(page), case="Z-1", reason="application")
    assert refused.answer.status_code == 403
    assert agency.desk.store.lists.has_copy(rid)


def test_officer_sees_that_data_are_out_of_date_before_reading_them(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    client = agency.open("clerk")
    assert "verouderd" not in words_of(get(client, f"/agreements/{rid}"))
    agency.net.statuses[4711] = SUPERSEDED
    agency.clock.time += 901
    told = words_of(get(client, f"/agreements/{rid}"))
    assert "Deze gegevens zijn verouderd" in told
    assert told.index("verouderd") < told.index("Nu lezen")
    assert not agency.log.requests
