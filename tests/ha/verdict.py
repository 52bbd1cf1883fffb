"""What must be true of the public log after a failover, whatever happened in between.

Nothing acknowledged is lost, moved or doubled; no number is left out; no READ follows an acknowledged revocation;
there is one history, and the witnesses hold it.
"""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass

from auditor.client import LogReader
from examples.founding import ORIGIN, Town
from protocol.canonical import b64u_decode
from protocol.checkpoint import parse_checkpoint_body
from protocol.leaf import Grant, Leaf, LeafType, Read, Revocation, event_tag, parse_leaf
from protocol.merkle import Frontier, leaf_hash
from protocol.replay import Replay
from protocol.revocation_code import revocation_secret
from service.fetch import Fetcher
from tests.ha.clients import Account
from tests.waiting import wait_until


@dataclass(frozen=True)
class History:
    """The public leaves, and the root of every tree that they grew through."""

    leaves: list[Leaf]
    roots: dict[int, bytes]


def published_size(town: Town) -> int:
    """Of the checkpoint that the log serves now."""
    text = LogReader(town.urls["log"], Fetcher(loopback=True)).checkpoint()
    return parse_checkpoint_body(text.partition("\n\n")[0] + "\n").size


def history_of(town: Town) -> History:
    """What anybody can fetch, replayed: its own heads and status roots fit."""
    reader = LogReader(town.urls["log"], Fetcher(loopback=True))
    body = parse_checkpoint_body(reader.checkpoint().partition("\n\n")[0] + "\n")
    leaves = list(reader.leaves(0, body.size))
    replay, tree, roots = Replay(), Frontier(), {}
    replay.apply_all(leaves)
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
        roots[tree.size] = tree.root()
    assert replay.root() == roots[body.size] == body.root
    return History([parse_leaf(leaf) for leaf in leaves], roots)


def check_all(town: Town, accounts: list[Account]) -> History:
    """Every clause above for every client, and the audit of all openings."""
    assert [words for account in accounts for words in account.surprises] == []
    states = witnessed(town)
    wait_until(lambda: published_size(town) >= max(size for size, _ in states))
    history = history_of(town)
    check_each_stands_once(history, accounts)
    check_numbers(history, accounts)
    check_receipts(history, accounts)
    # No fork: what each witness cosigned last is a tree of this history.
    assert len(states) == 2
    assert [history.roots[size] for size, _ in states] == [root for _, root in states]
    found = town.audit().answer
    assert (found["integrity"], found["completeness"], found["policy"]) == ("ok", "ok", "ok")
    return history


def check_each_stands_once(history: History, accounts: list[Account]) -> None:
    """At the index that was told, and nowhere else; no read after its grant's revocation."""
    grants = Counter(leaf.lock for leaf in history.leaves if isinstance(leaf, Grant))
    stops = Counter(leaf.slot for leaf in history.leaves if isinstance(leaf, Revocation))
    reads = Counter(leaf.tag for leaf in history.leaves if isinstance(leaf, Read))
    for account in accounts:
        for grant in account.grants:
            leaf, lock = history.leaves[grant.index], b64u_decode(grant.terms.lock)
            assert isinstance(leaf, Grant)
            assert (leaf.slot, leaf.lock, grants[lock]) == (grant.slot, lock, 1)
        for grant, index in account.revocations:
            leaf = history.leaves[index]
            assert leaf == Revocation(grant.index, grant.slot, revocation_secret(grant.code, 1))
            assert stops[grant.slot] == 1
        ended = {grant.slot: index for grant, index in account.revocations}
        for told in account.reads:
            tag = event_tag(b64u_decode(told.read.grant.terms.tag_key), LeafType.READ, told.n)
            leaf = history.leaves[told.index]
            assert isinstance(leaf, Read)
            assert (leaf.tag, reads[tag]) == (tag, 1)
            assert told.index < ended.get(told.read.grant.slot, len(history.leaves))


def check_numbers(history: History, accounts: list[Account]) -> None:
    """Each grant's acknowledged READs have numbers of their own, and below the highest none is missing."""
    tags = Counter(leaf.tag for leaf in history.leaves if isinstance(leaf, Read))
    for account in accounts:
        told: dict[str, list[int]] = {}
        for one in account.reads:
            told.setdefault(one.read.grant.terms.tag_key, []).append(one.n)
        for tag_key, numbers in told.items():
            assert len(set(numbers)) == len(numbers)
            for n in range(max(numbers) + 1):
                assert tags[event_tag(b64u_decode(tag_key), LeafType.READ, n)] == 1


def check_receipts(history: History, accounts: list[Account]) -> None:
    """Every checkpoint that a client holds is of this history, and covers its entry."""
    for account in accounts:
        for told in account.reads:
            seen = parse_checkpoint_body(told.checkpoint.partition("\n\n")[0] + "\n")
            assert (seen.origin, seen.root) == (ORIGIN, history.roots[seen.size])
            assert told.index < seen.size


def witnessed(town: Town) -> list[tuple[int, bytes]]:
    """Size and root that each witness keeps as cosigned last."""
    found = []
    for name in ("witness", "cosigner"):
        for path in sorted(town.at(name).glob("*.db")):
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
                if "witness_states" in tables:
                    query = "SELECT size, root FROM witness_states WHERE origin = ?"
                    found += database.execute(query, (ORIGIN,)).fetchall()
    return found
