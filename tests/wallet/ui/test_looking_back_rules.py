"""What pages of looking back show: filters, pages, months, weeks, clocks and files are functions of values."""

import csv
import io
import json
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace as changed

from protocol.reading import one_month_after
from tests.wallet.neighbours import Neighbours
from wallet.errand_grant import grant
from wallet.errand_history import kept_parts, look_back
from wallet.errand_message import ask
from wallet.errand_revoke import stop_grant
from wallet.folding import fold
from wallet.history import VerifiedEvent
from wallet.kept_history import KeptHistory
from wallet.opened import OpenWallet
from wallet.records import Activity, Choice, OutgoingMessage
from wallet.show import fold_text
from wallet.ui import agreement_view
from wallet.ui.activity_view import (
    MAX_PICTURES,
    MAX_SEARCH,
    Filter,
    by_month,
    chosen,
    filter_of,
    folded,
    page_of,
    reads_by_week,
)
from wallet.ui.book import Agreement, Line, lines_of, make_book, reads_since
from wallet.ui.export import as_csv, as_json
from wallet.ui.notices import _news
from wallet.ui.rights_view import asked_of, can_ask
from wallet.ui.shelf import read_book

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM).timestamp())


def line(number: int, *, kind: str = "read", time: int = 0, agency: str = "1", name: str = "") -> Line:
    return Line(
        f"1-{number}", kind, time or number, agency, name or f"Agency {agency}", "1", ("adres.postcode",), True
    )  # type: ignore[arg-type]


@pytest.fixture
def agreement(wallet: OpenWallet, neighbours: Neighbours) -> Agreement:
    """Active and read once."""
    slot = grant(wallet, neighbours.agency.ask(max_reads=2), Choice()).record.slot
    assert slot is not None
    neighbours.log.read(slot, "postcode")
    look_back(wallet, "1")
    return read_book(wallet).agreements["1"]


# --- filters and pages ---


def test_filter_takes_no_more_than_it_knows() -> None:
    assert filter_of("read", "x", "1", "  a   b ") == Filter("read", "x", "1", "a b")
    assert filter_of("nonsense", "", "", "") == Filter()
    assert len(filter_of("", "", "", "x" * (MAX_SEARCH + 1)).text) == MAX_SEARCH
    assert len(filter_of("", "", "", "x" * MAX_SEARCH).text) == MAX_SEARCH


def test_only_what_is_looked_for_is_shown() -> None:
    lines = [line(3), line(2, kind="refused"), line(1, agency="2")]

    def words(each: Line) -> str:
        return f"{each.agency_name} {each.kind}"

    assert chosen(lines, Filter(), words) == lines
    assert chosen(lines, Filter(group="read"), words) == [lines[0], lines[2]]
    assert chosen(lines, Filter(agency="2"), words) == [lines[2]]
    assert chosen(lines, Filter(text="agency REFUSED"), words) == [lines[1]]
    assert chosen(lines, Filter(number="9"), words) == []


@pytest.mark.parametrize(("asked", "shown"), [(-5, 1), (1, 1), (3, 3), (99, 3)])
def test_page_that_is_not_there_gives_the_nearest(asked: int, shown: int) -> None:
    lines = [line(number) for number in range(1, 22)]
    page = page_of(lines, asked, 10)
    assert (page.number, page.pages, page.total) == (shown, 3, 21)
    assert len(page.lines) == (1 if shown == 3 else 10)


def test_pages_hold_every_line_once() -> None:
    lines = [line(number) for number in range(1, 52)]
    pages = [page_of(lines, number, 25) for number in range(1, 4)]
    assert [each for page in pages for each in page.lines] == lines
    assert page_of([], 1).pages == 1


def test_months_are_those_of_amsterdam() -> None:
    late, early = line(1, time=at("2026-11-01T00:10")), line(2, time=at("2026-10-31T23:50"))
    assert [found for _, found in by_month([late, early])] == [[late], [early]]
    assert by_month([]) == []


# --- the picture of reads ---


