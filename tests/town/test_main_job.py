"""Issue, grant, read, revoke, refuse, audit: by the command line, between real processes."""

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from urllib.request import HTTPCookieProcessor, build_opener

from examples.founding import ORIGIN, Town
from examples.processes import fetch_json, is_port_dead
from protocol.errors import Rejected, Unavailable
from service.clock import SystemClock
from service.fetch import Fetcher
from service.home import Home
from tests.town import residents
from tests.town.residents import agree, grant_again, history_with, read, read_at_last, revoke
from verifier.desk import Desk, Parts
from verifier.gate import Purpose
from verifier.reader import read_grant


def test_agency_reads_exactly_what_it_asked_of_what_was_granted(town: Town) -> None:
    agreement = agree(town, "anna")
    assert set(read(town, agreement).answer["values"]) == {"postcode"}


def test_resident_sees_every_read_and_refusal_in_the_history(town: Town) -> None:
    agreement = agree(town, "bram", person=1)
    read(town, agreement)
    revoke(town, agreement)
    refused = read(town, agreement, expect=1)
    assert refused.code == "revoked"
    events = history_with(town, agreement, "refusal")
    assert [event["kind"] for event in events if event["kind"] in ("read", "refusal")] == ["read", "refusal"]
    assert all(event["verified"] for event in events)
    assert next(event for event in events if event["kind"] == "read")["attributes"][0].endswith("postcode")


def test_read_after_the_revocation_exits_1_with_the_code_revoked(town: Town) -> None:
    agreement = agree(town, "cees", person=2)
    assert revoke(town, agreement)["state"] == "confirmed"
    outcome = read(town, agreement, expect=1)
    assert outcome.code == "revoked"
    assert "values" not in outcome.answer


def test_read_from_home_is_refused_where_the_grant_says_so_and_rings_where_it_does_not(town: Town) -> None:
    """The Sunday itself is in tests/verifier/alarm, where a clock can be set; here are real log and commands."""
    (town.at("agency") / "alarms.json").write_text(json.dumps({"usual_hours": [0, 0], "outside_reads": 1}))
    town.open_wallet("sien", residents.BSNS[7], ("persoon", "adres"))
    asks = [town.regie("agency", "verifier", "ask", "parkeervergunning").answer for _ in range(2)]
    narrow = ("--days", "1-7", "--hours", "0-24", "--zone", "office")
    town.regie("sien", "wallet", "grant", asks[0]["request"], *narrow, "--yes")
    town.regie("sien", "wallet", "grant", asks[1]["request"], "--yes")
    home = ("--only", "postcode", "--case", "Z-7", "--zone", "remote")
    assert town.regie("agency", "verifier", "read", asks[0]["id"], *home, expect=1).code == "out_of_context"
    before = town.regie("agency", "verifier", "alarms", "list").answer["total"]
    entry = town.regie("agency", "verifier", "read", asks[1]["id"], *home).answer["index"]
    listed = town.regie("agency", "verifier", "alarms", "list").answer
    assert listed["total"] >= max(before, 1)
    shown = [
        town.regie("agency", "verifier", "alarms", "show", str(each["id"])).answer for each in listed["alerts"]
    ]
    assert any(each["rule"] == "outside_hours" and entry in each["entries"] for each in shown)


def test_revocation_by_paper_code_from_a_stranger_s_machine(town: Town) -> None:
    agreement = agree(town, "dora", person=3)
    town.make_wallet("library")
    town.regie("library", "wallet", "revoke", "--code", "-", stdin=agreement.code)
    assert read(town, agreement, expect=1).code == "revoked"


def test_revoking_twice_is_no_error(town: Town) -> None:
    agreement = agree(town, "emma", person=4)
    revoke(town, agreement)
    assert revoke(town, agreement)["state"] == "confirmed"


def test_declined_request_leaves_nothing_to_read(town: Town) -> None:
    town.open_wallet("fien", residents.BSNS[5], ("adres", "persoon"))
    ask = town.regie("agency", "verifier", "ask", "parkeervergunning").answer
    town.regie("fien", "wallet", "decline", ask["request"])
    assert town.regie("agency", "verifier", "read", ask["id"], "--case", "Z-1", expect=None).status == 1


