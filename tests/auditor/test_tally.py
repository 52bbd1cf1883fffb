"""What a tally counts: the same in however many steps a log was followed, and nothing of what was erased."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from auditor.book import Book
from auditor.follow_store import FollowStore
from auditor.openings import OpeningsAudit
from auditor.tally import DAY, LOOK_SECONDS, Cell, Look, Tally, span_of, week_of
from auditor.tally_store import Counted, TallyView, load_tally, note_step, save_tally
from protocol.reading import ResidentMessage, parse_read, sign_message
from protocol.rights import RIGHTS, Right
from service.database import immediate, snapshot
from service.home import Home
from tests.auditor.history import History, honest, listed, read_id
from tests.protocol import granting
from tests.protocol.builders import AGENCY_ID, HOLDER, NOW

TOWN = granting.town()
SERVICE = f"{TOWN.terms.service} {TOWN.terms.service_version}"


def audited(history: History, *, now: int = NOW) -> Tally:
    """The tally of a whole history."""
    tally = Tally()
    leaves = history.log.leaves
    audit = OpeningsAudit(Book(), listed, lambda index: (leaves[index], history.openings.get(index)), tally)
    list(audit.check(leaves, history.openings))
    tally.settle(now)
    return tally


def week(tally: Tally, name: str) -> int:
    return sum(n for cell, n in tally.cells.items() if (cell.family, cell.name) == ("week", name))


def family(tally: Tally, name: str) -> dict[str, int]:
    counts = Counter[str]()
    for cell, n in tally.cells.items():
        counts[cell.name] += n if cell.family == name else 0
    return dict(+counts)


def test_tally_counts_what_an_honest_log_shows() -> None:
    tally = audited(honest())
    assert {name: week(tally, name) for name in ("grants", "reads", "refusals", "stops", "late_reads")} == {
        "grants": 2,
        "reads": 2,
        "refusals": 1,
        "stops": 1,
        "late_reads": 0,
    }
    assert family(tally, "reason") == {"out_of_scope": 1}
    assert family(tally, "unread") == {"day": 1}
    assert {cell.agency for cell in tally.cells} == {AGENCY_ID}
    assert list(tally.running) == [0]
    assert tally.counted_to == len(honest().log.leaves)


def terms_of(history: History) -> list[Any]:
    return [history.town.terms, granting.neighbour()]


def test_tally_counts_attributes_by_service() -> None:
    history = honest()
    tally = audited(history)
    service = family(tally, "service")
    assert service["grants"] == service["consent"] == 2
    assert sum(family(tally, "given").values()) == sum(len(found.claims) for found in terms_of(history))
    assert sum(family(tally, "read").values()) >= 2
    assert {cell.period for cell in tally.cells if cell.family == "service"} == {SERVICE}


def test_attack_read_after_the_revocation_is_counted_as_late() -> None:
    history = honest()
    history.read(2)
    tally = audited(history)
    assert (week(tally, "reads"), week(tally, "late_reads")) == (3, 1)


def test_attack_read_that_another_signed_is_not_counted() -> None:
    history = History()
    history.event("read", "not a READ", 0)
    assert week(audited(history), "reads") == 0


def test_grant_whose_term_is_over_has_ended_in_that_week() -> None:
    tally = audited(History(), now=NOW + 400 * DAY)
    assert week(tally, "ended") == 2
    assert tally.running == {}


def test_stop_of_a_grant_that_was_erased_counts_for_nobody() -> None:
    history = honest()
    history.openings = {index: found for index, found in history.openings.items() if found.slot == 0}
    tally = audited(history)
    assert {cell.agency for cell, n in tally.cells.items() if cell.name == "stops"} == {""}
    assert week(tally, "reads") == 0


@pytest.mark.parametrize("right", RIGHTS)
@pytest.mark.parametrize(("days", "expected"), [(20, "on_time"), (60, "late")])
def test_answer_about_a_right_is_on_time_or_late(right: Right, days: int, expected: str) -> None:
    tally, kinds = Tally(), RIGHTS[right]
    tally.given(1, TOWN.terms, None)
    tally.said(1, TOWN.terms, message(kinds.asked, NOW))
    assert tally.asked[1, right].time == NOW
    tally.said(1, TOWN.terms, message(kinds.acknowledged, NOW + DAY))
    answer = kinds.done if days < 30 else kinds.refused
    tally.said(1, TOWN.terms, message(answer, NOW + days * DAY))
    assert tally.asked == {}
    assert family(tally, "right") == {answer: 1, expected: 1}


def test_answer_about_one_right_does_not_end_the_clock_of_another() -> None:
    tally = Tally()
    tally.given(1, TOWN.terms, None)
    for kind in ("erasure_asked", "access_asked"):
        tally.said(1, TOWN.terms, message(kind, NOW))
    tally.said(1, TOWN.terms, message("access_answered", NOW + DAY))
    assert list(tally.asked) == [(1, "erasure")]


def test_request_for_erasure_is_read_out_of_the_log() -> None:
    history = honest()
    history.event("message", sign_message(message("erasure_asked", NOW), HOLDER), 0)
    assert list(audited(history).asked) == [(history.town.slot, "erasure")]


def test_attack_agency_message_that_the_agency_did_not_sign_answers_nothing() -> None:
    history = honest()
    history.event("message", sign_message(message("erasure_asked", NOW), HOLDER), 0)
    history.event("message", sign_message(message("erased", NOW + DAY), HOLDER), 1)
    tally = audited(history)
    assert list(tally.asked) == [(history.town.slot, "erasure")]
    assert family(tally, "right") == {}


def test_attack_log_that_invents_reasons_fills_no_table() -> None:
    tally = Tally()
    for n in range(50):
        tally.refused(1, TOWN.terms, read(NOW), f"reason {n}")
    assert family(tally, "reason") == {"other": 50}


def test_spans_end_where_the_next_begins() -> None:
    ages = [0, DAY - 1, DAY, 7 * DAY - 1, 7 * DAY, 30 * DAY - 1, 30 * DAY]
    assert [span_of(NOW - age, NOW) for age in ages] == ["day", "day", "week", "week", "month", "month", "longer"]
    assert span_of(None, NOW) == "never"


def test_weeks_begin_on_monday_at_midnight_in_amsterdam() -> None:
    monday = 1_795_993_200  # 2026-11-30 00:00 in Amsterdam, still Sunday in UTC
    assert (week_of(monday - 1), week_of(monday)) == ("2026-W48", "2026-W49")


# -- however a log is followed ------------------------------------------------------------------------------------


def message(kind: Any, iat: int) -> ResidentMessage:
    law = {"law": "AVG art 17 lid 3", "until": NOW + 99 * DAY} if kind == "kept" else {}
    return ResidentMessage(TOWN.slot, TOWN.terms.lock, kind, iat, read_id(iat), **law)


def read(iat: int) -> Any:
    """A READ of the town, as its payload."""
    return replace(parse_read(TOWN.make_read(granting.POSTCODE)).read, iat=iat)


_READ = read(NOW)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "given",
                "read",
                "refused",
                "stop",
                "refresh",
                "asked",
                "erased",
                "kept",
                "access_asked",
                "access_refused",
                "cut",
            ]
        ),
        st.integers(0, 5),
        st.integers(0, 90),
    ),
    max_size=40,
)


def play(events: list[tuple[str, int, int]], store: FollowStore | None) -> Tally:
    """Tell a tally what happened; with a store it is kept and loaded again at each cut."""
    tally, slots, live = Tally(), 0, dict[int, int]()
    for index, (kind, who, day) in enumerate(events):
        now = NOW + day * DAY
        agency = f"{who % 2:020d}"
        terms = replace(TOWN.terms, recipient=agency, not_before=now, not_after=now + (who + 1) * 10 * DAY)
        if kind == "given":
            tally.given(slots, terms, None)
            live[who], slots = slots, slots + 1
        elif kind == "cut":
            tally.finished(index)
            if store is not None:
                with immediate(store.engine) as connection:
                    save_tally(connection, tally)
                with snapshot(store.engine) as connection:
                    tally = load_tally(connection)
        elif who in live:
            slot = live[who]
            if kind == "read":
                tally.read(slot, terms, replace(_READ, slot=slot, iat=now), is_late=False)
            elif kind == "refused":
                tally.refused(slot, terms, replace(_READ, slot=slot, iat=now), "revoked")
            elif kind in ("stop", "refresh"):
                tally.stopped(slot)
                live.pop(who)
                if kind == "refresh":
                    tally.given(slots, terms, slot)
                    live[who], slots = slots, slots + 1
            else:
                named = {"asked": "erasure_asked"}.get(kind, kind)
                tally.said(slot, terms, replace(message(named, now), slot=slot))
    tally.finished(len(events))
    return tally


@given(EVENTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sums_are_the_same_in_one_step_and_in_many(events: list[tuple[str, int, int]]) -> None:
    whole = play([event for event in events if event[0] != "cut"], None)
    cut = play(events, None)
    assert (whole.cells, whole.running, whole.asked, whole.clock) == (
        cut.cells,
        cut.running,
        cut.asked,
        cut.clock,
    )


@given(EVENTS)
@settings(max_examples=60, deadline=None)
def test_every_grant_is_running_stopped_or_ended_exactly_once(events: list[tuple[str, int, int]]) -> None:
    tally = play(events, None)
    for now in (NOW, NOW + 30 * DAY, NOW + 1000 * DAY):
        tally.settle(now)
        counts = Counter({name: week(tally, name) for name in ("grants", "stops", "ended")})
        assert counts["grants"] == counts["stops"] + counts["ended"] + len(tally.running)
    assert tally.running == {}
    assert sum(family(tally, "unread").values()) == counts["stops"]


@given(EVENTS)
@settings(max_examples=60, deadline=None)
def test_families_of_reads_tell_the_same_number(events: list[tuple[str, int, int]]) -> None:
    tally = play(events, None)
    reads = week(tally, "reads")
    assert reads == sum(family(tally, "where").values())
    assert reads == sum(n for cell, n in tally.cells.items() if cell.family == "hour")
    assert reads == family(tally, "service").get("reads", 0)
    assert week(tally, "refusals") == sum(family(tally, "reason").values())


def test_tally_is_kept_as_it_is(tmp_path: Path) -> None:
    store = FollowStore(Home(tmp_path / "auditor").create())
    events = [("given", 1, 0), ("read", 1, 1), ("asked", 1, 2), ("cut", 0, 0), ("given", 2, 3), ("stop", 1, 4)]
    events += [("cut", 0, 0), ("erased", 2, 5), ("refresh", 2, 6), ("cut", 0, 0)]
    assert vars(play(events, store)) == {
        **vars(play(events, None)),
        "changed_cells": set(),
        "changed_slots": set(),
    }


# -- when it was looked at -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("later", "rows"), [(LOOK_SECONDS, 1), (LOOK_SECONDS + 1, 2)])
def test_looks_that_lie_far_apart_leave_a_gap(tmp_path: Path, later: int, rows: int) -> None:
    store = FollowStore(Home(tmp_path / "auditor").create())
    for now in (NOW, NOW + later):
        note_step(store.engine, now, Look(now, now, "ok", "", 7, 7))
    looks = TallyView(store.engine).looks(10)
    assert len(looks) == rows
    assert looks[0].until == NOW + later


def test_look_that_ends_otherwise_is_a_row_of_its_own(tmp_path: Path) -> None:
    store = FollowStore(Home(tmp_path / "auditor").create())
    for step, state in enumerate(["ok", "waiting", "ok"]):
        note_step(store.engine, NOW + step, Look(NOW, NOW, state, "", 7, 7, ("w: unreachable",)))
    assert [look.state for look in TallyView(store.engine).looks(10)] == ["ok", "waiting", "ok"]
    assert TallyView(store.engine).looks(1)[0].remarks == ("w: unreachable",)


def test_view_shows_what_was_saved(tmp_path: Path) -> None:
    store = FollowStore(Home(tmp_path / "auditor").create())
    tally = audited(honest())
    with immediate(store.engine) as connection:
        save_tally(connection, tally)
    view = TallyView(store.engine)
    assert view.cells("week") == {cell: n for cell, n in tally.cells.items() if cell.family == "week"}
    assert view.counted() == Counted(tally.counted_to, tally.clock, 1)
    assert view.running(NOW) == {AGENCY_ID: 1}
    assert view.running(NOW + 400 * DAY) == {}
    assert view.over(NOW + 400 * DAY) == {AGENCY_ID: 1}
    assert view.asked() == []
    assert Cell("week", AGENCY_ID, week_of(NOW), "stops") in view.cells("week")
