"""Who may do what at the desk, four eyes at the counter, requests to erase, search, and who watches over it."""

from threading import Thread

import pytest

from protocol.canonical import b64u_encode
from protocol.revocation_code import code_from_seed, format_code, format_paper_qr, format_stop_digits, lock_for
from service.paper_stop import Stopped
from tests.protocol import builders
from tests.protocol.builders import DAY, LOG_URL
from tests.service.ui.staff import get
from tests.verifier.agency import URL, Wallet
from tests.verifier.test_desk_errands import ask_erasure
from tests.verifier.ui.conftest import DeskAgency, granted, token_of, words_of
from verifier.front import create as create_front
from verifier.ui import finding
from verifier.ui.counter import HELP_STEPS, SECOND_STEPS

OFFICERS = ("/new/", "/new/parkeervergunning@1", "/requests/{rid}/form", "/requests/{rid}/help")
OVERSEERS = ("/rights/", "/oversight/")
EVERYBODY = ("/", "/numbers", "/requests/", "/agreements/", "/search/", "/requests/{rid}")


def test_nobody_sees_the_desk_without_signing_in(agency: DeskAgency) -> None:
    rid, _ = agency.ask()
    stranger = agency.face.test_client()
    for path in EVERYBODY + OFFICERS + OVERSEERS:
        answer = stranger.get(path.format(rid=rid), headers={"Accept": "text/html"})
        assert answer.status_code == 303, path
        assert "/sign-in" in answer.headers["Location"]


def test_each_role_sees_its_own_pages(agency: DeskAgency) -> None:
    rid, _ = agency.ask()
    for role, allowed in {"clerk": OFFICERS, "manager": OFFICERS + OVERSEERS, "privacy": OVERSEERS}.items():
        browser = agency.open(role)
        for path in EVERYBODY + OFFICERS + OVERSEERS:
            status = get(browser, path.format(rid=rid)).answer.status_code
            assert status == (200 if path in EVERYBODY + allowed else 403), (role, path)


