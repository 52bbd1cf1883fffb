"""With the openings: whatever is missing or was not allowed is found by its name, at its entry."""

import msgspec
import pytest

from auditor.book import Book
from auditor.openings import OpeningsAudit, check_openings
from protocol.canonical import b64u_encode
from protocol.consent_api import Kind
from protocol.presentation import grant_opening
from protocol.reading import refusal_opening
from protocol.revocation_code import lock_for
from protocol.terms import Context
from tests.auditor.history import History, honest, listed
from tests.protocol.builders import DAY, NOW
from tests.protocol.granting import CODE, HUISNUMMER, POSTCODE, SURNAME, change

OPENINGS = {
    "read": lambda history: history.town.make_read(POSTCODE),
    "refusal": lambda history: refusal_opening(history.town.make_read(HUISNUMMER), "no_share").decode(),
    "message": lambda history: "a message",
}


def found(history: History) -> list[tuple[str, str, int | None]]:
    history.log.publish()
    findings = check_openings(history.log.leaves, history.openings, listed)
    return [(finding.kind, finding.code, finding.index) for finding in findings]


def test_auditor_finds_nothing_in_honest_openings() -> None:
    assert found(honest()) == []


def test_attack_read_after_the_revocation() -> None:
    history = honest()
    index = history.read(2)
    assert found(history) == [("policy", "read_after_revocation", index)]


def test_attack_read_outside_the_granted_attributes() -> None:
    history = History(places=[POSTCODE, HUISNUMMER])
    wide = History()
    token = wide.town.make_read(SURNAME)
    index = history.event("read", token, 0)
    assert ("policy", "read_out_of_scope", index) in found(history)


@pytest.mark.parametrize(
    ("iat", "codes"),
    [
        (NOW - 60, []),
        (NOW - 61, ["read_out_of_dates"]),
        (NOW + 200 * DAY + 59, []),
        (NOW + 200 * DAY + 60, ["read_out_of_dates"]),
    ],
)
def test_attack_read_outside_the_dates(iat: int, codes: list[str]) -> None:
    history = History()
    history.read(0, iat=iat)
    assert [code for _, code, _ in found(history)] == codes


def test_attack_more_reads_than_granted() -> None:
    history = History(max_reads=1)
    history.read(0)
    index = history.read(1)
    assert found(history) == [("policy", "too_many_reads", index)]


def test_attack_read_on_a_day_that_was_not_granted() -> None:
    history = History(context=Context(zone="office"))
    index = history.read(0, zone="remote")
    assert found(history) == [("policy", "read_out_of_context", index)]


def test_attack_read_by_somebody_else_than_the_recipient() -> None:
    history = History()
    token = history.town.make_read(POSTCODE)
    head, payload, _ = token.split(".")
    forged = f"{head}.{payload}.{b64u_encode(bytes(64))}"
    index = history.event("read", forged, 0)
    assert found(history) == [("policy", "read_not_by_recipient", index)]


def test_attack_read_booked_on_another_grant() -> None:
    history = honest()
    index = history.event("read", history.town.make_read(POSTCODE), 2, slot=0)
    assert ("policy", "read_of_another_grant", index) in found(history)


def test_attack_read_hidden_from_the_auditor() -> None:
    history = honest()
    del history.openings[4]
    codes = found(history)
    assert ("completeness", "leaf_without_opening", 4) in codes


@pytest.mark.parametrize("kind", ["read", "refusal", "message"])
def test_attack_last_entry_hides_behind_what_somebody_else_erased(kind: Kind) -> None:
    history = History()
    del history.openings[0]  # the neighbour's wish
    history.event(kind, OPENINGS[kind](history), 0)
    index = history.event(kind, OPENINGS[kind](history), 1)
    del history.openings[index]
    assert found(history) == [("completeness", "leaf_without_opening", index)]


def refreshed(history: History) -> int:
    """Version 2 at its slot, after the first; its grant index."""
    history.revoke()
    terms = change(history.town.terms, version=2, lock=b64u_encode(lock_for(CODE, 2)))
    index, slot = history.log.grant(terms)
    history.open(index, "grant", grant_opening(terms).decode(), slot=slot)
    token = history.town.make_read(POSTCODE, slot=slot, lock=terms.lock)
    history.event("read", token, 2, slot=slot)
    return index


