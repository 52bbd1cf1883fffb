"""A report counts what is in the log, by week and agency where the openings tell, and names nobody else."""

import re

from auditor.integrity import check_history
from auditor.openings import check_openings
from auditor.report import Report, make_report, report_html, report_lines
from tests.auditor.history import History, honest, listed
from tests.protocol.builders import AGENCY_ID, DAY, LOG_ORIGIN, NOW
from tests.protocol.granting import POLICY

WEEK = 7 * DAY


def report_on(history: History, *, openings: bool = True, now: int = NOW) -> Report:
    checkpoint = history.checkpoint(now)
    verdict = check_history(checkpoint, history.log.leaves, POLICY, [], now)
    found = history.openings if openings else {}
    if openings:
        findings = check_openings(history.log.leaves, found, listed)
        verdict = verdict.with_findings(findings, "completeness", "policy")
    return make_report(verdict, history.log.leaves, found, now)


def test_report_counts_entries_weeks_and_agencies() -> None:
    history = honest()
    report = report_on(history)
    assert report.totals["grants"] == 2
    assert report.totals["reads"] == 2
    assert report.totals["refusals"] == 1
    assert report.totals["stops"] == 1
    assert report.totals["reads_after_stop"] == 0
    assert report.agencies == {AGENCY_ID: {"grants": 2, "reads": 2, "refusals": 1}}
    assert [sum(week.values()) for week in report.weeks.values()] == [5]
    assert all(re.fullmatch(r"\d{4}-W\d{2}", week) for week in report.weeks)


def test_reads_stand_in_the_week_in_which_they_were_signed() -> None:
    history = History()
    history.read(0)
    history.read(1, iat=NOW + WEEK)
    assert [week.get("reads", 0) for week in report_on(history).weeks.values()] == [1, 1]


def test_report_without_openings_counts_entries_only() -> None:
    report = report_on(honest(), openings=False)
    assert report.totals["reads"] == 2
    assert (report.weeks, report.agencies) == ({}, {})
    assert "ended" not in report.totals


def test_grants_whose_term_is_over_have_ended_unless_they_were_stopped() -> None:
    assert report_on(honest(), now=NOW + 199 * DAY).totals["ended"] == 0
    assert report_on(honest(), now=NOW + 200 * DAY).totals["ended"] == 1  # the neighbour's


def test_report_counts_what_was_erased() -> None:
    history = honest()
    history.openings = {index: opening for index, opening in history.openings.items() if opening.slot == 0}
    assert report_on(history).totals["erased"] == 1


def test_reads_after_a_stop_are_counted_and_found() -> None:
    history = honest()
    history.read(2)
    report = report_on(history)
    assert report.totals["reads_after_stop"] == 1
    assert any("read_after_revocation" in line for line in report_lines(report))
    assert "read_after_revocation" in report_html(report, LOG_ORIGIN, "2026-11-23")


def test_opening_that_says_nothing_readable_counts_as_an_entry_only() -> None:
    history = History()
    history.event("read", "not a READ", 0)
    assert report_on(history).totals["reads"] == 1
    assert "reads" not in report_on(history).agencies[AGENCY_ID]


def test_page_can_be_printed_fetches_nothing_and_escapes_what_it_names() -> None:
    page = report_html(report_on(honest()), "<script>alert(1)</script>", "2026-11-23")
    assert "<script" not in page
    assert "src=" not in page
    assert "http" not in page
    assert page.count("<table>") == page.count("</table>") == 4
