"""What comes too late, hangs or is gone: peers that do not answer, shares that are lost, threads that ended."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from protocol.consent_api import GrantAnswer, ReadAnswer
from protocol.leaf import LeafType, parse_leaf
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.protocol.builders import AUDITOR_NAME, NOW, WITNESS_NAME
from tests.waiting import wait_until


def leaves_of(town: SmallTown, kind: LeafType) -> int:
    return [parse_leaf(leaf).type for leaf in town.leaves()].count(kind)


def test_read_that_no_checkpoint_covers_in_time_gets_its_share_when_asked_again(
    town: SmallTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = town.grant()
    sent = town.make_read(given)
    town.wires.cut |= {WITNESS_NAME}
    monkeypatch.setattr("consentlog.node.ANSWER_SECONDS", 0.2)
    assert code_of(town.post_read(sent)) == (503, "no_quorum")
    monkeypatch.undo()
    town.wires.cut.clear()
    answer = town.parsed(town.post_read(sent), ReadAnswer)
    assert len(town.shares(sent, answer)) == len(sent.read.claims)
    assert leaves_of(town, LeafType.READ) == 1


def test_grant_that_no_checkpoint_covers_in_time_is_the_same_when_asked_again(
    town: SmallTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, request = town.grant_request()
    town.wires.cut |= {AUDITOR_NAME}
    monkeypatch.setattr("consentlog.node.ANSWER_SECONDS", 0.2)
    assert code_of(town.send("POST", "/v1/grants", request)) == (503, "no_quorum")
    monkeypatch.undo()
    town.wires.cut.clear()
    assert town.parsed(town.send("POST", "/v1/grants", request), GrantAnswer).slot == 0
    assert leaves_of(town, LeafType.GRANT) == 1


def test_cosigner_that_hangs_holds_up_one_round_and_no_stop(town: SmallTown) -> None:
    given = town.grant()
    released = Event()
    app = town.wires.hosts[AUDITOR_NAME]
    original = app.view_functions["pending"]

    asked: list[None] = []

    def hang() -> Any:
        asked.append(None)
        released.wait(60)
        return original()

    app.view_functions["pending"] = hang
    town.grant()
    assert town.revoke(given).slot == given.answer.slot
    town.grant()  # the second round does not wait for the cosigner's answer again
    assert len(asked) == 1
    released.set()
    app.view_functions["pending"] = original


def test_witness_that_hangs_is_left_out_until_it_answers(tmp_path: Any) -> None:
    town = SmallTown(tmp_path, threshold="any")
    with town.running():
        released = Event()
        app = town.wires.hosts[WITNESS_NAME]
        original = app.view_functions["witness.add_checkpoint"]

        def hang() -> Any:
            released.wait(60)
            return original()

        app.view_functions["witness.add_checkpoint"] = hang
        given = town.grant()
        assert [town.read(given)[1].n for _ in range(3)] == [0, 1, 2]
        released.set()
        app.view_functions["witness.add_checkpoint"] = original
        clients = town.node.publisher.witnesses._clients
        wait_until(lambda: not any(client.is_busy for _, client in clients.values()))


def test_share_that_is_lost_is_refused_with_a_leaf(town: SmallTown) -> None:
    given, other = town.grant(), town.grant()
    with sqlite3.connect(town.home.file("log.db"), timeout=60) as connection:
        connection.execute("DELETE FROM shares WHERE slot = ?", (given.answer.slot,))
    connection.close()
    assert code_of(town.post_read(town.make_read(given))) == (410, "no_share")
    assert town.events(given).events[-1].type == "refusal"
    assert town.read(other)[1].n == 0


def test_share_whose_epoch_key_is_gone_is_refused_and_others_go_on(town: SmallTown) -> None:
    given, other = town.grant(), town.grant()
    with sqlite3.connect(town.home.file("log.db"), timeout=60) as connection:
        connection.execute("UPDATE shares SET epoch = 7 WHERE slot = ?", (given.answer.slot,))
    connection.close()
    assert code_of(town.post_read(town.make_read(given))) == (503, "epoch_key")
    assert town.read(other)[1].n == 0


def test_share_put_under_another_slot_does_not_open(town: SmallTown) -> None:
    given, other = town.grant(), town.grant()
    with sqlite3.connect(town.home.file("log.db"), timeout=60) as connection:
        connection.execute(
            "UPDATE shares SET wrapped = (SELECT wrapped FROM shares WHERE slot = ?) WHERE slot = ?",
            (other.answer.slot, given.answer.slot),
        )
    connection.close()
    assert code_of(town.post_read(town.make_read(given))) == (410, "no_share")


def test_log_that_publishes_no_more_says_so_and_still_takes_stops(town: SmallTown) -> None:
    given, other = town.grant(), town.grant()
    town.node.publisher.stop()
    wait_until(lambda: not town.node.publisher.is_alive())
    assert code_of(town.post_read(town.make_read(other))) == (503, "busy")
    assert code_of(town.send("POST", "/v1/grants", town.grant_request()[2])) == (503, "busy")
    assert code_of(town.send("GET", "/healthz")) == (503, "stopped")
    assert town.revoke(given).slot == given.answer.slot


def test_log_without_a_policy_publishes_nothing(tmp_path: Any) -> None:
    town = SmallTown(tmp_path)
    policy, town.policy = town.policy, ""
    town.publish_trust()
    with town.running(until="nothing"):
        assert code_of(town.send("GET", "/checkpoint")) == (503, "no_quorum")
        town.policy = policy
        town.publish_trust(version=2)
        wait_until(lambda: town.node.publisher.is_ready)


def test_too_many_who_wait_are_told_so(town: SmallTown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentlog.waiting.MAX_WAITING", 0)
    assert code_of(town.send("POST", "/v1/grants", town.grant_request()[2])) == (503, "busy")


def test_grant_that_ends_while_the_log_waits_for_its_turn_to_write_is_not_read(town: SmallTown) -> None:
    given = town.grant(not_after=NOW + 30)
    sent = town.make_read(given)
    other = sqlite3.connect(town.home.file("log.db"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(town.post_read, sent)
        wait_until(town.node.writer.memory.alone.locked)
        town.clock.time += 31
        other.execute("ROLLBACK")
        assert code_of(answer.result()) == (403, "expired")
    other.close()
    assert leaves_of(town, LeafType.READ) == 0
    assert leaves_of(town, LeafType.REFUSAL) == 1
