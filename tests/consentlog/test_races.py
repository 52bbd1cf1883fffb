"""Many at once: whoever is first, the log says the same thing to all, and no share follows a stop."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Barrier
from typing import Any

import msgspec
import pytest

from consentlog import intake, waiting
from consentlog.admit import NewGrant
from consentlog.operations import Admitted, Granted, GrantOperation, RevocationOperation, Revoked
from consentlog.rows import Rows, SpentTicket
from consentlog.sequence import Group
from consentlog.tree import Draft, Tree
from consentlog.waiting import WaitingRoom
from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, sha256
from protocol.consent_api import RevocationAnswer
from protocol.errors import Rejected, Unavailable
from protocol.leaf import LeafType, event_tag, lock_of, parse_leaf
from protocol.revocation_code import revocation_secret
from protocol.status_tree import StatusTree
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.protocol import builders, granting
from tests.protocol.builders import NOW


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """The results of all calls, made at the same moment by a thread each."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_no_read_comes_after_the_stop_in_the_log_and_no_share_leaves_for_one(town: SmallTown) -> None:
    for _ in range(5):
        given = town.grant()
        sent = [town.make_read(given) for _ in range(12)]
        calls: list[Callable[[], Any]] = [lambda each=each: town.post_read(each) for each in sent]
        calls.insert(4, partial(town.post_revocation, given.r))
        answers = at_once(calls)
        stop = town.parsed(answers.pop(4), RevocationAnswer)
        for each, answer in zip(sent, answers, strict=True):
            if answer.status_code == 200:
                assert answer.get_json()["index"] < stop.index
            else:
                assert code_of(answer) == (410, "revoked")
            assert code_of(town.post_read(each)) == (410, "revoked")
        tags = {tag_of(given, n) for n in range(12)}
        reads = [
            index
            for index, leaf in enumerate(map(parse_leaf, town.leaves()))
            if leaf.type is LeafType.READ and leaf.tag in tags
        ]
        assert all(index < stop.index for index in reads)
    town.replayed()


def tag_of(given: Any, n: int) -> bytes:
    return event_tag(b64u_decode(given.terms.tag_key), LeafType.READ, n)


def test_numbers_are_given_once_and_reads_end_at_their_number(town: SmallTown) -> None:
    given = town.grant(max_reads=10)
    answers = at_once([lambda: town.post_read(town.make_read(given)) for _ in range(16)])
    numbers = sorted(answer.get_json()["n"] for answer in answers if answer.status_code == 200)
    assert numbers == list(range(10))
    assert [code_of(answer) for answer in answers if answer.status_code != 200] == [(403, "reads_spent")] * 6


def test_same_read_at_once_is_one_entry(town: SmallTown) -> None:
    given = town.grant()
    sent = town.make_read(given)
    answers = at_once([lambda: town.post_read(sent) for _ in range(8)])
    assert {(answer.get_json()["index"], answer.get_json()["n"]) for answer in answers} == {
        (answers[0].get_json()["index"], 0)
    }
    assert [leaf.type for leaf in map(parse_leaf, town.leaves())].count(LeafType.READ) == 1


def test_same_grant_at_once_is_one_slot(town: SmallTown) -> None:
    _, _, request = town.grant_request()
    answers = at_once([lambda: town.send("POST", "/v1/grants", request) for _ in range(8)])
    assert {answer.get_json()["slot"] for answer in answers} == {0}
    assert town.replayed().slots == 1


def test_one_ticket_at_once_makes_one_grant(town: SmallTown) -> None:
    ticket = town.ticket()
    requests = [msgspec.structs.replace(town.grant_request()[2], ticket=ticket) for _ in range(6)]
    answers = at_once([lambda each=each: town.send("POST", "/v1/grants", each) for each in requests])
    assert sorted(answer.status_code for answer in answers) == [201] + [403] * 5


def test_same_stop_at_once_is_one_entry(town: SmallTown) -> None:
    given = town.grant()
    answers = at_once([lambda: town.post_revocation(given.r) for _ in range(8)])
    assert len({answer.data for answer in answers}) == 1
    assert [leaf.type for leaf in map(parse_leaf, town.leaves())].count(LeafType.REVOCATION) == 1


# One group, without threads.


def empty_group() -> Group:
    tree = Tree(lambda level, n: b"")
    return Group(
        Rows(),
        Draft(tree),
        0,
        now=NOW,
        random=builders.random_of("group"),
        wrap=lambda slot, lock, b: (1, b),
    )


