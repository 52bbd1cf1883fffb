"""A resident looks back in the browser: agreements, stopping, activities, rights; with a network and without."""

import csv
import io
import json
import re
import threading
from html import unescape

import pytest
from msgspec.structs import replace

from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.reading import one_month_after
from tests.protocol import builders
from tests.waiting import wait_until
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import AGENCY_HOST, COSIGNER_HOST, LOG_HOST, Neighbours, second_agency
from tests.wallet.ui.face import Face
from wallet.errand_grant import grant
from wallet.errand_history import look_back
from wallet.errand_request import decline, share_once
from wallet.errand_revoke import stop_here
from wallet.jwe_password import decrypt
from wallet.records import Choice
from wallet.ui import work
from wallet.ui.jobs import Job, begin, job_of
from wallet.ui.shelf import read_book
from wallet.ui.work import MESSAGES, RETRY, SEARCH, STOP, SYNC


def text_of(page: str) -> str:
    """What a page says, without its markup."""
    main = page.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", main)))


def settled(face: Face, kind: str) -> None:
    """Wait for a job of ours; it takes milliseconds here."""
    wait_until(lambda: (job := job_of(face.keeper, kind)) is not None and not job.is_running)


def says(face: Face, path: str) -> str:
    answer = face.get(path)
    assert answer.status_code == 200, answer.text
    return text_of(answer.text)


@pytest.fixture
def given(face: Face, neighbours: Neighbours) -> int:
    """The slot of agreement 1, which was read once."""
    with face.keeper.in_use() as wallet:
        slot = grant(wallet, neighbours.agency.ask(max_reads=5), Choice()).record.slot
        assert slot is not None
        neighbours.clock.time += 60
        neighbours.log.read(slot, "postcode")
        look_back(wallet, "1")
    return slot


def test_resident_sees_what_is_shared_and_for_how_long(face: Face, given: int) -> None:
    page = says(face, "/agreements")
    assert "Gemeente Voorbeeld" in page
    assert "Active" in page
    assert "left" in page
    assert "Viewed 1 time" in page
    one = says(face, "/agreements/1")
    assert "Postal code" in one
    assert "They may look 4 more times." in one
    assert "Stop sharing" in one


def test_resident_without_agreements_is_told_so(face: Face) -> None:
    assert "You share nothing now" in says(face, "/agreements")
    assert "Nothing has happened yet" in says(face, "/activities")
    assert "Nobody looked" in says(face, "/activities/reads")
    assert "Everything fits" in says(face, "/problems")


def test_locked_wallet_shows_nothing(face: Face, given: int) -> None:
    face.post("/lock")
    for path in ("/agreements", "/agreements/1", "/activities", "/activities/export.csv", "/rights", "/problems"):
        answer = face.get(path)
        assert answer.status_code == 303
        assert "/unlock" in answer.headers["Location"]
        assert "Voorbeeld" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/agreements/9",
        "/agreements/9/stop",
        "/agreements/9/ask/erasure",
        "/activities/nonsense",
        "/agreements/1/problems/x",
    ],
)
def test_what_is_not_there_is_not_found(face: Face, given: int, path: str) -> None:
    assert face.get(path).status_code == 404


# --- stopping ---


def test_resident_stops_in_two_steps_and_the_log_confirms(face: Face, given: int, neighbours: Neighbours) -> None:
    assert "Do you want to stop sharing" in says(face, "/agreements/1/stop")
    answer = face.post("/agreements/1/stop")
    assert answer.headers["Location"].endswith("/agreements/1/stopped")
    settled(face, STOP)
    assert neighbours.log.grants[0].revoked is not None
    page = says(face, "/agreements/1/stopped")
    assert "Stopped, and confirmed by the log" in page
    assert "They may keep what they already have" in page or "they keep no longer than" in page
    assert face.get("/agreements/1/stop").status_code == 303  # there is nothing left to ask
    assert "Over: 1" in says(face, "/agreements")