def test_reads_are_counted_by_week_and_organisation() -> None:
    now = at("2026-11-25T12:00")  # a Wednesday
    lines = [
        line(5, time=at("2026-11-25T09:00")),
        line(4, time=at("2026-11-23T00:00"), agency="2"),
        line(3, time=at("2026-11-22T23:59")),
        line(2, time=at("2026-11-20T10:00"), kind="refused"),
        line(1, time=at("2026-09-01T10:00")),
    ]
    first, second = reads_by_week(lines, now)
    assert (first.agency_name, [count for _, count in first.counts][-3:]) == ("Agency 1", [0, 1, 1])
    assert (second.agency_name, second.total) == ("Agency 2", 1)
    assert first.counts[-1][0].isoformat() == "2026-11-23"
    assert len(first.counts) == 12
    assert reads_by_week([], now) == []


def test_many_organisations_share_one_picture() -> None:
    now = at("2026-11-25T12:00")
    reads = [line(number, time=now - number, agency=str(number)) for number in range(1, 10)]
    pictures = reads_by_week(reads, now)
    assert len(pictures) == MAX_PICTURES
    assert (pictures[-1].others, pictures[-1].total) == (4, 4)
    assert sum(picture.total for picture in pictures) == len(reads)
    assert all(not picture.others for picture in reads_by_week(reads[:MAX_PICTURES], now))


def polled(number: int, time: str, *, channel: str = "batch", agency: str = "1") -> Line:
    """A reading by a program, or at a desk."""
    event = VerifiedEvent("read", number, number, channel=channel, zone="office", time=at(time))
    return changed(line(number, time=at(time), agency=agency), event=event, number=agency)


def test_what_programs_read_in_a_month_is_one_line() -> None:
    nights = [polled(day, f"2026-10-{day:02d}T02:00") for day in range(31, 0, -1)]
    before = [polled(100 + day, f"2026-09-{day:02d}T02:00") for day in range(30, 28, -1)]
    desk, other = polled(50, "2026-10-12T11:00", channel="desk"), polled(51, "2026-10-12T03:00", agency="2")
    found = folded([*nights[:19], desk, other, *nights[19:], *before])
    assert [(each.id, each.count) for each in found] == [("1-31", 31), ("1-50", 1), ("1-51", 1), ("1-130", 2)]
    assert (found[0].time, found[0].since) == (at("2026-10-31T02:00"), at("2026-10-01T02:00"))
    assert sum(each.count for each in found) == 35


def test_what_people_read_is_never_folded() -> None:
    lines = [polled(day, f"2026-10-{day:02d}T11:00", channel="desk") for day in range(9, 0, -1)]
    assert folded(lines) == lines
    refused = [changed(each, event=changed(each.event, kind="refusal", channel="batch")) for each in lines]
    assert folded(refused) == refused


def test_command_line_tells_of_programs_in_one_line_too() -> None:
    events = [each.event for each in (polled(1, "2026-10-01T02:00"), polled(2, "2026-10-02T02:00"))]
    (one,) = fold([changed(each, attributes=("adres.postcode",)) for each in events], lambda _: "same")
    assert "Agency read adres.postcode 2 times by a system" in fold_text("1", one, "Agency")


def test_other_data_are_another_line() -> None:
    night = polled(2, "2026-10-02T02:00")
    more = changed(night, id="1-1", event=changed(night.event, attributes=("adres.straat",)))
    assert folded([night, more]) == [night, more]


@pytest.mark.parametrize(
    ("time", "channel", "kinds"),
    [
        ("2026-11-22T15:00", "desk", ["odd"]),
        ("2026-11-23T23:00", "desk", ["odd"]),
        ("2026-12-25T11:00", "desk", ["odd"]),
        ("2026-11-23T11:00", "desk", ["read"]),
        ("2026-11-22T03:00", "batch", ["read"]),
    ],
)
def test_reading_outside_usual_hours_is_told_apart(
    agreement: Agreement, time: str, channel: str, kinds: list[str]
) -> None:
    event = VerifiedEvent("read", 9, 1, channel=channel, zone="office", time=at(time))
    found = [each for each in _news(agreement, [event]) if each.is_new]
    assert [each.kind for each in found] == kinds


