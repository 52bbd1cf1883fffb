"""Looking back, complaining and erasing: what a resident, an agency and an auditor may see and ask afterwards."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol.canonical import b64u_decode, b64u_encode, sha256
from protocol.checkpoint import LeafProof, verify_checkpoint
from protocol.consent_api import EventsAnswer, MessageAnswer, OpeningsAnswer
from protocol.leaf import LeafType, Message, commitment, event_tag, parse_leaf
from protocol.light_check import verify_leaf
from protocol.note import parse_vkey
from protocol.reading import ResidentMessage, sign_message
from protocol.receipt import parse_tlog_proof, verify_tlog_proof
from protocol.revocation_code import view_key
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import Given, SmallTown
from tests.protocol import mandates
from tests.protocol.builders import AGENCY, DAY, HOLDER, NOW, STRANGER, WITNESS_NAME
from tests.waiting import wait_until


def bearer(secret: bytes) -> dict[str, str]:
    return {"Authorization": f"Bearer {b64u_encode(secret)}"}


def auditor_of(town: SmallTown) -> dict[str, str]:
    return bearer(town.home.read_secret("auditor-token"))


def events_path(given: Given) -> str:
    return f"/v1/grants/{given.answer.slot}/events"


def erase(town: SmallTown, given: Given, headers: dict[str, str] | None = None) -> Any:
    path = f"/v1/grants/{given.answer.slot}/openings"
    return town.send("DELETE", path, headers=given.view if headers is None else headers)


def message(given: Given, kind: str = "erasure_asked", **changes: Any) -> ResidentMessage:
    members: dict[str, Any] = {
        "slot": given.answer.slot,
        "lock": given.terms.lock,
        "kind": kind,
        "iat": NOW,
        "jti": b64u_encode(os.urandom(16)),
    }
    return ResidentMessage(**{**members, **changes})


# Events.


def test_resident_sees_every_entry_of_the_grant_with_its_proof(town: SmallTown) -> None:
    given, other = town.grant(max_reads=2), town.grant()
    town.read(given)
    town.read(other)
    town.read(given)
    town.post_read(town.make_read(given))
    town.revoke(given)
    answer = town.events(given)
    assert [(event.type, event.n) for event in answer.events] == [
        ("grant", None),
        ("read", 0),
        ("read", 1),
        ("refusal", 0),
        ("revocation", None),
    ]
    checkpoint = verify_checkpoint(answer.checkpoint, parse_vkey(town.entry.vkey))
    for event in answer.events:
        verify_leaf(checkpoint, LeafProof(event.index, event.leaf, event.hashes))
        if event.opening is not None:
            kind = LeafType[event.type.upper()]
            opened = commitment(b64u_decode(event.opening_key or ""), kind, event.opening.encode())
            assert opened == parse_leaf(b64u_decode(event.leaf)).commit  # type: ignore[union-attr]


def test_events_go_on_from_where_a_wallet_stopped(town: SmallTown) -> None:
    given = town.grant()
    town.read(given)
    _, second = town.read(given)
    town.settle()
    path = f"{events_path(given)}?from={second.index}"
    answer = town.parsed(town.send("GET", path, headers=given.view), EventsAnswer)
    assert [event.n for event in answer.events] == [1]


def pages_of(town: SmallTown, given: Given) -> list[EventsAnswer]:
    """What a wallet fetches, page by page."""
    pages: list[EventsAnswer] = []
    start: int | None = 0
    while start is not None:
        path = f"{events_path(given)}?from={start}"
        pages.append(town.parsed(town.send("GET", path, headers=given.view), EventsAnswer))
        start = pages[-1].next
    return pages


@pytest.mark.parametrize("limit", [1, 3, 4])
def test_events_come_in_pages_that_name_the_next(
    town: SmallTown, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    given = town.grant()
    for _ in range(2):
        town.read(given)
    town.revoke(given)
    town.settle()
    whole = town.events(given)
    assert (len(whole.events), whole.next) == (4, None)
    monkeypatch.setattr("consentlog.parties.MAX_PAGE", limit)
    pages = pages_of(town, given)
    assert [len(page.events) for page in pages] == {1: [1, 1, 1, 1], 3: [3, 1], 4: [4]}[limit]
    assert [event.index for page in pages for event in page.events] == [event.index for event in whole.events]


def test_attack_long_reads_make_no_page_larger_than_a_wallet_takes(
    town: SmallTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = town.grant()
    for _ in range(4):
        town.read(given)
    town.settle()
    whole = town.events(given)
    limit = len(msgspec.json.encode(whole)) * 2 // 3
    monkeypatch.setattr("consentlog.parties.MAX_PAGE_BYTES", limit)
    pages = pages_of(town, given)
    assert len(pages) > 1
    assert all(page.events and len(msgspec.json.encode(page)) <= limit for page in pages)
    assert [event.index for page in pages for event in page.events] == [event.index for event in whole.events]


@pytest.mark.parametrize("query", ["from=x", "from=-1", "from=1&from=2", "from=" + "9" * 20])
def test_malformed_starts_are_refused(town: SmallTown, query: str) -> None:
    given = town.grant()
    assert town.send("GET", f"{events_path(given)}?{query}", headers=given.view).status_code in (400, 404)


def test_only_the_view_key_opens_events_and_tells_nothing_else(town: SmallTown) -> None:
    given, other = town.grant(), town.grant()
    path = events_path(given)
    answers = [
        town.send("GET", path, headers=other.view),
        town.send("GET", path, headers=bearer(os.urandom(32))),
        town.send("GET", "/v1/grants/999/events", headers=given.view),
    ]
    assert {(code_of(answer), answer.data) for answer in answers} == {((401, "unauthorized"), answers[0].data)}
    assert code_of(town.send("GET", path)) == (401, "unauthorized")
    assert code_of(town.send("GET", path, headers={"Authorization": "Basic eDp5"})) == (401, "unauthorized")
    assert town.send("GET", path).headers["WWW-Authenticate"] == "Bearer"
    assert b64u_encode(sha256(view_key(given.code))) not in town.send("GET", path, headers=given.view).text


# Openings for the auditor.


def openings(town: SmallTown, query: str = "") -> OpeningsAnswer:
    return town.parsed(town.send("GET", f"/v1/openings{query}", headers=auditor_of(town)), OpeningsAnswer)


def test_auditor_gets_all_openings_under_the_published_checkpoint(town: SmallTown) -> None:
    given = town.grant(max_reads=1)
    town.read(given)
    town.post_read(town.make_read(given))
    town.settle()
    answer = openings(town)
    assert [found.type for found in answer.openings] == ["grant", "read", "refusal"]
    assert answer.size == town.node.tree.size
    leaves = [parse_leaf(leaf) for leaf in town.leaves()]
    for found in answer.openings:
        kind = LeafType[found.type.upper()]
        opened = commitment(b64u_decode(found.opening_key), kind, found.opening.encode())
        assert opened == leaves[found.index].commit  # type: ignore[union-attr]
    assert [found.index for found in openings(town, f"?from=2&to={answer.size}").openings] == [
        found.index for found in answer.openings if found.index >= 2
    ]
    assert openings(town, "?from=2&to=2").openings == []


def test_openings_come_in_pages(town: SmallTown, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        town.grant()
    town.settle()
    monkeypatch.setattr("consentlog.parties.MAX_PAGE", 2)
    first = openings(town)
    assert len(first.openings) == 2
    second = openings(town, f"?from={first.next}")
    assert second.next is None
    assert [found.slot for found in (*first.openings, *second.openings)] == [0, 1, 2]


def test_attack_long_reads_make_no_page_larger_than_an_auditor_takes(
    town: SmallTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        town.grant()
    town.settle()
    whole = openings(town)
    limit = len(msgspec.json.encode(whole)) // 2
    monkeypatch.setattr("consentlog.parties.MAX_PAGE_BYTES", limit)
    found, start = [], 0
    while start is not None:
        page = openings(town, f"?from={start}")
        assert page.openings
        assert len(msgspec.json.encode(page)) <= limit
        found, start = [*found, *page.openings], page.next
    assert found == whole.openings


def test_openings_are_for_the_auditor_alone(town: SmallTown) -> None:
    given = town.grant()
    for headers in ({}, given.view, bearer(os.urandom(32))):
        assert code_of(town.send("GET", "/v1/openings", headers=headers)) == (401, "unauthorized")
    assert code_of(town.send("GET", "/v1/openings?from=3&to=2", headers=auditor_of(town))) == (400, "bad_range")


# Messages.


def test_resident_asks_for_erasure_and_agency_answers(town: SmallTown) -> None:
    given = town.grant()
    asked = sign_message(message(given), HOLDER)
    first = town.parsed(town.post_message(asked, headers=given.view), MessageAnswer)
    confirmed = sign_message(message(given, "erased"), AGENCY.key, AGENCY.x5c)
    second = town.parsed(town.post_message(confirmed), MessageAnswer)
    assert (first.n, second.n) == (0, 1)
    leaf = town.leaves()[first.index]
    parsed = parse_leaf(leaf)
    assert isinstance(parsed, Message)
    assert parsed.tag == event_tag(b64u_decode(given.terms.tag_key), LeafType.MESSAGE, 0)
    assert parsed.commit == commitment(b64u_decode(first.opening_key), LeafType.MESSAGE, asked.encode())
    proof = parse_tlog_proof(first.proof)
    checkpoint = verify_checkpoint(proof.checkpoint, parse_vkey(town.entry.vkey))
    assert verify_tlog_proof(proof, leaf, checkpoint).index == first.index
    assert [event.type for event in town.events(given).events] == ["grant", "message", "message"]


def test_messages_go_on_after_the_grant_has_ended(town: SmallTown) -> None:
    given = town.grant()
    town.revoke(given)
    asked = sign_message(message(given, "complaint"), HOLDER)
    assert town.post_message(asked, headers=given.view).status_code == 201


def test_same_message_again_gets_the_same_entry(town: SmallTown) -> None:
    given = town.grant()
    told = message(given)
    asked = sign_message(told, HOLDER)
    first = town.parsed(town.post_message(asked, headers=given.view), MessageAnswer)
    size = town.node.tree.size
    again = town.parsed(town.post_message(asked, headers=given.view), MessageAnswer)
    assert (again.index, again.n, again.opening_key) == (first.index, first.n, first.opening_key)
    assert town.node.tree.size == size
    other = sign_message(message(given, "complaint", jti=told.jti), HOLDER)
    assert code_of(town.post_message(other, headers=given.view)) == (409, "message_id_used")


@pytest.mark.parametrize(
    ("kind", "signer", "code"),
    [
        ("erased", "resident", (400, "bad_message")),
        ("erasure_asked", "agency", (400, "bad_message")),
        ("erased", "stranger", (403, "not_recipient")),
        ("complaint", "other resident", (401, "unauthorized")),
    ],
)
def test_messages_come_from_who_may_send_them(
    town: SmallTown, kind: str, signer: str, code: tuple[int, str]
) -> None:
    given, other = town.grant(), town.grant()
    if signer in ("agency", "stranger"):
        party = AGENCY if signer == "agency" else STRANGER
        response = town.post_message(sign_message(message(given, kind), party.key, party.x5c))
    else:
        headers = given.view if signer == "resident" else other.view
        response = town.post_message(sign_message(message(given, kind), HOLDER), headers=headers)
    assert code_of(response) == code
    assert len(town.events(given).events) == 1


def test_message_about_another_lock_is_refused(town: SmallTown) -> None:
    given, other = town.grant(), town.grant()
    token = sign_message(message(given, lock=other.terms.lock), HOLDER)
    assert code_of(town.post_message(token, headers=given.view)) == (404, "unknown_lock")


def test_nobody_fills_the_log_with_messages(town: SmallTown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentlog.admit.MESSAGES_PER_HOUR", 2)
    given = town.grant()
    for _ in range(2):
        assert town.post_message(sign_message(message(given), HOLDER), headers=given.view).status_code == 201
    late = sign_message(message(given), HOLDER)
    assert code_of(town.post_message(late, headers=given.view)) == (429, "too_soon")
    town.advance(3600)
    assert town.post_message(late, headers=given.view).status_code == 201


# Erasing.


def rows(town: SmallTown, statement: str) -> list[Any]:
    with sqlite3.connect(town.home.file("log.db")) as connection:
        found = connection.execute(statement).fetchall()
    connection.close()
    return found


def test_openings_and_keys_are_gone_after_erasure_and_the_tree_still_verifies(town: SmallTown) -> None:
    given, other = town.grant(), town.grant()
    sent, answer = town.read(given)
    town.post_message(sign_message(message(given), HOLDER), headers=given.view)
    town.revoke(given)
    assert erase(town, given).status_code == 204
    assert rows(town, "SELECT slot FROM openings") == [(other.answer.slot,)]
    assert rows(town, "SELECT count(*) FROM reads") == [(0,)]
    assert rows(town, "SELECT count(*) FROM messages") == [(0,)]
    wait_until(lambda: not town.node.writer._has_remains)
    files = b"".join(path.read_bytes() for path in Path(town.home.path).glob("log.db*"))
    for text in (given.request.opening_key, answer.opening_key):
        assert b64u_decode(text) not in files
    assert sent.request.read.encode() not in files
    assert given.terms.lock.encode() not in files
    town.settle()
    assert [event.type for event in town.events(given).events] == ["grant", "revocation"]
    assert all(event.opening is None for event in town.events(given).events)
    assert town.replayed().slots == 2
    assert town.read(other)[1].n == 0


def test_erased_grant_is_known_to_nobody(town: SmallTown) -> None:
    given = town.grant()
    sent, _ = town.read(given)
    town.revoke(given)
    erase(town, given)
    assert code_of(town.post_read(sent)) == (404, "unknown_lock")
    assert code_of(town.post_read(town.make_read(given))) == (404, "unknown_lock")
    told = sign_message(message(given), HOLDER)
    assert code_of(town.post_message(told, headers=given.view)) == (404, "unknown_lock")
    assert code_of(town.send("POST", "/v1/grants", given.request)) == (409, "lock_used")
    _, _, again = town.grant_request(tag_key=given.terms.tag_key)
    assert code_of(town.send("POST", "/v1/grants", again)) == (400, "bad_terms")
    assert town.revoke(given).slot == given.answer.slot  # still the same answer
    assert erase(town, given).status_code == 204


def test_openings_stay_while_the_grant_does(town: SmallTown) -> None:
    given = town.grant(not_after=NOW + 100)
    assert code_of(erase(town, given)) == (409, "not_ended")
    town.advance(99)
    assert code_of(erase(town, given)) == (409, "not_ended")
    town.advance(1)
    assert erase(town, given).status_code == 204


def test_represented_person_can_look_back_for_ninety_days(town: SmallTown) -> None:
    given = town.grant(mandate=mandates.token())
    town.revoke(given)
    town.advance(90 * DAY - 1)
    assert code_of(erase(town, given)) == (409, "not_ended")
    town.advance(1)
    assert erase(town, given).status_code == 204


def test_attack_clock_is_set_ahead_before_a_start_to_erase_a_living_grant(town: SmallTown) -> None:
    given = town.grant()
    town.stop()
    town.clock.time += 3650 * DAY
    town.wires.cut |= {WITNESS_NAME}
    town.start(until="nothing")
    assert code_of(erase(town, given)) == (503, "no_quorum")
    assert len(rows(town, "SELECT idx FROM openings")) == 1
    assert len(rows(town, "SELECT slot FROM shares")) == 1
    town.clock.time = NOW
    town.wires.cut.clear()
    wait_until(lambda: town.node.publisher.is_ready)
    assert code_of(erase(town, given)) == (409, "not_ended")


def test_only_the_holder_erases(town: SmallTown) -> None:
    given, other = town.grant(), town.grant()
    town.revoke(given)
    for headers in ({}, other.view, auditor_of(town)):
        assert code_of(erase(town, given, headers)) == (401, "unauthorized")
    assert len(rows(town, "SELECT idx FROM openings")) == 2