def test_stop_without_a_network_is_durable_and_said_to_be_unconfirmed(
    face: Face, given: int, neighbours: Neighbours
) -> None:
    neighbours.down = {LOG_HOST, COSIGNER_HOST, AGENCY_HOST}
    face.post("/agreements/1/stop")
    settled(face, STOP)
    page = says(face, "/agreements/1/stopped")
    assert "not yet confirmed" in page
    assert "may still be able to look" in page
    assert neighbours.log.grants[0].revoked is None
    with face.keeper.in_use() as wallet:
        assert wallet.grant("1").stop is not None
        assert wallet.grant("1").share_a == ""
    neighbours.down = set()
    face.post("/sync", {"next": "/agreements/1/stopped"})
    settled(face, SYNC)
    assert "Stopped, and confirmed by the log" in says(face, "/agreements/1/stopped")


def test_stop_that_a_watcher_holds_says_so(face: Face, given: int, neighbours: Neighbours) -> None:
    neighbours.down = {LOG_HOST}
    face.post("/agreements/1/stop")
    settled(face, STOP)
    assert "1 watcher of the log already knows it" in says(face, "/agreements/1/stopped")


def test_stop_goes_out_by_itself_as_soon_as_the_log_is_back(
    face: Face, given: int, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "RETRY_SECONDS", 0.05)
    neighbours.down = {LOG_HOST, COSIGNER_HOST, AGENCY_HOST}
    face.post("/agreements/1/stop")
    settled(face, STOP)
    assert "not yet confirmed" in says(face, "/agreements/1/stopped")
    neighbours.down = set()
    settled(face, RETRY)
    assert "Stopped, and confirmed by the log" in says(face, "/agreements/1/stopped")


def test_csrf_stop_from_another_site_changes_nothing(face: Face, given: int, neighbours: Neighbours) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        answer = face.post("/agreements/1/stop", headers=headers)
        assert answer.status_code == 403
    assert face.post("/agreements/1/stop", {"csrf_token": ""}).status_code == 403
    assert face.get("/agreements/1/stop").status_code == 200
    with face.keeper.in_use() as wallet:
        assert wallet.grant("1").stop is None
    assert neighbours.log.grants[0].revoked is None


def test_resident_stops_everything_with_one_organisation(
    face: Face, given: int, neighbours: Neighbours, holder: Resident
) -> None:
    with face.keeper.in_use() as wallet:
        grant(wallet, neighbours.agency.ask(), Choice())
    assert "These 2 agreements stop for good" in says(face, "/agreements/1/stop-all")
    face.post("/agreements/1/stop-all")
    settled(face, STOP)
    assert "Everything is stopped, and confirmed by the log" in says(face, "/agreements/1/stopped-all")
    assert all(each.revoked is not None for each in neighbours.log.grants)
    assert "There is nothing left to stop" in says(face, "/agreements/1/stop-all")


def test_job_ends_when_the_wallet_is_locked_and_nothing_is_lost(
    face: Face, given: int, neighbours: Neighbours
) -> None:
    begun, locked = threading.Event(), threading.Event()

    def stop_later(job: Job) -> None:
        with job.wallet():
            begun.set()
        assert locked.wait(60)
        with job.wallet() as wallet:
            stop_here(wallet, "1")

    job = begin(face.keeper, "test", stop_later)
    assert begun.wait(60)
    face.post("/lock")
    face.unlock()  # another opening of the same wallet is not the one that the job had
    locked.set()
    wait_until(lambda: not job.is_running)
    assert job.state == "locked"
    with face.keeper.in_use() as wallet:
        assert wallet.grant("1").stop is None


def test_job_of_a_kind_runs_once(face: Face, given: int) -> None:
    over = threading.Event()
    first = begin(face.keeper, "test", lambda job: bool(over.wait(60)) and None)
    assert begin(face.keeper, "test", lambda job: None) is first
    over.set()


def test_job_that_is_refused_says_why(face: Face, given: int) -> None:
    def refuse(job: Job) -> None:
        raise Rejected("unknown_grant")

    job = begin(face.keeper, "test", refuse)
    settled(face, "test")
    assert (job.state, job.code) == ("failed", "unknown_grant")


# --- activities ---


def test_activities_tell_who_looked_at_what_and_why_not(face: Face, given: int, neighbours: Neighbours) -> None:
    neighbours.log.read(given, "postcode", reason="out_of_context", zone="remote")
    with face.keeper.in_use() as wallet:
        look_back(wallet, "1")
        decline(wallet, neighbours.agency.ask())
    page = says(face, "/activities")
    assert "Gemeente Voorbeeld viewed 1 datum" in page
    assert "wanted to view your data, and was refused" in page
    assert "at a time or place that you did not allow" in page
    assert "You said no to Gemeente Voorbeeld" in page
    assert "November 2026" in page


