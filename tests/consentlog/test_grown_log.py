"""A log that a measurement has grown by rows is the log that its leaves say, and starts as any other."""

from pathlib import Path

from sqlalchemy import select

from bench.grown import BATCH, Filler, bytes_on_disk, sizes_up_to
from bench.replay import bare_root, history
from consentlog import queries
from consentlog.tables import create_tables, grants
from consentlog.tree import Tree
from protocol.leaf import Head, parse_leaf
from protocol.replay import Replay
from service.database import engine_for, snapshot, sqlite_url


def test_a_grown_log_restores_to_the_root_of_its_leaves(tmp_path: Path) -> None:
    path, size = tmp_path / "log.db", BATCH // 8 + 77
    engine = engine_for(sqlite_url(path))
    create_tables(engine)
    engine.dispose()
    Filler(path, read_opening_bytes=10).fill(size)
    engine = engine_for(sqlite_url(path))
    leaves = queries.leaves_between(engine, 0, size)
    assert leaves == list(history(size))
    stored, status = queries.load_tree(engine), queries.load_status(engine)
    tree = Tree(lambda level, n: queries.load_tile(engine, level, n))
    tree.restore(stored.size, stored.edges)
    assert (tree.size, tree.root(size)) == (size, bare_root(leaves))
    assert tree.node(0, 0) == tree.tile(0, 0, 1)
    head = parse_leaf(leaves[-1])
    assert head == Head(size - 1, status.slots, status.root())
    replay = Replay()
    replay.apply_all(leaves)
    with snapshot(engine) as connection:
        stored_locks = connection.execute(
            select(grants.c.lock, grants.c.revoked_idx).order_by(grants.c.slot)
        ).all()
    assert [(row.lock, row.revoked_idx is not None) for row in stored_locks] == [
        (row.lock, row.revoked) for row in replay.rows()
    ]
    assert bytes_on_disk(path) > size * 100
    engine.dispose()


def test_sizes_go_up_by_tens() -> None:
    assert list(sizes_up_to(100_000)) == [1000, 10_000, 100_000]
    assert list(sizes_up_to(99_999)) == [1000, 10_000]