def without_first_version(history: History) -> None:
    history.openings = {index: opening for index, opening in history.openings.items() if opening.slot == 2}


def test_auditor_goes_on_with_the_numbers_that_an_erased_version_used() -> None:
    history = History()
    history.read(0)
    history.read(1)
    history.refuse(0)
    refreshed(history)
    history.refuse(1)  # of the first version, after its end
    without_first_version(history)
    assert found(history) == []


def test_attack_read_of_a_new_version_passes_for_one_of_an_erased_version() -> None:
    history = History()
    history.read(0)
    history.read(1)
    refreshed(history)
    index = history.read(3)
    without_first_version(history)
    assert found(history) == [("completeness", "leaf_without_opening", index)]


def test_attack_entry_of_no_known_form_hides_nothing() -> None:
    history = honest()
    history.log.leaves.append(b"\xff")
    index = history.read(2)
    assert found(history) == [("policy", "read_after_revocation", index)]


def test_attack_read_whose_number_is_skipped() -> None:
    history = History()
    history.read(0)
    index = history.read(2)
    assert found(history) == [("completeness", "gap_in_n", index)]


def test_attack_opening_that_is_not_what_was_committed_to() -> None:
    history = honest()
    other = history.town.make_read(HUISNUMMER)
    history.openings[3] = change(history.openings[3], opening=other)
    assert ("completeness", "bad_opening", 3) in found(history)


def test_attack_tag_of_another_number() -> None:
    history = honest()
    history.openings[3] = change(history.openings[3], n=5)
    assert ("completeness", "wrong_tag", 3) in found(history)


def test_attack_terms_under_another_lock() -> None:
    history = History()
    terms = change(history.town.terms, lock=b64u_encode(bytes(32)))
    text = msgspec.json.encode(terms).decode()
    history.openings[1] = change(history.openings[1], opening=text)
    assert ("completeness", "bad_opening", 1) in found(history)


def test_auditor_accepts_what_was_erased_with_its_grant() -> None:
    history = honest()
    history.openings = {index: opening for index, opening in history.openings.items() if opening.slot == 0}
    assert found(history) == []


@pytest.mark.parametrize(
    "text", ["{}", '{"read":"x","reason":"revoked"}', "not json", '{"read":1,"reason":"revoked"}']
)
def test_auditor_finds_a_refusal_that_opens_to_nonsense(text: str) -> None:
    history = History()
    index = history.event("refusal", text, 0)
    assert found(history) == [("completeness", "bad_opening", index)]


def test_auditor_never_repeats_what_an_opening_holds() -> None:
    history = honest()
    history.openings[3] = change(history.openings[3], opening='{"bsn":"999990019"}')
    history.log.publish()
    findings = check_openings(history.log.leaves, history.openings, listed)
    assert findings
    assert "999990019" not in repr(findings)


def test_attack_grant_that_opens_to_nothing_and_then_is_read() -> None:
    history = History()
    history.openings[1] = change(history.openings[1], opening_key=b64u_encode(bytes(32)))
    index = history.read(0)
    assert found(history) == [("completeness", "bad_opening", 1), ("completeness", "unknown_grant", index)]


def test_attack_grant_is_opened_only_to_judge_its_event_or_to_something_else() -> None:
    """What is asked for again must fit the leaf, and have been there the first time."""
    history = History()
    history.read(0)
    history.log.publish()
    leaves, openings = history.log.leaves, dict(history.openings)
    other = change(openings[1], opening=openings[0].opening)
    for first, again in ((None, openings[1]), (openings[1], other), (openings[1], None)):
        book = Book()
        begun = OpeningsAudit(book, listed, lambda index: (leaves[index], None))
        shown = {index: opening for index, opening in openings.items() if index == 0 or first is not None}
        list(begun.check(leaves[:2], shown))
        later = OpeningsAudit(Book(book.changed_rows()), listed, lambda index, again=again: (leaves[index], again))
        codes = [finding.code for finding in later.check(leaves[2:], openings)]
        assert "unknown_grant" in codes
