"""A town that is killed, and what must be so afterwards.

`python -m tests.consentlog.harm` is a nursery: it has everything imported, and for each line of JSON on stdin it
forks a town that works until it is killed, then answers with how it ended. Each worker writes down what it is
about to do and what was acknowledged, as a wallet and an agency do; `check` sends all of it again to a new start.

No thread runs in the nursery when it forks.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec

from consentlog import crash
from protocol.canonical import b64u_decode, b64u_encode
from protocol.consent_api import GrantAnswer, GrantRequest, ReadRequest
from protocol.leaf import Grant, LeafType, Read, Revocation, event_tag, parse_leaf
from tests.consentlog.power import LossyDisk
from tests.consentlog.small_town import Given, SmallTown
from tests.service import unsynced

WORKERS = 3
READS = 4
WITHOUT_ENTRY = "a share left without an entry"
LIMIT = 60.0
"""Seconds after which a worker that nobody killed ends by itself."""


class Diary:
    """What one worker knows, a line at a time; it survives the worker, as the parties survive the log."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, event: str, **members: Any) -> None:
        os.write(self._handle, json.dumps({"event": event, **members}).encode() + b"\n")


def work(town: SmallTown, diary: Diary, worker: int, until: float) -> None:
    """Grant, read, stop, again and again."""
    turn = 0
    while time.monotonic() < until:
        turn += 1
        code, b, request = town.grant_request()
        body = msgspec.to_builtins(request)
        name = b64u_encode(code)
        diary.note("grant", name=name, body=body)
        response = town.send("POST", "/v1/grants", request)
        if response.status_code != 201:
            continue
        answer = town.parsed(response, GrantAnswer)
        diary.note("granted", name=name, slot=answer.slot, index=answer.index)
        given = Given(code, b, request, answer)
        for _ in range(READS):
            sent = town.make_read(given)
            diary.note("read", name=name, read_id=sent.read.read_id, body=msgspec.to_builtins(sent.request))
            response = town.post_read(sent)
            if response.status_code == 200:
                got = response.get_json()
                diary.note("released", name=name, read_id=sent.read.read_id, index=got["index"], n=got["n"])
                (town.folder / "working").touch()
        if (turn + worker) % 2:
            diary.note("stop", name=name, r=b64u_encode(given.r))
            response = town.post_revocation(given.r)
            if response.status_code == 200:
                diary.note("stopped", name=name, index=response.get_json()["index"])


def live(order: dict[str, Any]) -> None:
    """One life: until a crash point, the nursery's kill, or the limit."""
    if order.get("crash_at"):
        os.environ["REGIE_CRASH_AT"] = order["crash_at"]
        importlib.reload(crash)
    folder = Path(order["folder"])
    options: dict[str, Any] = {}
    if order.get("lossy"):
        options["connect"] = LossyDisk(folder / "log" / "log.db", order["lossy"]).connect
    if order.get("unsynced"):
        unsynced.install(order["unsynced"])
    town = SmallTown(folder)
    town.start(**options)
    until = time.monotonic() + LIMIT
    threads = [
        Thread(target=work, args=(town, Diary(folder / f"diary-{os.getpid()}-{worker}"), worker, until))
        for worker in range(WORKERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def nurse(order: dict[str, Any]) -> str:
    """Fork a life and see how it ends; `kill_after`: seconds after the first share that it lives."""
    working = Path(order["folder"]) / "working"
    working.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        try:
            live(order)
        finally:
            os._exit(0)
    started, killing_at = time.monotonic(), None
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return "killed" if os.WIFSIGNALED(status) else "ended"
        now = time.monotonic()
        if order.get("kill_after") is not None and killing_at is None and working.exists():
            killing_at = now + order["kill_after"]
        if (killing_at is not None and now >= killing_at) or now > started + LIMIT * 2:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)


class Nursery:
    """The process above, from a test's side."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.consentlog.harm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def life(self, folder: Path, **order: Any) -> str:
        """How a life with this order ended: `killed` or `ended`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"folder": str(folder), **order}) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@contextmanager
