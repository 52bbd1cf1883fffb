"""One device: the answer counts only once the wallet is back in the browser that began (HAIP 1.0 section 5.1)."""

import json
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from protocol.errors import Rejected
from protocol.openid4vp import VerifiedRequest
from tests.verifier.agency import PURPOSE, URL, Agency, Wallet, copy_form
from verifier.ask import REQUEST_SECONDS
from verifier.reader import read_grant, take_copy
from verifier.sessions import RETURN_SECONDS


def browser(agency: Agency) -> FlaskClient:
    """With cookies of its own."""
    return agency.app.test_client()


def https(path: str) -> dict[str, Any]:
    return {"path": urlsplit(path).path, "query_string": urlsplit(path).query, "base_url": URL}


def ask(agency: Agency, **wish: Any) -> tuple[str, str]:
    """Id, and the address for the browser."""
    rid, start = agency.ask(same_device=True, **{"once": True, **wish})
    assert start.startswith(f"{URL}/start/")
    assert rid not in start
    return rid, start


def begin(at: FlaskClient, start: str) -> str:
    """Press the button; the link for the wallet."""
    page = at.post(**https(start))
    assert page.status_code == 200, page.text
    link = page.text.partition('href="')[2].partition('"')[0]
    return link.replace("&amp;", "&")


def share(agency: Agency, wallet: Wallet, rid: str, link: str) -> str:
    """The wallet answers; where it sends its user."""
    request = wallet.open(agency, link)
    answer = agency.post(rid, copy_form(request, wallet.show(request)))
    assert answer.status_code == 200, answer.text
    return str(json.loads(answer.text)["redirect_uri"])


def not_usable(agency: Agency, rid: str, code: str) -> None:
    with pytest.raises(Rejected) as refusal:
        take_copy(agency.desk, rid)
    assert refusal.value.code == code


def test_wallet_that_comes_back_to_its_browser_makes_the_answer_count(agency: Agency, wallet: Wallet) -> None:
    rid, start = ask(agency)
    here = browser(agency)
    shown = here.get(**https(start))
    assert (shown.status_code, "openid4vp" in shown.text) == (200, False)
    assert "form-action 'self'" in shown.headers["Content-Security-Policy"]
    back = share(agency, wallet, rid, begin(here, start))
    not_usable(agency, rid, "not_returned")
    assert agency.stored()["copies"]
    assert here.get(**https(back)).status_code == 200
    assert here.get(**https(back)).status_code == 200
    assert take_copy(agency.desk, rid)["postcode"] == "1234AB"


def test_wallet_that_does_not_come_back_gives_nothing(agency: Agency, wallet: Wallet) -> None:
    rid, start = ask(agency)
    back = share(agency, wallet, rid, begin(here := browser(agency), start))
    agency.clock.time += RETURN_SECONDS
    assert here.get(**https(back)).status_code == 403
    not_usable(agency, rid, "other_session")
    assert not agency.stored()["copies"]


def test_wallet_that_comes_back_in_the_last_second_is_in_time(agency: Agency, wallet: Wallet) -> None:
    rid, start = ask(agency)
    back = share(agency, wallet, rid, begin(here := browser(agency), start))
    agency.clock.time += RETURN_SECONDS - 1
    assert here.get(**https(back)).status_code == 200
    assert take_copy(agency.desk, rid)


def test_browser_that_began_is_known_until_the_last_answer_may_come_back(agency: Agency, wallet: Wallet) -> None:
    """Its cookie does not end with the request: an answer of the last second would come back to a stranger."""
    rid, start = ask(agency)
    here = browser(agency)
    began = agency.clock.time
    for waited in (0, 60):
        agency.clock.time = began + waited
        cookie = here.post(**https(start)).headers["Set-Cookie"]
        assert f"Max-Age={REQUEST_SECONDS - waited + RETURN_SECONDS};" in cookie
    request = wallet.open(agency, agency.desk.link(agency.desk.store.requests.get(rid).request))
    agency.clock.time = began + REQUEST_SECONDS - 1
    answer = agency.post(rid, copy_form(request, wallet.show(request)))
    agency.clock.time += RETURN_SECONDS - 1
    assert here.get(**https(json.loads(answer.text)["redirect_uri"])).status_code == 200
    assert take_copy(agency.desk, rid)


def test_answer_that_no_session_took_back_is_deleted(agency: Agency, wallet: Wallet) -> None:
    rid, start = ask(agency)
    share(agency, wallet, rid, begin(browser(agency), start))
    agency.clock.time += RETURN_SECONDS + 1
    agency.ask()
    assert not agency.stored()["copies"]
    not_usable(agency, rid, "not_returned")


