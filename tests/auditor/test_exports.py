"""Exports say what the case says, in forms that others read, and hold no formula for a spreadsheet."""

import csv
import io
import json
from typing import Any

import pytest

from auditor import exports
from auditor.case import CaseFile, make_case
from auditor.tally import Cell
from protocol.canonical import b64u_fixed
from protocol.leaf import parse_leaf
from protocol.merkle import leaf_hash, verify_inclusion
from service.spreadsheet import to_csv
from tests.auditor.history import History, honest, listed
from tests.protocol.builders import ADRES, AGENCY_ID, LOG_ORIGIN, NOW


def case_of(history: History) -> CaseFile:
    """The file of the town's agreement."""
    checkpoint = history.checkpoint()
    mine = {index for index, found in history.openings.items() if found.slot == history.town.slot}
    ends = {n for n, leaf in enumerate(history.log.leaves) if leaf[0] == 2}
    leaves = {index: history.log.leaves[index] for index in mine | ends}
    return make_case(history.town.slot, checkpoint, leaves, history.openings, history.log.node, listed)


def test_case_has_every_entry_in_order_with_a_proof_under_the_signed_root() -> None:
    case = case_of(honest())
    assert [event.kind for event in case.events] == ["grant", "read", "read", "refusal", "stop"]
    for event in case.events:
        proof = event.proof
        verify_inclusion(
            leaf_hash(proof.leaf_bytes()), event.index, case.checkpoint.size, proof.proof(), case.checkpoint.root
        )
    assert case.findings == ()
    assert case.stop is not None


def test_case_shows_what_was_read_and_why_it_was_refused() -> None:
    read, refusal = case_of(honest()).events[1], case_of(honest()).events[3]
    assert (ADRES, "postcode") in read.attributes
    assert (refusal.reason, refusal.time) == ("out_of_scope", NOW)


def test_attack_read_after_the_stop_stands_with_its_entry() -> None:
    history = honest()
    history.read(2)
    case = case_of(history)
    assert [finding.code for finding in case.events[-1].findings] == ["read_after_revocation"]


def test_attack_opening_that_does_not_fit_is_not_shown() -> None:
    history = honest()
    index = next(index for index, found in history.openings.items() if found.type == "read")
    opening = history.openings[index]
    history.open(index, "read", opening.opening[:-2] + "AA", slot=history.town.slot, n=0)
    case = case_of(history)
    event = next(event for event in case.events if event.index == index)
    assert event.read is None
    assert "bad_opening" in [finding.code for finding in event.findings]


def test_case_of_an_erased_agreement_has_its_entries_only() -> None:
    history = honest()
    leaves = {index: history.log.leaves[index] for index in (1, len(history.log.leaves) - 1)}
    case = make_case(1, history.checkpoint(), leaves, {}, history.log.node, listed)
    assert case.terms is None
    assert [event.kind for event in case.events] == ["grant", "stop"]


def test_case_as_json_holds_proofs_that_others_can_check() -> None:
    told = exports.case_json(case_of(honest()))
    assert json.loads(json.dumps(told)) == told
    assert told["log"] == LOG_ORIGIN
    entry = told["entries"][1]
    assert parse_leaf(b64u_fixed_leaf(entry["proof"]))
    assert entry["opening"]["type"] == "read"


def b64u_fixed_leaf(proof: dict[str, Any]) -> bytes:
    return b64u_fixed(proof["leaf"], 49)


def test_case_as_a_consent_record_says_given_and_withdrawn() -> None:
    told = exports.case_jsonld(case_of(honest()), NOW)
    assert [status["@type"] for status in told["dpv:hasConsentStatus"]] == [
        "dpv:ConsentGiven",
        "dpv:ConsentWithdrawn",
    ]
    assert told["dpv:hasLegalBasis"] == "eu-gdpr:A6-1-a"
    assert told["dpv:hasDataController"] == f"urn:oin:{AGENCY_ID}"
    assert len(told["dpv:hasRecordOfActivity"]) == 3
    assert json.dumps(told)


def test_case_as_processing_log_has_one_record_for_each_reading_and_no_staff() -> None:
    told = exports.case_ldv(case_of(honest()))
    assert [record["status"] for record in told["records"]] == ["Ok", "Ok", "Error"]
    assert [len(record["trace_id"]) for record in told["records"]] == [32] * 3
    assert len({record["span_id"] for record in told["records"]}) == 3
    assert told["records"][0]["start_time"] == NOW * 1000
    assert "officer" not in json.dumps(told)
    assert "data_subject" not in json.dumps(told)


def test_case_as_a_table_has_one_row_for_each_entry() -> None:
    case = case_of(honest())
    rows = list(csv.DictReader(io.StringIO(to_csv(*exports.case_rows(case)))))
    assert [row["kind"] for row in rows] == [event.kind for event in case.events]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_attack_formula_in_a_table_is_text(start: str) -> None:
    text = to_csv(["name"], [[f"{start}HYPERLINK(1)"]])
    assert next(csv.DictReader(io.StringIO(text)))["name"].startswith("'")


@pytest.mark.parametrize("name", ["x;=HYPERLINK(1)", 'x, y;"=HYPERLINK(1)"', "x; @y", "x\t+1"])
def test_attack_formula_after_a_semicolon_is_text(name: str) -> None:
    """A spreadsheet with Dutch settings parts cells at semicolons, whatever the file says."""
    text = to_csv(["name"], [[name]])
    for parted in (";", "\t"):
        for row in csv.reader(io.StringIO(text), delimiter=parted):
            assert not [cell for cell in row if cell.lstrip(' "').startswith(("=", "+", "-", "@"))]


def test_figures_are_the_same_as_table_and_as_linked_data() -> None:
    cells = {Cell("week", AGENCY_ID, "2026-W47", "reads"): 3, Cell("week", "", "2026-W47", "stops"): 1}
    _, rows = exports.figures_rows(cells)
    linked = exports.figures_jsonld(cells, LOG_ORIGIN)
    assert [row[-1] for row in rows] == [found["regie:count"] for found in linked["qb:observation"]] == [1, 3]
    assert linked["qb:observation"][0]["regie:organisation"] is None