def test_reads_of_this_month_are_counted() -> None:
    lines = [line(9, time=90), line(8, kind="refused", time=80), line(7, time=70), line(5, time=50)]
    assert reads_since(lines, 70) == 2


# --- the book ---


def test_book_tells_everything_newest_first(
    wallet: OpenWallet, neighbours: Neighbours, agreement: Agreement
) -> None:
    neighbours.clock.time += 60
    ask(wallet, "1", "erasure")
    look_back(wallet, "1")
    neighbours.clock.time += 60
    stop_grant(wallet, "1")
    book = read_book(wallet)
    assert [each.kind for each in book.lines] == ["stopped", "erasure_asked", "read", "given"]
    assert all(each.is_proven for each in book.lines)
    assert len({each.id for each in book.lines}) == 4
    assert book.agreements["1"].state == "stopped"


def test_what_the_log_does_not_have_yet_is_not_proven(
    wallet: OpenWallet, neighbours: Neighbours, agreement: Agreement
) -> None:
    neighbours.down = {"log.voorbeeld.example", "agency.voorbeeld.example"}
    neighbours.clock.time += 60
    ask(wallet, "1", "erasure")
    stop_grant(wallet, "1")
    lines = [each for each in read_book(wallet).lines if not each.is_proven]
    assert sorted(each.kind for each in lines) == ["erasure_asked", "stopped"]
    assert read_book(wallet).agreements["1"].state == "stopping"


def test_agreement_that_ends_says_so_by_itself(wallet: OpenWallet, agreement: Agreement) -> None:
    parts = {part.name: part for part in kept_parts(wallet, "1")}
    records = {"1": agreement.record}
    before = make_book(records, parts, {}, (), (), agreement.end - 1)
    assert before.valid_until == agreement.end
    assert before.lines[0].kind == "read"
    after = make_book(records, parts, {}, (), (), agreement.end)
    assert (after.lines[0].kind, after.lines[0].time) == ("ended", agreement.end)
    assert after.valid_until is None


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("active", "given"),
        ("uncertain", "unsure"),
        ("delivering", "unsure"),
        ("intended", "begun"),
        ("failed", "failed"),
    ],
)
def test_beginning_says_how_sure_it_is(agreement: Agreement, state: str, kind: str) -> None:
    record = changed(agreement.record, state=state)
    assert make_book({"1": record}, {}, {}, (), (), agreement.start + 60).lines[-1].kind == kind


def test_copies_and_refusals_stand_among_the_rest(agreement: Agreement) -> None:
    done = {
        name: Activity(agreement.start + place, kind, "x", "Shop", None, ["adres.postcode"], ["adres.postcode"])
        for place, (name, kind) in enumerate((("a", "shared"), ("b", "maybe_shared"), ("c", "declined")))
    }
    book = make_book({}, {}, done, (), (), agreement.start + 60)  # type: ignore[arg-type]
    assert [each.kind for each in book.lines] == ["declined", "maybe_copy", "copy"]


def test_entry_whose_details_are_gone_stands_where_it_was(agreement: Agreement) -> None:
    assert agreement.history is not None
    events = (*agreement.events, VerifiedEvent("read", 99, 1, erased=True))
    lines = lines_of(replace(agreement, history=replace(agreement.history, events=events)))
    assert [each.id for each in lines][:2] == ["1-99", lines[1].id]
    assert lines[0].time == lines[1].time


def test_agreement_never_looked_at_makes_the_whole_no_fresher(agreement: Agreement) -> None:
    records = {"1": agreement.record, "2": agreement.record}
    assert make_book(records, {}, {}, (), (), agreement.start + 60).checked_at is None


# --- agreements ---


def test_list_has_what_ends_first_at_the_top(agreement: Agreement) -> None:
    def ending(number: str, end: int, **changes: object) -> Agreement:
        terms = changed(agreement.record.body.terms, not_after=end)
        record = changed(agreement.record, body=changed(agreement.record.body, terms=terms))
        return replace(agreement, number=number, record=record, **changes)  # type: ignore[arg-type]

    all_of = [ending("1", 500), ending("2", 300), ending("3", 400, state="stopped")]
    listing = agreement_view.listing_of(all_of, over=False, text="", page=1)
    assert [each.number for each in listing.shown] == ["2", "1"]
    assert (listing.active, listing.over) == (2, 1)
    assert [each.number for each in agreement_view.listing_of(all_of, over=True, text="", page=1).shown] == ["3"]
    assert agreement_view.listing_of(all_of, over=False, text="nobody", page=7).shown == ()
    assert [each.number for each in agreement_view.running_with(agreement.agency, all_of)] == ["1", "2"]
    assert [agreement_view.siblings_of(each, all_of) for each in all_of] == [1, 1, 2]


