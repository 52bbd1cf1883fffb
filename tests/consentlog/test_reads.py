"""Reading: no entry, no key; the same READ, the same entry; a refusal is an entry too."""

import os
from threading import Thread
from typing import Any

import msgspec
import pytest

from consentlog import upkeep
from protocol.canonical import b64u_decode, b64u_encode
from protocol.consent_api import ReadAnswer, ReadRequest
from protocol.leaf import LeafType, Read, Refusal, commitment, event_tag, parse_leaf
from protocol.presentation import check_share, claim_share
from protocol.reading import refusal_opening
from protocol.seal import KemPrivate
from protocol.terms import Context
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import Given, Sent, SmallTown
from tests.protocol.builders import DAY, NOW, STRANGER
from tests.protocol.granting import HUISNUMMER, POSTCODE
from tests.waiting import wait_until


def kinds(town: SmallTown) -> list[LeafType]:
    """What is in the log, heads left out."""
    return [leaf.type for leaf in map(parse_leaf, town.leaves()) if leaf.type is not LeafType.HEAD]


def refused(town: SmallTown, sent: Sent) -> tuple[int, str]:
    return code_of(town.post_read(sent))


def tag_key(given: Given) -> bytes:
    return b64u_decode(given.terms.tag_key)


def test_agency_gets_exactly_the_shares_that_it_asked(town: SmallTown) -> None:
    given = town.grant()
    sent, answer = town.read(given, POSTCODE)
    shares = town.shares(sent, answer)
    by_digest = {claim.digest: claim for claim in given.terms.claims}
    assert len(shares) == len(sent.read.claims) < len(given.terms.claims)
    for digest, share in zip(sent.read.claims, shares, strict=True):
        assert share == claim_share(given.b, b64u_decode(digest))
        check_share(by_digest[digest], share)


def test_read_leaf_is_the_agencys_own_read_with_the_next_number(town: SmallTown) -> None:
    given = town.grant()
    for n in range(3):
        sent, answer = town.read(given)
        leaf = parse_leaf(town.leaves()[answer.index])
        assert isinstance(leaf, Read)
        key = b64u_decode(answer.opening_key)
        assert answer.n == n
        assert leaf.tag == event_tag(tag_key(given), LeafType.READ, n)
        assert leaf.commit == commitment(key, LeafType.READ, sent.request.read.encode())
    assert town.replayed().slots == 1


def test_same_read_again_gets_the_same_entry(town: SmallTown) -> None:
    given = town.grant()
    sent, answer = town.read(given)
    shares, size = town.shares(sent, answer), town.node.tree.size
    town.advance(3600)  # long after iat
    again = town.parsed(town.post_read(sent), ReadAnswer)
    assert (again.index, again.n, again.opening_key) == (answer.index, answer.n, answer.opening_key)
    assert town.shares(sent, again) == shares
    assert town.node.tree.size == size


def test_attack_seen_read_is_sent_again_with_a_key_of_the_thief(town: SmallTown) -> None:
    """Residents and auditors see READs: only the reply key that was signed opens its shares, at any later time."""
    given = town.grant()
    sent, _ = town.read(given)
    thief = KemPrivate(os.urandom(96))
    again = ReadRequest(sent.request.read, b64u_encode(thief.public_bytes()))
    assert code_of(town.send("POST", "/v1/reads", again)) == (400, "bad_read")


def test_same_read_of_a_refused_one_is_refused_again_without_a_leaf(town: SmallTown) -> None:
    given = town.grant(max_reads=1)
    town.read(given)
    sent = town.make_read(given)
    assert refused(town, sent) == (403, "reads_spent")
    size = town.node.tree.size
    town.advance(3600)
    assert refused(town, sent) == (403, "reads_spent")
    assert town.node.tree.size == size


def test_another_read_with_the_same_id_is_refused(town: SmallTown) -> None:
    given = town.grant()
    sent, _ = town.read(given)
    other = town.make_read(given, HUISNUMMER, read_id=sent.read.read_id)
    size = town.node.tree.size
    assert refused(town, other) == (409, "read_id_used")
    assert town.node.tree.size == size


def test_read_id_counts_within_its_grant_only(town: SmallTown) -> None:
    first, second = town.grant(), town.grant()
    sent, _ = town.read(first)
    assert town.read(second, read_id=sent.read.read_id)[1].n == 0


@pytest.mark.parametrize(("offset", "answer"), [(-60, 200), (60, 200), (-61, 400), (61, 400)])
def test_read_is_at_most_a_minute_old_or_early(town: SmallTown, offset: int, answer: int) -> None:
    given = town.grant()
    response = town.post_read(town.make_read(given, iat=NOW + offset))
    assert response.status_code == answer
    if answer == 400:
        assert code_of(response) == (400, "stale")
        assert kinds(town) == [LeafType.GRANT]