def test_privacy_officer_reads_no_values(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    page = get(agency.open("privacy"), f"/agreements/{rid}")
    assert token_of(page) == ""
    form = {"token": "x" * 22, "case": "Z-1", "reason": "application", "only": ["adres.postcode"]}
    assert page.post(f"/agreements/{rid}/read", **form).answer.status_code == 403
    assert not agency.log.requests


def test_clerk_answers_no_request_to_erase(agency: DeskAgency, wallet: Wallet) -> None:
    _, made = granted(agency, wallet)
    jti = ask_erasure(agency, wallet, made)
    page = get(agency.open("clerk"), "/")
    assert page.post(f"/rights/{jti}", answer="erased", sure="1").answer.status_code == 403
    assert len(agency.log.messages) == 1


# --- four eyes -------------------------------------------------------------------------------------------


def test_two_officers_help_and_confirm(agency: DeskAgency, wallet: Wallet) -> None:
    first, second = agency.open("clerk", name="Bente Bakker"), agency.open("clerk", name="Joris Jansen")
    rid, link = agency.ask()
    page = get(first, f"/requests/{rid}/help")
    assert page.post(f"/requests/{rid}/help", done=list(HELP_STEPS[:4])).answer.status_code == 400
    assert agency.desk.store.book.helped(rid) is None
    assert page.post(f"/requests/{rid}/help", done=list(HELP_STEPS)).answer.status_code == 303
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
    assert "Wacht op een tweede medewerker" in words_of(get(first, f"/requests/{rid}"))
    assert token_of(get(first, f"/agreements/{rid}")) == ""
    own = get(first, f"/requests/{rid}/confirm")
    assert "Je hebt zelf geholpen" in words_of(own)
    assert own.post(f"/requests/{rid}/confirm", done=list(SECOND_STEPS)).answer.status_code == 403
    other = get(second, f"/requests/{rid}/confirm")
    assert other.post(f"/requests/{rid}/confirm", done=["free"]).answer.status_code == 400
    assert token_of(get(first, f"/agreements/{rid}")) == ""
    assert other.post(f"/requests/{rid}/confirm", done=list(SECOND_STEPS)).answer.status_code == 303
    assert token_of(get(first, f"/agreements/{rid}")) != ""


def test_who_asks_with_help_needs_a_colleague(agency: DeskAgency) -> None:
    page = get(agency.open("clerk"), "/new/parkeervergunning@1")
    where = page.post("/new/parkeervergunning@1", kind="standing", helped="1").answer.headers["Location"]
    helped = agency.desk.store.book.helped(where.rpartition("/")[2])
    assert helped is not None
    assert (helped.officer, helped.second) == ("bente.bakker", None)


# --- erasing ---------------------------------------------------------------------------------------------


def test_request_to_erase_has_its_clock(agency: DeskAgency, wallet: Wallet) -> None:
    _, made = granted(agency, wallet)
    jti = ask_erasure(agency, wallet, made)
    browser = agency.open("privacy")
    assert "Te beantwoorden" in words_of(get(browser, "/rights/"))
    agency.clock.time += 25 * DAY
    assert "Deze week antwoorden" in words_of(get(agency.open("privacy"), "/rights/"))
    agency.clock.time += 10 * DAY
    browser = agency.open("privacy")
    assert "Te laat" in words_of(get(browser, f"/rights/{jti}"))


UNFINISHED: tuple[tuple[dict[str, str], str], ...] = (
    ({}, "answer"),
    ({"answer": "later"}, "answer"),
    ({"answer": "erased"}, "sure"),
    ({"answer": "kept", "until": "2030"}, "law"),
    ({"answer": "kept", "law": "AWR artikel 52 lid 4"}, "until"),
    ({"answer": "kept", "law": "AWR artikel 52 lid 4", "until": "1999"}, "until"),
    ({"answer": "kept", "law": "Omdat Jan Jansen het wil", "until": "2030"}, "law"),
)


def test_answer_that_is_not_whole_is_not_sent(agency: DeskAgency, wallet: Wallet) -> None:
    _, made = granted(agency, wallet)
    jti = ask_erasure(agency, wallet, made)
    page = get(agency.open("privacy"), f"/rights/{jti}")
    before = agency.stored()
    for fields, field in UNFINISHED:
        refused = page.post(f"/rights/{jti}", **fields)
        assert refused.answer.status_code == 400, fields
        assert f'href="#{field}"' in refused.text
    assert agency.stored() == before


def test_privacy_officer_answers_once(agency: DeskAgency, wallet: Wallet) -> None:
    _, made = granted(agency, wallet)
    jti = ask_erasure(agency, wallet, made)
    page = get(agency.open("privacy"), f"/rights/{jti}")
    answer = {"answer": "kept", "law": "AWR artikel 52 lid 4", "until": "2034"}
    assert page.post(f"/rights/{jti}", **answer).answer.status_code == 303
    shown = words_of(get(page.browser, f"/rights/{jti}"))
    assert "AWR artikel 52 lid 4" in shown
    assert "1 januari 2034" in shown
    assert page.post(f"/rights/{jti}", **answer).answer.status_code == 409
    assert len(agency.log.messages) == 2


def test_two_officers_who_answer_at_once_do_not_both_get_into_the_log(agency: DeskAgency, wallet: Wallet) -> None:
    _, made = granted(agency, wallet)
    jti = ask_erasure(agency, wallet, made)
    pages = [get(agency.open("privacy", name=name), f"/rights/{jti}") for name in ("Bente Bakker", "Joris Jansen")]
    kept = {"answer": "kept", "law": "AWR artikel 52 lid 4", "until": "2034"}
    answers: list[int] = []
    second = Thread(target=lambda: answers.append(pages[1].post(f"/rights/{jti}", **kept).answer.status_code))
    log = agency.log.answer

    def slow_log(path: str, body: bytes | None) -> bytes:
        if path == "/v1/messages" and second.ident is None:
            second.start()
            second.join(1)  # time to overtake the first, unless it is held back
        return log(path, body)

    agency.log.answer = slow_log  # type: ignore[method-assign]
    answers.append(pages[0].post(f"/rights/{jti}", answer="erased", sure="1").answer.status_code)
    second.join()
    assert sorted(answers) == [303, 409]
    assert len(agency.log.messages) == 2  # the receipt, and one answer


# --- search and oversight --------------------------------------------------------------------------------


def test_officer_finds_by_reference_link_and_form(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    waiting, open_link = agency.ask()
    page = get(agency.open("clerk"), "/search/")
    texts = {
        rid[:8]: "agreements", f" {rid[:4].upper()} {rid[4:8]} ": "agreements", rid: "agreements",
        waiting: "requests", open_link: "requests",
        f"{URL}/requests/{waiting}": "requests",
    }  # fmt: skip
    for text, kind in texts.items():
        answer = page.post("/search/", text=text).answer
        wanted = rid if kind == "agreements" else waiting
        assert (answer.status_code, answer.headers.get("Location")) == (303, f"/{kind}/{wanted}"), text


def with_receipt(agency: DeskAgency, wallet: Wallet) -> tuple[str, bytes]:
    """An agreement, and the code on its receipt."""
    code = code_from_seed(bytes(32), 1)
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link), lock=b64u_encode(lock_for(code, 1)))
    assert agency.post(rid, made.form()).status_code == 200
    return rid, code


def test_who_brings_a_receipt_stops_the_agreement_at_the_counter(agency: DeskAgency, wallet: Wallet) -> None:
    rid, code = with_receipt(agency, wallet)
    for text in (format_paper_qr(LOG_URL, code), format_code(code)):
        page = get(agency.open("clerk"), "/search/").post("/search/", text=text)
        assert "Niet stoppen" in words_of(page)
        assert agency.desk.store.grants.get(rid).state == "active"
    assert page.post("/search/stop", text=text).answer.headers["Location"] == f"/agreements/{rid}"
    assert agency.desk.store.grants.get(rid).state == "revoked"
    assert all(logged.revoked for slot, logged in agency.log.grants.items() if slot)
    assert "Niet meer lezen" in words_of(get(page.browser, f"/agreements/{rid}"))
    assert page.post("/search/stop", text=text).answer.status_code == 303  # again changes nothing