def test_what_the_log_shows_is_proven_in_words(face: Face, given: int) -> None:
    index = 0
    with face.keeper.in_use() as wallet:
        index = look_back(wallet, "1").history.events[1].index
    page = says(face, f"/activities/1-{index}")
    for words in ("Postal code", "Proven", "signed this itself", "public log", "At a desk", "Code of the case"):
        assert words in page


def test_pages_open_without_a_network_and_say_how_fresh_they_are(
    face: Face, given: int, neighbours: Neighbours
) -> None:
    neighbours.down = {LOG_HOST, COSIGNER_HOST, AGENCY_HOST}
    assert "viewed 1 datum" in says(face, "/activities")
    assert "Up to date until" in says(face, "/activities")
    face.post("/sync", {"next": "/activities"})
    settled(face, SYNC)
    assert "Not everybody could be reached" in says(face, "/activities")


def test_resident_looks_for_news_and_sees_the_new_read(face: Face, given: int, neighbours: Neighbours) -> None:
    neighbours.log.read(given, "huisnummer")
    assert "Viewed 1 time" in says(face, "/agreements/1")
    answer = face.post("/sync", {"next": "/agreements/1"})
    assert answer.headers["Location"].endswith("/agreements/1")
    settled(face, SYNC)
    assert "Viewed 2 times" in says(face, "/agreements/1")
    assert 'data-go="/agreements/1"' in face.get("/sync/live?next=/agreements/1").text


def test_button_for_news_leads_to_no_other_site(face: Face, given: int) -> None:
    answer = face.post("/sync", {"next": "//evil.example/"})
    assert answer.headers["Location"] == "/"
    settled(face, SYNC)
    assert "evil" not in face.get("/sync/live?next=https://evil.example/").text


def test_search_words_stand_in_no_address(face: Face, given: int) -> None:
    answer = face.post("/activities", {"text": "POSTAL code", "group": "read", "agency": ""})
    there = answer.headers["Location"]
    assert "postal" not in there.lower()
    assert "1 activity found" in says(face, there)
    empty = face.post("/activities", {"text": "nobody has this"}).headers["Location"]
    assert "Nothing found" in says(face, empty)
    assert "1 activity found" not in says(face, "/activities?view=forgotten")


def test_activities_come_as_files_without_values(face: Face, given: int) -> None:
    answer = face.get("/activities/export.json")
    assert "attachment" in answer.headers["Content-Disposition"]
    told = json.loads(answer.data)
    assert {entry["kind"] for entry in told} == {"given", "read"}
    read = next(entry for entry in told if entry["kind"] == "read")
    assert read["proven"] is True
    assert "adres.postcode" in read["data"]
    assert str(builders.attributes_of(builders.ADRES)["postcode"]) not in answer.text
    rows = list(csv.DictReader(io.StringIO(face.get("/activities/export.csv").data.decode("utf-8-sig"))))
    assert [row["kind"] for row in rows] == [entry["kind"] for entry in told]
    found = face.post("/activities", {"group": "read"}).headers["Location"]
    assert len(json.loads(face.get(found.replace("/activities", "/activities/export.json")).data)) == 1


def test_picture_of_reads_has_its_table(face: Face, given: int) -> None:
    answer = face.get("/activities/reads")
    assert 'role="img"' in answer.text
    assert "<table" in answer.text
    assert "Viewed 1 time in 12 weeks" in text_of(answer.text)


# --- rights ---


def test_resident_asks_to_erase_and_sees_the_clock_and_the_answer(
    face: Face, given: int, neighbours: Neighbours
) -> None:
    face.post("/agreements/1/ask/erasure")
    settled(face, MESSAGES)
    page = says(face, "/agreements/1/asked")
    due = one_month_after(neighbours.clock.time)
    assert "No answer yet" in page
    assert "They must answer by" in page
    assert "on its way" not in page
    face.post("/agreements/1/ask/erasure")  # an open question is not asked twice
    assert sum(event[1].name == "MESSAGE" for event in neighbours.log.grants[0].events) == 1
    assert "Erase your data" in says(face, "/rights")
    neighbours.log.agency_message(given, kind="kept", law="Archiefwet 3", until=due + 1000)
    with face.keeper.in_use() as wallet:
        look_back(wallet, "1")
    page = says(face, "/agreements/1/asked")
    assert "Not erased" in page
    assert "Archiefwet 3" in page


