"""Several workers on one log in PostgreSQL: one tree, stops that hold everywhere, and no second history."""

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import msgspec
import pytest
import urllib3

from consentlog import web
from consentlog.node import ANSWER_SECONDS
from protocol.canonical import b64u_decode
from protocol.consent_api import EventsAnswer, RevocationAnswer
from protocol.errors import Unavailable
from protocol.leaf import Grant, LeafType, event_tag, parse_leaf
from protocol.replay import Replay
from service.database import sqlite_url
from service.home import Home
from tests.consentlog.crew import Crew, Worker, crew
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import Given, SmallTown
from tests.service import postgresql
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not postgresql.is_installed(), reason="needs PostgreSQL")
TAKE_OVER = 60.0
"""Seconds, on a busy machine, within which another worker publishes."""


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.PostgreSQL]:
    server = postgresql.PostgreSQL()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def hired(server: postgresql.PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Three that nobody harms."""
    with crew(tmp_path_factory.mktemp("crew"), server.database("calm"), 3) as crew_of_three:
        yield crew_of_three


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """The results of all calls, made at the same moment by a thread each."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def replayed(town: SmallTown) -> Replay:
    return town.replayed()


def live(towns: list[SmallTown], dice: random.Random) -> dict[str, int]:
    """Grant, read and stop, each step at another worker; the indices that were acknowledged."""
    acknowledged = {}
    for turn in range(4):
        given = dice.choice(towns).grant()
        acknowledged[f"grant {given.answer.slot}"] = given.answer.index
        for n in range(2):
            sent, answer = dice.choice(towns).read(given)
            assert answer.n == n
            acknowledged[f"read {sent.read.read_id}"] = answer.index
        if turn % 2:
            acknowledged[f"stop {given.answer.slot}"] = dice.choice(towns).revoke(given).index
            assert code_of(dice.choice(towns).post_read(dice.choice(towns).make_read(given))) == (410, "revoked")
    return acknowledged


def test_workers_that_append_at_once_make_one_tree(hired: Crew) -> None:
    towns = [hired[place] for place in range(3)]
    lives = at_once([partial(live, towns, random.Random(seed)) for seed in range(4)])
    acknowledged = {what: index for each in lives for what, index in each.items()}
    assert len(set(acknowledged.values())) == len(acknowledged) == sum(map(len, lives))
    histories = [town.leaves() for town in towns]
    longest = max(histories, key=len)
    assert all(history == longest[: len(history)] for history in histories)
    replay = replayed(towns[0])
    slots = [leaf.slot for leaf in map(parse_leaf, longest) if isinstance(leaf, Grant)]
    assert slots == list(range(len(slots)))
    assert replay.slots == len(slots)


def test_numbers_of_a_grant_have_no_gap_whichever_worker_reads(hired: Crew) -> None:
    given = hired[0].grant(max_reads=10)
    towns = [hired[place % 3] for place in range(15)]
    answers = at_once([lambda town=town: town.post_read(town.make_read(given)) for town in towns])
    assert sorted(got.get_json()["n"] for got in answers if got.status_code == 200) == list(range(10))
    assert [code_of(got) for got in answers if got.status_code != 200] == [(403, "reads_spent")] * 5


def test_same_read_at_all_workers_at_once_is_one_entry(hired: Crew) -> None:
    given = hired[0].grant()
    sent = hired[0].make_read(given)
    answers = at_once([lambda place=place: hired[place % 3].post_read(sent) for place in range(6)])
    assert len({(answer.get_json()["index"], answer.get_json()["n"]) for answer in answers}) == 1


def test_same_grant_at_all_workers_at_once_is_one_slot(hired: Crew) -> None:
    _, _, request = hired[0].grant_request()
    towns = [hired[place % 3] for place in range(6)]
    answers = at_once([lambda town=town: town.send("POST", "/v1/grants", request) for town in towns])
    assert len({(answer.get_json()["slot"], answer.get_json()["index"]) for answer in answers}) == 1


def test_one_ticket_at_all_workers_at_once_makes_one_grant(hired: Crew) -> None:
    ticket = hired[0].ticket()
    requests = [msgspec.structs.replace(hired[0].grant_request()[2], ticket=ticket) for _ in range(3)]
    calls = [lambda place=place: hired[place].send("POST", "/v1/grants", requests[place]) for place in range(3)]
    assert sorted(answer.status_code for answer in at_once(calls)) == [201, 403, 403]


def test_stop_at_one_worker_is_final_at_all_others_at_once(hired: Crew) -> None:
    for turn in range(6):
        given = hired[turn % 3].grant()
        for place in range(3):
            hired[place].read(given)  # all know it
        sent = [hired[place].make_read(given) for place in range(3)]
        hired[turn % 3].revoke(given)
        for place in range(3):
            assert code_of(hired[place].post_read(sent[place])) == (410, "revoked")


def test_no_share_leaves_at_one_worker_for_a_read_after_the_stop_at_another(hired: Crew) -> None:
    for _ in range(3):
        given = hired[0].grant()
        towns = [hired[place % 3] for place in range(9)]
        sent = [town.make_read(given) for town in towns]
        calls: list[Callable[[], Any]] = [
            lambda town=town, each=each: town.post_read(each) for town, each in zip(towns, sent, strict=True)
        ]
        calls.insert(4, partial(towns[0].post_revocation, given.r))
        answers = at_once(calls)
        stop = hired[0].parsed(answers.pop(4), RevocationAnswer)
        for answer in answers:
            if answer.status_code == 200:
                assert answer.get_json()["index"] < stop.index
            else:
                assert code_of(answer) == (410, "revoked")
        for town, each in zip(towns, sent, strict=True):
            assert code_of(town.post_read(each)) == (410, "revoked")
        tags = {event_tag(b64u_decode(given.terms.tag_key), LeafType.READ, n) for n in range(9)}
        leaves = hired[0].leaves()
        reads = [i for i, leaf in enumerate(map(parse_leaf, leaves)) if getattr(leaf, "tag", None) in tags]
        assert all(index < stop.index for index in reads)


def test_answer_of_one_worker_is_found_at_all_others(hired: Crew) -> None:
    given = hired[0].grant()
    for place in (1, 2, 0, 2, 1):
        _, answer = hired[place].read(given)
        for other in range(3):
            path = f"/v1/grants/{given.answer.slot}/events"
            events = hired[other].parsed(hired[other].send("GET", path, headers=given.view), EventsAnswer)
            assert [event.index for event in events.events][-1] == answer.index
            assert hired[other].send("GET", f"/v1/proofs/{answer.index}").status_code == 200


def test_entry_erased_at_one_worker_is_gone_at_all_others(hired: Crew) -> None:
    given = hired[0].grant()
    sent = [hired[place].read(given)[0] for place in range(3)]
    hired[1].revoke(given)
    path = f"/v1/grants/{given.answer.slot}/openings"
    assert hired[2].send("DELETE", path, headers=given.view).status_code == 204
    for place in range(3):
        assert code_of(hired[place].post_read(sent[place])) == (404, "unknown_lock")
        path = f"/v1/grants/{given.answer.slot}/events"
        events = hired[place].parsed(hired[place].send("GET", path, headers=given.view), EventsAnswer)
        assert all(event.opening is None for event in events.events)


# Workers that are killed or stopped.


def can_read(town: SmallTown, given: Given) -> bool:
    return town.post_read(town.make_read(given)).status_code == 200


def keep_reading(town: SmallTown, given: Given, until: list[float], read: list[Any]) -> None:
    """Read as long as it is asked for; what was acknowledged."""
    while time.monotonic() < until[0]:
        sent = town.make_read(given)
        answer = town.post_read(sent)
        if answer.status_code == 200:
            read.append((sent, answer.get_json()["index"], answer.get_json()["n"], time.monotonic()))


def check_all_is_there(town: SmallTown, read: list[Any]) -> None:
    for sent, index, n, _ in read:
        again = town.post_read(sent).get_json()
        assert (again["index"], again["n"]) == (index, n)
    replayed(town)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_holder_that_is_lost_is_replaced_and_nothing_acknowledged_is_lost(
    server: postgresql.PostgreSQL, tmp_path: Path, blow: signal.Signals
) -> None:
    name = f"blow_{blow.name.lower()}"
    # One that is stopped in the midst of moving the lock holds it: PostgreSQL ends its session, SQLite waits.
    with crew(tmp_path, server.database(name), 2, lock=server.database(f"{name}_lock")) as hired:
        holder = hired.holder()
        left = 1 - holder
        grants = [hired[place].grant() for place in (holder, left)]
        read: list[Any] = []
        until = [time.monotonic() + 200]
        with ThreadPoolExecutor(2) as pool:
            reading = [pool.submit(keep_reading, hired[left], each, until, read) for each in grants]
            wait_until(lambda: len(read) > 6, TAKE_OVER)
            hired.workers[holder].signal(blow)
            struck = time.monotonic()
            wait_until(lambda: any(at > struck + 1 for *_, at in read), TAKE_OVER)
            outage = min(at for *_, at in read if at > struck + 1) - struck
            if blow == signal.SIGSTOP:
                hired.workers[holder].signal(signal.SIGCONT)
                wait_until(lambda: can_read(hired[holder], grants[0]), TAKE_OVER)
            until[0] = 0.0
            for each in reading:
                each.result()
        print(f"another worker published {outage:.1f} s after {blow.name}")
        assert hired.holder([left]) == left
        check_all_is_there(hired[left], read)
        if blow == signal.SIGSTOP:  # it follows now, and its tree is the same
            assert not hired.workers[holder].health()["publishes"]
            check_all_is_there(hired[holder], read[-5:])


def test_worker_that_stops_hands_its_turn_over(server: postgresql.PostgreSQL, tmp_path: Path) -> None:
    with crew(tmp_path, server.database("handed"), 2) as hired:
        holder = hired.holder()
        given = hired[holder].grant()
        hired.workers[holder].signal(signal.SIGTERM)
        started = time.monotonic()
        wait_until(lambda: can_read(hired[1 - holder], given), TAKE_OVER)
        print(f"handed over in {time.monotonic() - started:.1f} s")


def test_attack_second_database_signs_a_second_history(server: postgresql.PostgreSQL, tmp_path: Path) -> None:
    """A copy of the database behind the same keys and the same global lock: a fork, then a restored backup."""
    main = server.database("main")
    with crew(tmp_path, main, 1) as hired:
        given = hired[0].grant()
        hired.workers[0].signal(signal.SIGTERM)
        homes = [copy_home(tmp_path, name, main, server.database(name, like="main")) for name in ("fork", "old")]
        hired.workers.clear()
        hired.hire(1)
        forked = hired.hire_from(homes[0])
        assert isinstance(forked, Worker)
        hired[0].grant()
        view = hired.view(forked)
        assert code_of(view.send("POST", "/v1/grants", view.grant_request()[2]))[0] == 503
        wait_until(lambda: forked.door.open("/healthz", method="GET").status_code == 503, TAKE_OVER)
        assert code_of(view.send("POST", "/v1/grants", view.grant_request()[2]))[0] == 503
        assert replayed(hired[0]).slots == 2
        assert hired[0].read(given)[1].n == 0
        assert hired.hire_from(homes[1]) == "restored_backup"


def copy_home(folder: Path, name: str, main: str, database: str) -> Path:
    """The log's home with another database and the same global lock."""
    home = folder / name
    shutil.copytree(folder / "log", home)
    config = msgspec.json.decode((home / "config.json").read_bytes())
    assert config["database"] == main
    config |= {"database": database, "lock": sqlite_url(folder / "log" / "lock.db")}
    (home / "config.json").write_bytes(msgspec.json.encode(config))
    return home


# A start.


def test_start_waits_for_a_database_that_changes_its_leader(server: postgresql.PostgreSQL, tmp_path: Path) -> None:
    SmallTown(tmp_path, database=server.database("waited_for"))
    with ThreadPoolExecutor(1) as pool:
        with server.read_only():
            starting = pool.submit(web._node, Home(tmp_path / "log"))
            time.sleep(1)
            assert not starting.done()
        starting.result(60).stop()


def test_start_without_a_database_ends_in_time_and_says_so(
    server: postgresql.PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SmallTown(tmp_path, database=f"postgresql://regie@/nowhere?host={server.folder},/nowhere")
    monkeypatch.setattr(web, "START_SECONDS", 1.0)
    with pytest.raises(Unavailable, match=r"database: the database has not taken us in for 1 seconds"):
        web.create(tmp_path / "log")


def test_log_is_served_by_several_workers(server: postgresql.PostgreSQL, tmp_path: Path) -> None:
    SmallTown(tmp_path, database=server.database("served"))
    words = ["log", "serve", "--home", str(tmp_path / "log"), "--port", "0", "--workers", "2"]
    command = [sys.executable, "-c", "from service.command import main; main()", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("listening on ").strip()
        pool = urllib3.PoolManager(retries=False, timeout=60)
        states = [pool.request("GET", f"{url}/healthz").json() for _ in range(10)]
        assert all(state["status"] == "ok" for state in states)
        process.terminate()
        assert process.stdout.read() == ""  # it was announced once
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


def test_what_is_published_is_served_without_the_database(tmp_path: Path) -> None:
    server = postgresql.PostgreSQL()
    try:
        with crew(tmp_path, server.url, 2) as hired:
            given = hired[0].grant()
            hired[1].read(given)
            server.stop()
            for place in (0, 1, 0, 1):
                hired[place].send("GET", "/checkpoint")  # the first one may have to find out
                started = time.monotonic()
                assert hired[place].send("GET", "/checkpoint").status_code == 200
                assert time.monotonic() - started < ANSWER_SECONDS  # of who waits for the database
                assert hired[place].post_read(hired[place].make_read(given)).status_code == 503
    finally:
        if server.folder.exists():
            server.stop()
