"""READs on the event loop get what they get by a thread: the same answers, refusals, headers and limits."""

import asyncio
import json
from typing import Any

import pytest

from consentlog.hot import MAX_READS_WAITING, HotReads
from consentlog.node import NotAtHand
from consentlog.operations import Outcome, Revoked
from consentlog.waiting import LoopAnswer, Mailbox
from protocol.canonical import canonical_bytes
from protocol.consent_api import MAX_REQUEST_BYTES, ReadAnswer
from service.edge import HOT_PATHS
from tests.consentlog.small_town import Sent, SmallTown
from tests.protocol.builders import WITNESS_NAME
from tests.waiting import wait_until

JSON = "application/json"


def hot_of(town: SmallTown) -> Any:
    assert town.app is not None
    return town.app.extensions[HOT_PATHS]["POST", "/v1/reads"]


def ask(town: SmallTown, *bodies: bytes, media_type: str = JSON) -> list[Any]:
    """(status, headers, parsed body) of each of these, asked at once."""

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(hot_of(town)(media_type, body) for body in bodies))

    return [(status, dict(headers), json.loads(data)) for status, headers, data in asyncio.run(all_at_once())]


def body(sent: Sent) -> bytes:
    return canonical_bytes(sent.request)


def test_read_on_the_loop_gets_its_shares(town: SmallTown) -> None:
    given = town.grant()
    town.read(given)  # grant and trust list are at hand from here on
    sent = [town.make_read(given) for _ in range(10)]
    answers = ask(town, *map(body, sent))
    for each, (status, _, members) in zip(sent, answers, strict=True):
        assert status == 200
        answer = town.parsed(town.post_read(each), ReadAnswer)  # the same READ by a thread
        assert (members["index"], members["n"], members["opening_key"]) == (
            answer.index,
            answer.n,
            answer.opening_key,
        )
    assert sorted(members["n"] for _, _, members in answers) == list(range(1, 11))


def test_grant_and_trust_list_that_are_not_at_hand_are_looked_up(town: SmallTown) -> None:
    given = town.grant()
    town.node._grants.clear()
    town.node._trust_seen = None
    with pytest.raises(NotAtHand):
        town.node.trust_at_hand()
    with pytest.raises(NotAtHand):
        town.node.grant_at_hand(given.answer.slot)
    (answer,) = ask(town, body(town.make_read(given)))
    assert answer[0] == 200
    assert town.node.grant_at_hand(given.answer.slot).row.slot == given.answer.slot


def test_trust_list_that_was_looked_at_a_while_ago_is_not_at_hand(
    town: SmallTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.node.trust()
    town.node.trust_at_hand()
    monkeypatch.setattr("consentlog.node.TRUST_SECONDS", -1.0)
    with pytest.raises(NotAtHand):
        town.node.trust_at_hand()


def test_refusals_and_headers_are_those_of_the_thread(town: SmallTown) -> None:
    given = town.grant(max_reads=1)
    town.read(given)
    sent = town.make_read(given)
    ((status, headers, members),) = ask(town, body(sent))
    by_thread = town.post_read(sent)
    assert (status, members) == (by_thread.status_code, by_thread.get_json())
    assert members["code"] == "reads_spent"
    for name in ("content-type", "api-version", "cache-control", "x-content-type-options", "referrer-policy"):
        assert headers[name] == by_thread.headers[name]


@pytest.mark.parametrize(
    ("data", "media_type", "status", "code"),
    [
        (b"{}", JSON, 400, "bad_form"),
        (b"\xff", JSON, 400, "bad_json"),
        (b"{}", "text/plain", 415, "bad_media_type"),
        (b"{}", "", 415, "bad_media_type"),
        (b" " * (MAX_REQUEST_BYTES + 1), JSON, 413, "too_large"),
    ],
)
def test_malformed_requests_are_refused_as_elsewhere(
    town: SmallTown, data: bytes, media_type: str, status: int, code: str
) -> None:
    ((found, headers, members),) = ask(town, data, media_type=media_type)
    assert (found, members["code"]) == (status, code)
    assert headers["content-type"] == "application/problem+json"


def test_read_that_no_checkpoint_covers_in_time_is_told_so(
    town: SmallTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = town.grant()
    sent = town.make_read(given)
    town.wires.cut |= {WITNESS_NAME}
    monkeypatch.setattr("consentlog.hot.ANSWER_SECONDS", 0.2)
    ((status, headers, members),) = ask(town, body(sent))
    assert (status, members["code"]) == (503, "no_quorum")
    assert headers["retry-after"] == "2"
    town.wires.cut.clear()
    town.settle()
    assert town.parsed(town.post_read(sent), ReadAnswer).n == 0


def test_too_many_reads_on_the_loop_are_told_so(town: SmallTown) -> None:
    hot = hot_of(town)
    reads = hot._handler.__self__
    assert isinstance(reads, HotReads)
    reads._waiting = MAX_READS_WAITING
    ((status, _, members),) = ask(town, b"{}")
    assert (status, members["code"]) == (503, "busy")
    reads._waiting = 0
    ask(town, b"{}")
    assert reads._waiting == 0


def test_answers_of_a_group_wake_the_loop_once() -> None:
    calls = 0

    async def run() -> list[Outcome | BaseException]:
        nonlocal calls
        loop = asyncio.get_running_loop()
        original = loop.call_soon_threadsafe

        def count(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            return original(*arguments, **options)

        loop.call_soon_threadsafe = count  # type: ignore[method-assign]
        mailbox = Mailbox(loop)
        futures = [loop.create_future() for _ in range(6)]
        futures[1].cancel()
        answers = [LoopAnswer(mailbox, future) for future in futures]
        assert [answer.cancelled() for answer in answers] == [False, True, False, False, False, False]
        for number, answer in enumerate(answers):
            if not answer.set_running_or_notify_cancel():
                continue
            if number == 2:
                answer.set_exception(ValueError("no"))
            else:
                answer.set_result(Revoked(b"", number, 0, 0))
        return await asyncio.gather(*futures, return_exceptions=True)

    outcomes = asyncio.run(run())
    assert calls == 1
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert isinstance(outcomes[2], ValueError)
    assert [outcome.slot for outcome in outcomes if isinstance(outcome, Revoked)] == [0, 3, 4, 5]


def test_answer_to_a_loop_that_has_ended_is_dropped() -> None:
    loop = asyncio.new_event_loop()
    future: asyncio.Future[Outcome] = loop.create_future()
    answer = LoopAnswer(Mailbox(loop), future)
    loop.close()
    answer.set_result(Revoked(b"", 0, 0, 0))
    assert not future.done()


def test_log_goes_on_when_a_client_of_the_loop_has_left(town: SmallTown) -> None:
    given = town.grant()
    town.read(given)
    size = town.node.tree.size

    async def leave() -> None:
        task = asyncio.ensure_future(hot_of(town)(JSON, body(town.make_read(given))))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    wait_until(lambda: town.node.published.size == town.node.tree.size >= size)
    assert town.read(given)[1].n in (1, 2)