def test_erasure_waits_while_nobody_can_be_reached(face: Face, given: int, neighbours: Neighbours) -> None:
    neighbours.down = {LOG_HOST, AGENCY_HOST, COSIGNER_HOST}
    face.post("/agreements/1/ask/erasure")
    settled(face, MESSAGES)
    assert "on its way" in says(face, "/agreements/1/asked")


def test_answer_that_is_late_is_said_to_be(face: Face, given: int, neighbours: Neighbours) -> None:
    face.post("/agreements/1/ask/erasure")
    settled(face, MESSAGES)
    neighbours.clock.time = one_month_after(neighbours.clock.time) + 1
    face.unlock()
    assert "Too late" in says(face, "/agreements/1/asked")


def test_letters_name_the_law_and_who_writes_and_never_the_number(face: Face, given: int) -> None:
    person = builders.attributes_of(builders.PERSOON)
    for path, law in (
        ("/agreements/1/letter/access", "article 15"),
        ("/agreements/1/letter/rectification", "article 16"),
        ("/agreements/1/letter/erasure", "article 17"),
        ("/rights/register-letter", "article 3.22"),
    ):
        letter = says(face, path)
        assert law in letter
        assert str(person["volledigeNaam"]) in letter
        assert str(person["burgerservicenummer"]) not in letter
        assert ("Gemeente Voorbeeld" in letter) == path.startswith("/agreements")
    assert face.get("/agreements/1/letter/else").status_code == 404


def test_resident_asks_to_see_and_to_correct_and_each_has_its_clock(
    face: Face, given: int, neighbours: Neighbours
) -> None:
    face.post("/agreements/1/ask/access")
    settled(face, MESSAGES)
    unchosen = face.post("/agreements/1/ask/rectification")
    assert unchosen.status_code == 400
    page = says(face, "/agreements/1/ask/rectification")
    assert "checked" not in face.get("/agreements/1/ask/rectification").text  # nothing is chosen beforehand
    assert "Postal code" in page
    face.post("/agreements/1/ask/rectification", {"data": ["adres.postcode"]})
    settled(face, MESSAGES)
    neighbours.clock.time += 60
    neighbours.log.agency_message(given, kind="access_answered", document=b64u_encode(bytes(32)))
    neighbours.log.agency_message(given, kind="rectification_refused", law="Wet BRP artikel 2.58")
    with face.keeper.in_use() as wallet:
        look_back(wallet, "1")
    page = says(face, "/agreements/1/asked")
    for words in ("See your data", "Correct your data", "Postal code", "Wet BRP artikel 2.58", "fingerprint"):
        assert words in page
    lines = says(face, "/activities")
    assert "You asked Gemeente Voorbeeld to correct your data" in lines
    assert "does not correct your data" in lines
    assert face.get("/agreements/1/ask/gossip").status_code == 404


def test_complaint_is_a_file_without_data_and_stands_in_the_activities(face: Face, given: int) -> None:
    assert "Nothing is sent by itself" in says(face, "/agreements/1/complain")
    assert face.post("/agreements/1/complain").status_code == 400
    assert "complaint" not in says(face, "/activities")
    page = face.post("/agreements/1/complain", {"reason": "asks_too_much"})
    assert "Autoriteit Persoonsgegevens" in text_of(page.text)
    file = face.post("/agreements/1/complain", {"reason": "asks_too_much", "file": "1"})
    found = file.get_json()
    assert found["party"]["commonName"] == "Gemeente Voorbeeld"
    assert found["request"].count(".") == 2
    with face.keeper.in_use() as wallet:
        record = wallet.grant("1")
    for secret in ("1234AB", record.body.terms.tag_key, record.body.opening_key, record.body.view_hash):
        assert secret not in file.text
    assert "You made a complaint about Gemeente Voorbeeld" in says(face, "/activities")