def test_agreement_says_what_is_left(agreement: Agreement) -> None:
    shown = agreement_view.shown(agreement, agreement.end - 3 * 86400 - 5)
    assert (shown.is_running, shown.ends_soon, shown.reads_left, shown.siblings) == (True, True, 1, 0)
    assert shown.days_left == 4 * 86400


# --- rights ---


def messages(wallet: OpenWallet) -> list[OutgoingMessage]:
    return list(wallet.vault.all("messages", OutgoingMessage).values())


def test_erasure_is_late_one_second_after_a_month(
    wallet: OpenWallet, neighbours: Neighbours, agreement: Agreement
) -> None:
    assert can_ask(agreement, [], "erasure")
    ask(wallet, "1", "erasure")
    look_back(wallet, "1")
    one, due = read_book(wallet).agreements["1"], one_month_after(neighbours.clock.time)
    (asked,) = asked_of(one, messages(wallet), due)
    assert (asked.answer, asked.due, asked.at_log, asked.at_agency) == ("waiting", due, True, True)
    assert not can_ask(one, [asked], "erasure")
    (asked,) = asked_of(one, messages(wallet), due + 1)
    assert asked.answer == "late"


@pytest.mark.parametrize("answer", ["erasure_acknowledged", "erased", "kept"])
def test_erasure_shows_what_the_agency_says(
    wallet: OpenWallet, neighbours: Neighbours, agreement: Agreement, answer: str
) -> None:
    ask(wallet, "1", "erasure")
    about = {"law": "Archiefwet 3", "until": neighbours.clock.time + 99} if answer == "kept" else {}
    neighbours.log.agency_message(agreement.record.slot or 0, kind=answer, **about)
    look_back(wallet, "1")
    one = read_book(wallet).agreements["1"]
    (asked,) = asked_of(one, messages(wallet), neighbours.clock.time)
    assert asked.answer == {"erased": "done", "kept": "refused"}.get(answer, "acknowledged")
    assert can_ask(one, [asked], "erasure") == (answer != "erasure_acknowledged")
    assert asked.law == about.get("law")


def test_nothing_can_be_erased_where_nothing_was_given(agreement: Agreement) -> None:
    assert not can_ask(replace(agreement, record=changed(agreement.record, slot=None)), [], "erasure")
    assert not can_ask(replace(agreement, record=changed(agreement.record, state="failed")), [], "erasure")


# --- files ---


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "\tx"])
def test_formula_injection_by_a_name_is_text(name: str) -> None:
    (row,) = csv.DictReader(io.StringIO(as_csv([line(1, name=name)], "en").decode("utf-8-sig")))
    assert row["organisation"] == f"'{name}"
    assert json.loads(as_json([line(1, name=name)], "en"))[0]["organisation"] == name


@pytest.mark.parametrize("name", ["Winkel;=1+1", 'Winkel, en;"=1+1"', "Winkel; @x", "Winkel;-1", "Winkel\t+1"])
def test_formula_injection_after_a_semicolon_is_text(name: str) -> None:
    """A spreadsheet with Dutch settings parts cells at semicolons, whatever the file says."""
    text = as_csv([line(1, name=name)], "en").decode("utf-8-sig")
    for parted in (";", "\t"):
        for row in csv.reader(io.StringIO(text), delimiter=parted):
            assert not [cell for cell in row if cell.lstrip(' "').startswith(("=", "+", "-", "@"))]


def test_kept_history_without_events_is_no_harm(agreement: Agreement) -> None:
    empty = replace(agreement, history=KeptHistory(1, 1, ()))
    assert (empty.last_read, lines_of(empty)[-1].kind) == (None, "given")