def grant_operation(r: bytes) -> GrantOperation:
    terms = granting.terms(lock=b64u_encode(lock_of(r)))
    return GrantOperation(
        terms=terms,
        opening=canonical_bytes(terms),
        lock=lock_of(r),
        tag_hash=sha256(b"tag"),
        view_hash=bytes(32),
        post_hash=sha256(r),
        opening_key=bytes(32),
        b=bytes(32),
        ticket=None,
        replaced_r=None,
    )


def test_grant_without_ticket_or_secret_never_passes() -> None:
    with pytest.raises(Rejected, match="bad_ticket"):
        empty_group().decide(grant_operation(b"r" * 32))


def test_attack_ticket_that_ends_in_the_queue_and_is_forgotten_there_makes_a_second_grant() -> None:
    for exp, code in ((NOW, "bad_ticket"), (NOW + 1, None)):
        operation = replace(grant_operation(b"r" * 32), ticket=SpentTicket(b"t" * 32, exp))
        if code is None:
            assert isinstance(empty_group().decide(operation), NewGrant)
        else:
            with pytest.raises(Rejected, match=code):
                empty_group().decide(operation)


def test_stop_in_the_group_of_its_own_grant_ends_it_there(town: SmallTown) -> None:
    """The grant and its stop reach the writer together: the second look finds the lock."""
    writer = town.node.writer
    code, _, request = town.grant_request()
    body = canonical_bytes(request)
    operation = intake.grant_operation(
        request,
        body,
        trust=town.node.trust(),
        origin=town.node.config.origin,
        deposit_key=town.node.keys.deposit_keys(NOW),
        replaced=None,
        now=NOW,
    )
    with writer.room._wake:  # both are there when the writer looks
        granted = writer.room.put(operation)
        stopped = writer.room.put(RevocationOperation(revocation_secret(code, 1)))
    outcome = town.node.wait_for(stopped)
    assert isinstance(outcome, Revoked)
    assert isinstance(town.node.wait_for(granted), Granted)
    assert town.replayed().locks[operation.lock].revoked
    town.node.forget(outcome.slot)
    found = town.node.grant_of(outcome.slot)
    assert found is not None
    assert found.row.wrapped is None
    assert found.row.revoked_index == outcome.index


def test_stops_are_taken_first_and_always() -> None:
    room = WaitingRoom(lambda: 0)
    for number in range(waiting.MAX_WAITING):
        room.put(grant_operation(number.to_bytes(32, "big")))
    one_more = grant_operation(b"one more".ljust(32))
    with pytest.raises(Unavailable, match="busy"):
        room.put(one_more)
    stop = room.put(RevocationOperation(bytes(32)))
    group = room.take(0) or []
    assert len(group) == waiting.MAX_GROUP + 1
    assert group[0].answer is stop


def test_who_gave_up_waiting_is_passed_over() -> None:
    room = WaitingRoom(lambda: 0)
    gone, here = room.put(RevocationOperation(bytes(32))), room.put(RevocationOperation(b"r" * 32))
    gone.cancel()
    assert [each.answer for each in room.take(0) or []] == [here]


def test_answer_waits_for_the_checkpoint_that_covers_it() -> None:
    covered = 5
    room = WaitingRoom(lambda: covered)
    future = room.put(grant_operation(bytes(32)))
    (taken,) = room.take(0) or []
    room.answer(taken, Granted(0, 5))
    assert not future.done()
    covered = 6
    room.published()
    assert future.result(0) == Granted(0, 5)


def test_closing_the_room_answers_all_who_wait() -> None:
    room = WaitingRoom(lambda: 0)
    urgent, queued, covered = (
        room.put(RevocationOperation(bytes(32))),
        room.put(grant_operation(bytes(32))),
        room.put(grant_operation(b"c" * 32)),
    )
    group = room.take(0) or []
    room.answer(group[-1], Granted(0, 9))
    room.close()
    assert isinstance(covered.exception(0), Unavailable)
    assert room.take(0) is None
    assert not urgent.done()
    assert not queued.done()  # they are with the writer, who answers them


def test_empty_log_gets_a_head_and_nothing_else() -> None:
    changes = empty_group().close(StatusTree())
    assert [parse_leaf(leaf).type for leaf in changes.leaves] == [LeafType.HEAD]
    assert Admitted(0, 0, b"").n == 0