def test_activities_leave_the_wallet_under_a_password_only(face: Face, given: int) -> None:
    assert face.post("/activities/log", {"passphrase": "short"}).status_code == 400
    sealed = face.post("/activities/log", {"passphrase": "vier losse woorden samen"})
    assert sealed.status_code == 200
    log = json.loads(decrypt(sealed.text, b"vier losse woorden samen"))["transactionLog"]
    assert "Presentation" in [each["transactionType"] for each in log]
    with pytest.raises(Rejected):
        decrypt(sealed.text, b"vier andere woorden samen")


def test_letter_about_a_copy_asks_to_erase_it(
    face: Face, given: int, neighbours: Neighbours, holder: Resident
) -> None:
    claim = type(builders.service().claims[0])
    names = ("postcode", "woonplaats", *builders.flags(builders.ADRES))
    claims = [claim(vct=builders.ADRES, path=[name], needed=True) for name in names]
    moved = builders.service(id="verhuisbericht", claims=claims)
    holder.write_trust(agencies=[builders.agency(services=[builders.service(), moved])], version=2)
    with face.keeper.in_use() as wallet:
        share_once(wallet, neighbours.agency.ask(once=True))
        (copy,) = [each for each in read_book(wallet).lines if each.kind == "copy"]
    page = says(face, f"/activities/{copy.id}")
    assert "That cannot be taken back" in page
    assert "Only in your wallet" in page
    assert "article 17" in says(face, f"/activities/{copy.id}/letter")
    assert face.get("/activities/1-given/letter").status_code == 404


# --- what cannot be ---


def test_log_that_hides_a_read_is_shown_with_its_evidence(face: Face, given: int, neighbours: Neighbours) -> None:
    neighbours.log.change_events = lambda answer: replace(answer, events=answer.events[:1])
    face.post("/sync", {"next": "/agreements"})
    settled(face, SYNC)
    assert "Something is not right" in says(face, "/agreements")
    assert "The log shows less than before" in says(face, "/problems")
    assert "A log may never take anything back" in says(face, "/agreements/1/problems/fewer_events")
    assert "viewed 1 datum" in says(face, "/activities"), "what was seen before stays"
    told = json.loads(face.get("/agreements/1/problems/fewer_events.json").data)
    assert told["code"] == "fewer_events"
    assert json.loads(told["answer"])["checkpoint"]


def test_thorough_search_says_that_nothing_is_hidden(face: Face, given: int) -> None:
    face.post("/agreements/1/search")
    settled(face, SEARCH)
    assert "Nothing is hidden" in says(face, "/agreements/1/search")
    assert "data-done" in face.get("/agreements/1/search/live").text


def test_thorough_search_finds_a_read_that_the_log_keeps_back(
    face: Face, given: int, neighbours: Neighbours
) -> None:
    neighbours.log.read(given, "postcode")
    neighbours.log.change_events = lambda answer: replace(answer, events=answer.events[:2])
    face.post("/agreements/1/search")
    settled(face, SEARCH)
    assert "Something is not right" in says(face, "/agreements/1/search")
    assert "The log hides an entry" in says(face, "/problems")


def test_xss_by_names_is_inert(face: Face, neighbours: Neighbours, holder: Resident) -> None:
    name = "<img src=x onerror=alert(1)>&lt;b"
    holder.write_trust(agencies=[builders.agency(name=name), second_agency()], version=2)
    with face.keeper.in_use() as wallet:
        grant(wallet, neighbours.agency.ask(), Choice())
    for path in (
        "/agreements",
        "/agreements/1",
        "/agreements/1/stop",
        "/activities",
        "/rights",
        "/agreements/1/letter/access",
        "/agreements/1/ask/access",
        "/agreements/1/asked",
        "/agreements/1/complain",
    ):
        page = face.get(path).text
        assert "<img src=x" not in page
        assert "&lt;img" in page, path


def test_parts_that_renew_themselves_answer_alone_and_end(face: Face, given: int) -> None:
    face.post("/agreements/1/ask/erasure")
    settled(face, MESSAGES)
    face.post("/agreements/1/stop")
    settled(face, STOP)
    for path in ("/agreements/1/stopped/live", "/agreements/1/stopped-all/live", "/agreements/1/asked/live"):
        answer = face.get(path, headers={"X-Regie-Live": "1"})
        assert answer.status_code == 200
        assert "<html" not in answer.text
        assert "data-done" in answer.text