@pytest.mark.parametrize("cookie", ["none", "garbage", "of another request"])
def test_session_fixation_redirect_in_another_browser_throws_the_answer_away(
    agency: Agency, wallet: Wallet, cookie: str
) -> None:
    """The attacker begins, the victim's wallet answers: the user comes back to the victim's browser."""
    rid, start = ask(agency)
    attacker, victim = browser(agency), browser(agency)
    back = share(agency, wallet, rid, begin(attacker, start))
    if cookie == "garbage":
        victim.set_cookie(f"__Host-regie-{rid}", "x", domain=urlsplit(URL).hostname, secure=True)
    if cookie == "of another request":
        begin(victim, ask(agency)[1])
    page = victim.get(**https(back))
    assert (page.status_code, page.content_type) == (403, "text/html; charset=utf-8")
    assert "<h1>Niet gelukt</h1>" in page.text
    assert attacker.get(**https(back)).status_code == 403
    not_usable(agency, rid, "other_session")
    assert not agency.stored()["copies"]


def test_redirect_without_its_response_code_changes_nothing(agency: Agency, wallet: Wallet) -> None:
    rid, start = ask(agency)
    here = browser(agency)
    back = share(agency, wallet, rid, begin(here, start))
    before = agency.stored(), agency.desk.store.sessions.of(rid)
    for query in ("", "?response_code=", "?response_code=AAAAAAAAAAAAAAAAAAAAAA", f"?response_code={rid}"):
        assert browser(agency).get(**https(f"{URL}/answers/{rid}{query}")).status_code == 404
    assert (agency.stored(), agency.desk.store.sessions.of(rid)) == before
    assert here.get(**https(back)).status_code == 200


def test_redirect_opened_before_the_answer_changes_nothing(agency: Agency, wallet: Wallet) -> None:
    rid, start = ask(agency)
    here = browser(agency)
    link = begin(here, start)
    assert here.get(**https(f"{URL}/answers/{rid}?response_code=AAAAAAAAAAAAAAAAAAAAAA")).status_code == 404
    assert here.get(**https(share(agency, wallet, rid, link))).status_code == 200


def test_preview_that_looks_ahead_by_head_throws_no_answer_away(agency: Agency, wallet: Wallet) -> None:
    rid, start = ask(agency)
    here = browser(agency)
    back = share(agency, wallet, rid, begin(here, start))
    before = agency.stored(), agency.desk.store.sessions.of(rid)
    assert browser(agency).head(**https(back)).status_code == 405
    assert (agency.stored(), agency.desk.store.sessions.of(rid)) == before
    assert here.get(**https(back)).status_code == 200


def test_second_browser_after_the_return_takes_nothing_away(agency: Agency, wallet: Wallet) -> None:
    rid, start = ask(agency)
    back = share(agency, wallet, rid, begin(here := browser(agency), start))
    assert here.get(**https(back)).status_code == 200
    assert browser(agency).get(**https(back)).status_code == 403
    assert take_copy(agency.desk, rid)["postcode"] == "1234AB"


def test_start_is_taken_by_the_first_browser_only(agency: Agency, wallet: Wallet) -> None:
    rid, start = ask(agency)
    first, second = browser(agency), browser(agency)
    link = begin(first, start)
    refusal = second.post(**https(start))
    assert (refusal.status_code, "openid4vp" in refusal.text) == (410, False)
    assert "__Host" not in refusal.headers.get("Set-Cookie", "")
    assert begin(first, start) == link
    assert first.get(**https(share(agency, wallet, rid, link))).status_code == 200
    for at in (first, second):
        assert at.post(**https(start)).status_code == 410
        assert at.get(**https(start)).status_code == 410