def test_one_request_is_answered_once(town: Town) -> None:
    agree(town, "gijs", person=6)
    ask = town.regie("agency", "verifier", "ask", "parkeervergunning").answer
    town.regie("gijs", "wallet", "grant", ask["request"], "--yes")
    again = town.regie("gijs", "wallet", "grant", ask["request"], "--yes", expect=None)
    assert again.status == 1
    grants = town.regie("agency", "verifier", "grants").answer["grants"]
    assert sum(grant["id"] == ask["id"] for grant in grants) == 1


def test_copy_by_dcql_on_one_device_counts_once_the_wallet_is_back_in_its_browser(town: Town) -> None:
    town.open_wallet("hugo", residents.BSNS[7], ("adres", "persoon"))
    claims = [{"path": ["postcode"]}]
    card = {
        "id": "adres",
        "format": "dc+sd-jwt",
        "meta": {"vct_values": ["urn:regie:nl:adres:1"]},
        "claims": claims,
    }
    query = town.home / "query.json"
    query.write_text(json.dumps({"credentials": [card]}))
    asked = ("verifier", "request", "parkeervergunning", "--dcql", str(query), "--same-device")
    ask = town.regie("agency", *asked).answer
    browser = build_opener(HTTPCookieProcessor())
    page = browser.open(ask["start"], data=b"").read().decode()
    link = unescape(page.partition('href="')[2].partition('"')[0])
    redirect = town.regie("hugo", "wallet", "present", link, "--yes").answer["redirect"]
    assert town.regie("agency", "verifier", "read", ask["id"], expect=1).code == "not_returned"
    assert browser.open(redirect).status == 200
    assert {"postcode"} < set(town.regie("agency", "verifier", "read", ask["id"]).answer["values"])
    (verdict,) = town.regie("agency", "verifier", "verdict", ask["id"]).answer["verdicts"]
    assert (verdict["accepted"], verdict["steps"][-1]["name"]) == (True, "return")


def test_audit_of_all_this_is_clean(town: Town) -> None:
    verdict = town.audit().answer
    assert (verdict["integrity"], verdict["completeness"], verdict["policy"]) == ("ok", "ok", "ok")
    evidence = town.home / "evidence-of-the-module.db"
    town.regie("agency", "verifier", "evidence", str(evidence))
    assert town.regie("auditor", "auditor", "check", str(evidence)).status == 0


def test_audit_without_the_token_is_refused(town: Town) -> None:
    wrong = town.home / "wrong-token"
    wrong.write_text("AAAA")
    outcome = town.regie("auditor", "auditor", "verify", "--openings", "--token", str(wrong), expect=None)
    assert outcome.code == "unauthorized"


def refusal_of(desk: Desk, agreement: residents.Agreement) -> str | None:
    """The code with which a read is refused; None when it is not."""
    try:
        read_grant(desk, agreement.ask, ("postcode",), Purpose(residents.CASE, "tester", "desk", "office"))
    except (Rejected, Unavailable) as error:
        return error.code
    return None


def test_while_the_log_is_down_nobody_reads_and_a_stop_still_counts(own_town: Town) -> None:
    town = own_town
    kept = agree(town, "hugo")
    stopped = grant_again(town, "hugo")
    log = town.servers["log"]
    log.kill()
    assert is_port_dead(log.url)

    outcome = read(town, kept, expect=3)
    assert "values" not in outcome.answer
    answer = revoke(town, stopped)
    assert answer["state"] == "not yet confirmed"
    pending = fetch_json(f"{town.urls['cosigner']}/v1/revocations?origin={ORIGIN}")
    assert len(pending["revocations"]) == 1

    desk = Desk(Home(town.at("agency")), Parts(SystemClock(), Fetcher(loopback=True), secrets.token_bytes))
    with ThreadPoolExecutor(4) as pool:
        racing = [pool.submit(refusal_of, desk, stopped) for _ in range(100)]
        time.sleep(0.5)
        log.start()
        assert None not in [future.result() for future in racing]
    assert read_at_last(town, stopped).code == "revoked"
    assert set(read_at_last(town, kept).answer["values"]) == {"postcode"}
    town.regie("hugo", "wallet", "sync")
    states = {grant["id"]: grant["state"] for grant in town.regie("hugo", "wallet", "grants").answer["grants"]}
    assert states[stopped.grant] != states[kept.grant]