def nursery() -> Iterator[Nursery]:
    opened = Nursery()
    try:
        yield opened
    finally:
        opened.close()


# Afterwards.


class Account:
    """All diaries of a folder, read together."""

    def __init__(self, folder: Path) -> None:
        self.grants: dict[str, Any] = {}
        self.granted: dict[str, Any] = {}
        self.reads: dict[str, Any] = {}
        self.released: dict[str, Any] = {}
        self.stops: dict[str, Any] = {}
        self.stopped: dict[str, Any] = {}
        places: dict[str, tuple[dict[str, Any], str]] = {
            "grant": (self.grants, "name"),
            "granted": (self.granted, "name"),
            "read": (self.reads, "read_id"),
            "released": (self.released, "read_id"),
            "stop": (self.stops, "name"),
            "stopped": (self.stopped, "name"),
        }
        for path in sorted(folder.glob("diary-*")):
            for line in path.read_bytes().splitlines():
                event = json.loads(line)
                where, key = places[event["event"]]
                where[event[key]] = event

    @property
    def acknowledged(self) -> int:
        return len(self.granted) + len(self.released) + len(self.stopped)


def check(town: SmallTown, account: Account) -> None:
    """Everything acknowledged stands where it was said to; everything begun can be finished; nothing overtook a
    stop. `town` runs."""
    leaves = dict(enumerate(map(parse_leaf, town.leaves())))
    for event in account.granted.values():
        leaf = leaves.get(event["index"])
        assert isinstance(leaf, Grant), "a grant is lost"
        assert leaf.slot == event["slot"]
    for name, event in account.stopped.items():
        leaf = leaves.get(event["index"])
        assert isinstance(leaf, Revocation), "a stop is lost"
        assert leaf.r == b64u_decode(account.stops[name]["r"])
    for event in account.released.values():
        leaf = leaves.get(event["index"])
        assert isinstance(leaf, Read), WITHOUT_ENTRY
        terms = account.grants[event["name"]]["body"]["terms"]
        assert leaf.tag == event_tag(b64u_decode(terms["tag_key"]), LeafType.READ, event["n"])
    _send_again(town, account)
    town.settle()
    town.replayed()
    _check_order(town, account)


def _send_again(town: SmallTown, account: Account) -> None:
    for name, event in account.grants.items():
        answer = town.send("POST", "/v1/grants", msgspec.convert(event["body"], GrantRequest))
        assert answer.status_code == 201, answer.text
        if name in account.granted:
            assert answer.get_json()["index"] == account.granted[name]["index"]
    for read_id, event in account.reads.items():
        answer = town.send("POST", "/v1/reads", msgspec.convert(event["body"], ReadRequest))
        if event["name"] in account.stopped:
            assert answer.status_code == 410, "a share left after a stop"
        elif answer.status_code == 200 and read_id in account.released:
            told = account.released[read_id]
            assert (answer.get_json()["index"], answer.get_json()["n"]) == (told["index"], told["n"])
    for name, event in account.stops.items():
        answer = town.post_revocation(b64u_decode(event["r"]))
        assert answer.status_code == 200
        if name in account.stopped:
            assert answer.get_json()["index"] == account.stopped[name]["index"]


def _check_order(town: SmallTown, account: Account) -> None:
    leaves = [parse_leaf(leaf) for leaf in town.leaves()]
    for name in account.stops:
        tag_key = b64u_decode(account.grants[name]["body"]["terms"]["tag_key"])
        tags = {event_tag(tag_key, LeafType.READ, n) for n in range(2 * READS)}
        r = b64u_decode(account.stops[name]["r"])
        stop = next(index for index, leaf in enumerate(leaves) if leaf.type is LeafType.REVOCATION and leaf.r == r)
        assert not any(leaf.type is LeafType.READ and leaf.tag in tags for leaf in leaves[stop:])


def main() -> None:
    for line in sys.stdin:
        print(nurse(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