def test_start_is_taken_by_one_of_many_browsers_in_a_race(agency: Agency) -> None:
    _, start = ask(agency)
    ready, statuses = Barrier(6), []

    def press() -> None:
        at = browser(agency)
        ready.wait()
        statuses.append(at.post(**https(start)).status_code)

    threads = [Thread(target=press) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [410] * 5


def test_answer_that_was_thrown_away_is_gone_from_the_disk(agency: Agency, wallet: Wallet) -> None:
    rid, start = ask(agency)
    back = share(agency, wallet, rid, begin(browser(agency), start))
    ((_, sealed, _),) = agency.stored()["copies"]
    assert sealed in agency.files()
    assert browser(agency).get(**https(back)).status_code == 403
    assert sealed not in agency.files()


def test_preview_that_follows_the_address_is_not_the_session(agency: Agency) -> None:
    rid, start = ask(agency)
    for _ in range(3):
        page = browser(agency).get(**https(start))
        assert (page.status_code, page.headers.get("Set-Cookie")) == (200, None)
    assert agency.desk.store.sessions.of(rid).state == "waiting"


def test_other_site_does_not_begin_a_session(agency: Agency) -> None:
    rid, start = ask(agency)
    for site in ("cross-site", "same-site", "none"):
        page = browser(agency).post(**https(start), headers={"Sec-Fetch-Site": site})
        assert (page.status_code, page.headers.get("Set-Cookie")) == (403, None)
    assert agency.desk.store.sessions.of(rid).state == "waiting"
    assert browser(agency).post(**https(start), headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("start", ["", "x", "A" * 22, "A" * 5000, "%00", "é", "../answers", "' OR 1=1 --"])
def test_unknown_address_is_not_found(agency: Agency, start: str) -> None:
    ask(agency)
    for method in ("GET", "POST"):
        assert browser(agency).open(f"{URL}/start/{start}", method=method).status_code == 404


def test_address_ends_with_its_request(agency: Agency) -> None:
    _, start = ask(agency)
    agency.clock.time += REQUEST_SECONDS
    assert browser(agency).get(**https(start)).status_code == 410
    assert browser(agency).post(**https(start)).status_code == 410


def test_cookie_is_for_this_host_alone_and_no_script(agency: Agency) -> None:
    """`__Host-`: a neighbour under the same domain can set no cookie of this name: no cookie tossing."""
    rid, start = ask(agency)
    cookie = browser(agency).post(**https(start)).headers["Set-Cookie"]
    name, _, rest = cookie.partition("=")
    assert name == f"__Host-regie-{rid}"
    assert {part.strip() for part in rest.split(";")[1:]} >= {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"}
    assert "Domain" not in cookie


def test_demo_over_plain_http_has_a_plain_cookie(tmp_path: Path) -> None:
    agency = Agency(tmp_path, url="http://127.0.0.1:8082")
    _, start = agency.ask(once=True, same_device=True)
    cookie = agency.app.test_client().post(urlsplit(start).path).headers["Set-Cookie"]
    assert cookie.startswith("regie-")
    assert "Secure" not in cookie


def test_home_holds_no_secret_of_the_browser(agency: Agency) -> None:
    _, start = ask(agency)
    cookie = browser(agency).post(**https(start)).headers["Set-Cookie"]
    kept = agency.files()
    assert cookie.partition("=")[2].partition(";")[0].encode() not in kept
    assert start.rpartition("/")[2].encode() not in kept


def test_session_and_address_are_fresh_for_each_request(agency: Agency) -> None:
    starts = {ask(agency)[1] for _ in range(3)}
    secrets = {browser(agency).post(**https(start)).headers["Set-Cookie"].partition("=")[2] for start in starts}
    assert len(starts) == len(secrets) == 3


def test_grant_is_not_read_before_the_wallet_came_back(agency: Agency, wallet: Wallet) -> None:
    rid, start = ask(agency, once=False)
    here = browser(agency)
    request: VerifiedRequest = wallet.open(agency, begin(here, start))
    answer = agency.post(rid, wallet.grant(request).form())
    assert answer.status_code == 200
    before = agency.stored()
    with pytest.raises(Rejected, match="not_returned"):
        read_grant(agency.desk, rid, (), PURPOSE)
    assert agency.stored() == before
    assert not agency.log.requests
    assert here.get(**https(json.loads(answer.text)["redirect_uri"])).status_code == 200
    assert read_grant(agency.desk, rid, (), PURPOSE).values


def test_grant_that_came_back_elsewhere_is_never_read(agency: Agency, wallet: Wallet) -> None:
    rid, start = ask(agency, once=False)
    link = begin(browser(agency), start)
    answer = agency.post(rid, wallet.grant(wallet.open(agency, link)).form())
    assert browser(agency).get(**https(json.loads(answer.text)["redirect_uri"])).status_code == 403
    with pytest.raises(Rejected, match="other_session"):
        read_grant(agency.desk, rid, (), PURPOSE)
    assert not agency.log.requests


def test_across_devices_nobody_has_to_come_back(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(once=True)
    assert parse_qs(urlsplit(link).query)["request_uri"]
    back = share(agency, wallet, rid, link)
    assert take_copy(agency.desk, rid)["postcode"] == "1234AB"
    assert browser(agency).get(**https(back)).status_code == 200


def test_wallet_that_did_not_hear_the_first_answer_still_finds_its_way_back(
    agency: Agency, wallet: Wallet
) -> None:
    """Else its grant would stand in the log and never count here."""
    rid, start = ask(agency, once=False)
    here = browser(agency)
    granted = wallet.grant(wallet.open(agency, begin(here, start)))
    assert agency.post(rid, granted.form()).status_code == 200
    again = agency.post(rid, granted.form())
    assert here.get(**https(json.loads(again.text)["redirect_uri"])).status_code == 200
    assert read_grant(agency.desk, rid, (), PURPOSE).values