def test_read_signed_by_somebody_else_leaves_no_leaf(town: SmallTown) -> None:
    given = town.grant()
    assert refused(town, town.make_read(given, signer=STRANGER)) == (403, "not_recipient")
    assert kinds(town) == [LeafType.GRANT]


def test_read_of_an_agency_that_was_taken_off_the_list_is_refused(town: SmallTown) -> None:
    given = town.grant()
    town.publish_trust(version=2, agencies=[])
    assert refused(town, town.make_read(given)) == (403, "not_recipient")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"aud": "other.example/1"}, (400, "bad_read")),
        ({"slot": 7}, (404, "unknown_lock")),
        ({"lock": b64u_encode(bytes(32))}, (404, "unknown_lock")),
        ({"reply_key_hash": b64u_encode(bytes(32))}, (400, "bad_read")),
    ],
    ids=["log", "slot", "lock", "reply key"],
)
def test_read_for_something_else_leaves_no_leaf(
    town: SmallTown, change: dict[str, Any], code: tuple[int, str]
) -> None:
    given = town.grant()
    assert refused(town, town.make_read(given, **change)) == code
    assert kinds(town) == [LeafType.GRANT]


def test_read_of_one_grant_under_the_slot_of_another_is_refused(town: SmallTown) -> None:
    first, second = town.grant(), town.grant()
    assert refused(town, town.make_read(first, slot=second.answer.slot)) == (404, "unknown_lock")


@pytest.mark.parametrize("body", [b"{}", b'{"read":"a.b.c"}', b'{"read":"x","reply_key":"y"}'])
def test_malformed_reads_are_refused(town: SmallTown, body: bytes) -> None:
    response = town.send("POST", "/v1/reads", data=body, content_type="application/json")
    assert response.status_code == 400


def test_token_that_is_no_read_is_refused(town: SmallTown) -> None:
    given = town.grant()
    sent = town.make_read(given)
    ticket = msgspec.structs.replace(sent.request, read=given.request.ticket)
    assert code_of(town.send("POST", "/v1/reads", ticket)) == (400, "bad_read")


def refusing(town: SmallTown, reason: str) -> tuple[Given, Sent]:
    """A grant and a READ that is refused for this reason."""
    if reason == "expired":
        given = town.grant(not_after=NOW + 60)
        town.advance(60)
    elif reason == "reads_spent":
        given = town.grant(max_reads=1)
        town.read(given)
    elif reason == "out_of_context":
        given = town.grant(context=Context(zone="office"))
        return given, town.make_read(given, zone="remote")
    else:
        given = town.grant(case=b64u_encode(os.urandom(32))) if reason == "out_of_scope" else town.grant()
        if reason == "revoked":
            town.revoke(given)
    return given, town.make_read(given)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("expired", 403),
        ("reads_spent", 403),
        ("out_of_scope", 403),
        ("out_of_context", 403),
        ("revoked", 410),
    ],
)
def test_every_refusal_is_an_entry(town: SmallTown, reason: str, status: int) -> None:
    given, sent = refusing(town, reason)
    assert refused(town, sent) == (status, reason)
    event = town.events(given).events[-1]
    leaf = parse_leaf(b64u_decode(event.leaf))
    assert isinstance(leaf, Refusal)
    assert (event.type, event.n) == ("refusal", 0)
    assert leaf.tag == event_tag(tag_key(given), LeafType.REFUSAL, 0)
    opening = refusal_opening(sent.request.read, reason)  # type: ignore[arg-type]
    assert (event.opening or "").encode() == opening
    assert leaf.commit == commitment(b64u_decode(event.opening_key or ""), LeafType.REFUSAL, opening)


def test_log_time_never_goes_back(town: SmallTown) -> None:
    given = town.grant()
    town.clock.time -= 1000
    assert refused(town, town.make_read(given)) == (400, "stale")
    assert town.node.writer.time() == NOW
    assert town.read(given, iat=NOW)[1].n == 0


def test_digests_without_their_register_flags_are_out_of_scope(town: SmallTown) -> None:
    given = town.grant()
    bare = town.make_read(given, claims=[given.terms.claims[0].digest])
    assert refused(town, bare) == (403, "out_of_scope")


def test_agency_can_fill_the_log_with_sixty_refusals_an_hour(town: SmallTown) -> None:
    given = town.grant(max_reads=1)
    town.read(given)
    for _ in range(60):
        assert refused(town, town.make_read(given)) == (403, "reads_spent")
    size = town.node.tree.size
    assert refused(town, town.make_read(given)) == (403, "reads_spent")
    assert town.node.tree.size == size
    assert kinds(town).count(LeafType.REFUSAL) == 60
    town.advance(3600)
    assert refused(town, town.make_read(given)) == (403, "reads_spent")
    assert kinds(town).count(LeafType.REFUSAL) == 61


