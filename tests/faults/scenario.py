"""One fixed story of a log, told by clients that insist, and what must be so after it.

A day has every kind of write: grants, reads, a message, a refresh, revocations (one handed to the auditing
cosigner), an erasure, a change of epoch, and a restart in the middle. Whoever gets no answer asks again, byte for
byte. A log that says in `/healthz` that it has stopped is started again, as systemd would.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from werkzeug.test import TestResponse

from protocol.canonical import b64u_decode, b64u_encode
from protocol.consent_api import (
    CosignerRevocationRequest,
    GrantAnswer,
    MessageAnswer,
    ReadAnswer,
    RevocationAnswer,
)
from protocol.errors import Unavailable
from protocol.leaf import Grant, LeafType, Message, Read, Revocation, event_tag, parse_leaf
from protocol.merkle import Frontier, leaf_hash
from protocol.reading import ResidentMessage, sign_message
from tests.consentlog.peers import code_of, epoch_turns
from tests.consentlog.small_town import Given, Sent
from tests.faults.injector import Faults
from tests.faults.watched_town import WatchedTown, rows
from tests.protocol import builders
from tests.protocol.builders import AUDITOR_NAME, DAY, LOG_ORIGIN

WAKE_EVERY = 25
TRIES = 1500
PAUSE = 0.02
"""Seconds between two tries: half a minute in all, on a busy machine more."""


class Story:
    """Tells the day to `town`; everything acknowledged is remembered."""

    def __init__(self, town: WatchedTown, faults: Faults) -> None:
        self.town = town
        self.faults = faults
        self.granted: list[Given] = []
        self.released: list[tuple[Given, Sent, ReadAnswer]] = []
        self.delivered: list[tuple[Given, str, MessageAnswer]] = []
        self.revoked: list[tuple[Given, RevocationAnswer]] = []
        self.notes: list[str] = []
        self.erased: list[Given] = []
        self.restarts = 0

    def tell(self) -> None:
        self.start()
        first, second = self.grant(), self.grant()
        self.read(first)
        self.read(first)
        self.message(first)
        self.revoke(second)
        self.refused(second)
        later = self.refresh(first)
        self.refused(first)
        self.restart()
        self.read(later)
        self.erase(second)
        kept = self.grant(not_after=builders.NOW + 20 * DAY)
        self.tomorrow()
        self.read(kept)
        self.revoke_by_cosigner(kept)
        self.refused(kept)
        self.revoke(later)
        self.refused(later)
        self.settle()
        self.town.stop()

    # A log that is looked after.

    def start(self) -> None:
        for _ in range(TRIES):
            try:
                self.town.start(until="nothing")
            except (Unavailable, OSError, SQLAlchemyError) as error:  # the process ends, and is started again
                self.town.stop()
                reason = repr(error)
                time.sleep(PAUSE)
            else:
                return
        raise AssertionError(f"the log does not start again: {reason}")

    def restart(self) -> None:
        self.town.stop()
        self.start()

    def insist(self, call: Callable[[], TestResponse]) -> TestResponse:
        """The answer that is no 503; a log that has stopped is started again."""
        for _ in range(TRIES):
            answer = call()
            assert answer.status_code != 500, "an error that nobody foresaw"
            if answer.status_code != 503:
                return answer
            assert int(answer.headers["Retry-After"]) > 0
            self.look_after()
            time.sleep(PAUSE)
        raise AssertionError(f"no answer but {answer.text}")

    def look_after(self) -> None:
        health = self.town.send("GET", "/healthz")
        node = self.town.node
        if health.status_code == 503:
            self.restarts += 1
            self.restart()
        else:
            assert node is not None
            is_alive = node.writer.is_alive() and node.publisher.is_alive()
            assert is_alive, "stopped, and /healthz does not say so"

    def settle(self) -> None:
        """Until everything committed is published, by a log that is started again where it must be."""
        for _ in range(TRIES):
            node = self.town.node
            assert node is not None
            if node.published.size == node.tree.size:
                return
            self.look_after()
            time.sleep(PAUSE)
        raise AssertionError("what is committed is never published")

    # What happens on the day.

    def grant(self, **terms: Any) -> Given:
        code, b, request = self.town.grant_request(**terms)
        return self._granted(code, b, request)

    def _granted(self, code: bytes, b: bytes, request: Any) -> Given:
        answer = self.insist(lambda: self.town.send("POST", "/v1/grants", request))
        given = Given(code, b, request, self.town.parsed(answer, GrantAnswer))
        leaf = self._stored(given.answer.index)
        assert isinstance(leaf, Grant), "a grant was acknowledged before it was stored"
        assert leaf.slot == given.answer.slot
        self.granted.append(given)
        return given

    def refresh(self, given: Given) -> Given:
        b, request = self.town.refresh_request(given)
        return self._granted(given.code, b, request)

    def read(self, given: Given) -> None:
        sent = self.town.make_read(given)
        answer = self.town.parsed(self.insist(lambda: self.town.post_read(sent)), ReadAnswer)
        leaf = self._stored(answer.index)
        assert isinstance(leaf, Read), "a share left without an entry"
        assert leaf.tag == event_tag(b64u_decode(given.terms.tag_key), LeafType.READ, answer.n)
        with self.faults.paused():
            assert len(self.town.shares(sent, answer)) == len(sent.read.claims)
        self.notes.append(answer.evidence.checkpoint)
        self.released.append((given, sent, answer))

    def refused(self, given: Given) -> None:
        sent = self.town.make_read(given)
        assert code_of(self.insist(lambda: self.town.post_read(sent))) == (410, "revoked"), "a read after a stop"

    def message(self, given: Given) -> None:
        jti = b64u_encode(os.urandom(16))
        told = ResidentMessage(given.answer.slot, given.terms.lock, "complaint", self.town.clock.now(), jti)
        token = sign_message(told, builders.HOLDER)
        answer = self.insist(lambda: self.town.post_message(token, headers=given.view))
        parsed = self.town.parsed(answer, MessageAnswer)
        assert isinstance(self._stored(parsed.index), Message)
        self.delivered.append((given, token, parsed))

    def revoke(self, given: Given) -> None:
        answer = self.town.parsed(self.insist(lambda: self.town.post_revocation(given.r)), RevocationAnswer)
        self._revoked(given, answer)

    def _revoked(self, given: Given, answer: RevocationAnswer) -> None:
        leaf = self._stored(answer.index)
        assert leaf == Revocation(given.answer.index, given.answer.slot, given.r), "a stop was not stored"
        assert self._shares(given) == [], "a share outlived its revocation"
        self.revoked.append((given, answer))

    def revoke_by_cosigner(self, given: Given) -> None:
        """The log is told by the auditing cosigner alone, and nobody reads under a checkpoint that lacks it."""
        self.settle()
        web = self.town.wires.hosts[AUDITOR_NAME]
        body = CosignerRevocationRequest(origin=LOG_ORIGIN, r=b64u_encode(given.r))
        send = {"method": "POST", "json": {"origin": body.origin, "r": body.r}}
        self.insist(lambda: web.test_client().open("/v1/revocations", **send))
        sent = self.town.make_read(given)
        answer = self.insist(lambda: self.town.post_read(sent))
        assert code_of(answer) == (410, "revoked"), "a read after a stop that the cosigner keeps"

    def erase(self, given: Given) -> None:
        path = f"/v1/grants/{given.answer.slot}/openings"
        assert self.insist(lambda: self.town.send("DELETE", path, headers=given.view)).status_code == 204
        assert rows(self.town.database, "SELECT 1 FROM openings WHERE slot = ?", given.answer.slot) == []
        self.erased.append(given)

    def tomorrow(self) -> None:
        """A new epoch: every share is wrapped anew and the old key destroyed."""
        self.settle()
        self.town.clock.time = self.town.witness_clock.time = self.town.clock.time + DAY
        for number in range(TRIES):
            node = self.town.node
            assert node is not None
            if number % WAKE_EVERY == 0:
                node.publisher.wake()
                node.writer._next_upkeep = 0.0
            self.look_after()
            epochs = epoch_turns(self.town.home.path / "epochs")
            if epochs[0] != 1 and node.published.is_fresh(self.town.clock.now()):
                return
            time.sleep(PAUSE)
        raise AssertionError("the epoch does not change")

    def _stored(self, index: int) -> Any:
        leaf = self.town.stored_leaf(index)
        return None if leaf is None else parse_leaf(leaf)

    def _shares(self, given: Given) -> list[Any]:
        return rows(self.town.database, "SELECT 1 FROM shares WHERE slot = ?", given.answer.slot)


def check(story: Story) -> None:
    """From outside, after a start without faults."""
    town = story.town
    assert town.watch.violations == [], town.watch.violations
    with town.running():
        town.settle()
        leaves = town.leaves()
        replay = town.replayed()
        _check_nothing_lost(story, leaves)
        _check_one_history(story, leaves)
        _check_retries(story)
        assert all(replay.locks[b64u_decode(given.terms.lock)].revoked for given, _ in story.revoked)
        assert rows(town.database, "SELECT 1 FROM shares") == []
    assert town.watch.violations == [], town.watch.violations


def _check_nothing_lost(story: Story, leaves: list[bytes]) -> None:
    parsed = [parse_leaf(leaf) for leaf in leaves]
    for given in story.granted:
        leaf = parsed[given.answer.index]
        assert isinstance(leaf, Grant), "a grant is lost"
        assert leaf.slot == given.answer.slot
    for given, answer in story.revoked:
        leaf = parsed[answer.index]
        assert isinstance(leaf, Revocation), "a stop is lost"
        assert leaf.r == given.r
    for given, _, read in story.released:
        leaf = parsed[read.index]
        assert isinstance(leaf, Read), "a share left without an entry"
        assert leaf.tag == event_tag(b64u_decode(given.terms.tag_key), LeafType.READ, read.n)
    for _, _, message in story.delivered:
        assert isinstance(parsed[message.index], Message), "a message is lost"
    # Each was asked for once, however often it was sent.
    counts = {kind: sum(leaf.type is kind for leaf in parsed) for kind in LeafType}
    assert counts[LeafType.GRANT] == len(story.granted)
    # One read came between its entry and a stop that the cosigner kept: an entry without a release.
    assert len(story.released) <= counts[LeafType.READ] <= len(story.released) + 1
    assert counts[LeafType.MESSAGE] == len(story.delivered)
    assert counts[LeafType.REVOCATION] == len(story.granted)


def _check_one_history(story: Story, leaves: list[bytes]) -> None:
    """The lock, both witnesses and every checkpoint that anybody was shown are of this tree."""
    town, tree, roots = story.town, Frontier(), {}
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
        roots[tree.size] = tree.root()
    known = [town.note_size_and_root(note) for note in story.notes]
    known += rows(town.home.path / "lock.db", "SELECT size, root FROM global_lock")
    for path in (town.folder / "witness" / "witness.db", *Path(town.folder / "auditor").glob("*.db")):
        known += rows(path, "SELECT size, root FROM witness_states")
    for size, root in known:
        assert roots[size] == root, "a fork"


def _check_retries(story: Story) -> None:
    town = story.town
    erased = {given.answer.slot for given in story.erased}
    for given in story.granted:
        if given.answer.slot not in erased:
            answer = town.parsed(town.send("POST", "/v1/grants", given.request), GrantAnswer)
            assert (answer.index, answer.slot) == (given.answer.index, given.answer.slot)
    for given, answer in story.revoked:
        assert town.revoke(given).index == answer.index
    for given, token, told in story.delivered:
        again = town.parsed(town.post_message(token, headers=given.view), MessageAnswer)
        assert (again.index, again.n) == (told.index, told.n)
    for _, sent, _ in story.released:
        assert code_of(town.post_read(sent)) == (410, "revoked")