def test_stop_counts_only_when_the_log_signs_for_it(agency: DeskAgency, wallet: Wallet) -> None:
    rid, code = with_receipt(agency, wallet)
    text = format_code(code)
    page = get(agency.open("clerk"), "/search/").post("/search/", text=text)
    agency.log.receipt_key = builders.AUDITOR_KEY
    assert page.post("/search/stop", text=text).answer.status_code == 400
    agency.log.down = True
    assert page.post("/search/stop", text=text).answer.status_code == 503
    assert agency.desk.store.grants.get(rid).state == "active"


def test_code_that_is_wrong_or_of_others_stops_nothing(agency: DeskAgency, wallet: Wallet) -> None:
    rid, code = with_receipt(agency, wallet)
    page = get(agency.open("clerk"), "/search/")
    digits = format_code(code)
    wrong = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    for text, status in ((wrong, 400), (format_code(bytes(16)), 404), ("", 400), ("1" * 40, 400)):
        is_paper = text == format_code(bytes(16))  # of whom, only a log knows: it is asked when Stop is pressed
        assert page.post("/search/", text=text).answer.status_code == (200 if is_paper else 404), text
        assert page.post("/search/stop", text=text).answer.status_code == status, text
    assert get(agency.open("privacy"), "/search/").post("/search/stop", text=digits).answer.status_code == 403
    assert agency.desk.store.grants.get(rid).state == "active"


NO_REFERENCE = (
    "", "0", "1234567", "999990019", "%", "_" * 8, "' OR 1=1 --", "regie:revoke?log=x", "http://[", "z" * 9000,
)  # fmt: skip


def test_search_finds_no_person_and_no_pattern(agency: DeskAgency) -> None:
    agency.ask()
    page = get(agency.open("clerk"), "/search/")
    for text in NO_REFERENCE:
        answer = page.post("/search/", text=text).answer
        assert (answer.status_code, "Location" in answer.headers) == (404, False), text


def test_overseer_sees_who_read_and_a_clerk_does_not(agency: DeskAgency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    form = get(agency.open("clerk", name="Joris Jansen"), f"/agreements/{rid}")
    fields = {"case": "Z-CANARY", "reason": "objection", "only": ["adres.postcode"]}
    assert form.post(f"/agreements/{rid}/read", token=token_of(form), **fields).answer.status_code == 200
    wallet.log.stop(made.sealed.slot, made.secret)
    second = get(form.browser, f"/agreements/{rid}")
    assert second.post(f"/agreements/{rid}/read", token=token_of(second), **fields).answer.status_code == 410
    words = words_of(get(agency.open("privacy"), "/oversight/"))
    assert words.count("joris.jansen") == 2
    assert "Z-CANARY" in words
    assert "Geweigerd: de inwoner is gestopt" in words
    assert "Z-CANARY" not in get(agency.open("clerk"), f"/agreements/{rid}").text


def test_log_that_contradicts_itself_is_told_to_the_overseer(agency: DeskAgency) -> None:
    agency.desk.store.seen.add_contradiction("log", "one", "two", 1)
    assert "sprak zichzelf tegen" in words_of(get(agency.open("privacy"), "/oversight/"))


# --- beside the endpoints of wallets ---------------------------------------------------------------------


def test_desk_is_there_only_where_staff_can_sign_in(agency: DeskAgency) -> None:
    both = create_front(agency.home.path)
    agency.home.write_config(agency.desk.config.__class__(**{**_members(agency), "staff": None}))
    alone = create_front(agency.home.path)
    assert _get(both, "/desk/")[:3] == "303"
    assert _get(both, "/desk")[:3] == "308"
    assert _get(alone, "/desk/")[:3] == "404"
    for app in (both, alone):
        assert _get(app, "/healthz")[:3] == "200"
        assert _get(app, "/v1/openapi.json")[:3] == "200"
        assert _get(app, "/deskx")[:3] == "404"


def _members(agency: DeskAgency) -> dict[str, object]:
    config = agency.desk.config
    return {name: getattr(config, name) for name in config.__struct_fields__}


def _get(app: object, path: str) -> str:
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "wsgi.url_scheme": "http", "SERVER_PROTOCOL": "HTTP/1.1", "QUERY_STRING": "",
        "HTTP_ACCEPT": "text/html", "wsgi.input": None, "wsgi.errors": None,
    }  # fmt: skip
    found: list[str] = []
    list(app(environ, lambda status, headers: found.append(status)))  # type: ignore[operator]
    return found[0]


def test_paper_of_another_organisation_is_told_as_stopped(
    agency: DeskAgency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "stop_by_paper", lambda *_: Stopped(2, at_log=True))
    page = get(agency.open("clerk"), "/search/").post("/search/stop", text=format_stop_digits(bytes(16)))
    assert page.answer.status_code == 200
    assert "2 afspraken zijn gestopt" in page.text
    assert 'href="/search/"' in page.text