def test_reads_end_at_their_number(town: SmallTown) -> None:
    given = town.grant(max_reads=2)
    assert [town.read(given)[1].n for _ in range(2)] == [0, 1]
    assert refused(town, town.make_read(given)) == (403, "reads_spent")


def test_reads_end_at_the_grants_end(town: SmallTown) -> None:
    given = town.grant(not_after=NOW + DAY)
    town.advance(DAY - 1)
    assert town.read(given)[1].n == 0
    town.advance(1)
    assert refused(town, town.make_read(given)) == (403, "expired")


def is_share_gone(town: SmallTown, slot: int) -> bool:
    found = town.node.grant_of(slot)
    town.node.forget(slot)
    return found is not None and found.row.wrapped is None


def test_share_that_expired_is_destroyed(town: SmallTown) -> None:
    given, lasting = town.grant(not_after=NOW + 60), town.grant()
    town.advance(60)
    town.node.writer._next_upkeep = 0.0
    wait_until(lambda: is_share_gone(town, given.answer.slot))
    assert not is_share_gone(town, lasting.answer.slot)


def test_shares_that_expire_together_are_destroyed_step_by_step(
    town: SmallTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "ENDED_PER_STEP", 2)
    slots = [town.grant(not_after=NOW + 60).answer.slot for _ in range(5)]
    town.advance(60)
    town.node.writer._next_upkeep = 0.0
    wait_until(lambda: all(is_share_gone(town, slot) for slot in slots))


def appended_without_witnesses(town: SmallTown, sent: Sent) -> list[Any]:
    """Post a READ while no witness answers, and see its leaf appended; the answer is still to come."""
    size, answers = town.node.tree.size, []
    town.wires.cut |= set(town.wires.hosts) - {"log.voorbeeld.example"}
    thread = Thread(target=lambda: answers.append(town.post_read(sent)))
    thread.start()
    wait_until(lambda: town.node.tree.size > size)
    return [thread, answers]


def test_no_share_leaves_before_the_witnesses_have_seen_the_entry(town: SmallTown) -> None:
    given = town.grant()
    sent = town.make_read(given)
    thread, answers = appended_without_witnesses(town, sent)
    thread.join(0.5)
    assert answers == []
    town.wires.cut.clear()
    thread.join(60)
    assert len(town.shares(sent, town.parsed(answers[0], ReadAnswer))) == len(sent.read.claims)


def test_revocation_after_the_entry_stops_the_share(town: SmallTown) -> None:
    given = town.grant()
    sent = town.make_read(given)
    thread, answers = appended_without_witnesses(town, sent)
    town.revoke(given)
    town.wires.cut.clear()
    thread.join(60)
    assert code_of(answers[0]) == (410, "revoked")
    assert kinds(town) == [LeafType.GRANT, LeafType.READ, LeafType.REVOCATION]
    assert refused(town, sent) == (410, "revoked")  # again: same entry, still no share
    assert refused(town, town.make_read(given)) == (410, "revoked")
    assert kinds(town)[3:] == [LeafType.REFUSAL]


def test_end_of_the_grant_after_the_entry_stops_the_share(town: SmallTown) -> None:
    given = town.grant(not_after=NOW + 30)
    sent = town.make_read(given)
    thread, answers = appended_without_witnesses(town, sent)
    town.clock.time += 30
    town.witness_clock.time += 30
    town.wires.cut.clear()
    thread.join(60)
    assert code_of(answers[0]) == (410, "expired")


def test_nothing_is_appended_when_the_witnesses_are_long_gone(town: SmallTown) -> None:
    given = town.grant()
    town.wires.cut |= {"witness.voorbeeld.example"}
    town.clock.time += 61
    size = town.node.tree.size
    response = town.post_read(town.make_read(given))
    assert code_of(response) == (503, "no_quorum")
    assert response.headers["Retry-After"]
    assert code_of(town.send("POST", "/v1/grants", town.grant_request()[2])) == (503, "no_quorum")
    assert town.node.tree.size == size
    town.wires.cut.clear()
    town.advance(0)
    assert town.read(given)[1].n == 0


def test_answer_says_nothing_of_a_read_it_cannot_seal(town: SmallTown) -> None:
    given = town.grant()
    sent = town.make_read(given)
    forged = ReadRequest(sent.request.read, b64u_encode(os.urandom(1216)))
    assert code_of(town.send("POST", "/v1/reads", forged)) == (400, "bad_read")
    assert kinds(town) == [LeafType.GRANT]
