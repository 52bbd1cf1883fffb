"""What any tool may fetch: tiles of every published size, as tlog-tiles has them, and Token Status Lists."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consentlog.status_lists import LIFETIME, SLOTS_PER_LIST, TTL
from protocol.checkpoint import verify_checkpoint
from protocol.errors import Rejected
from protocol.log_keys import log_keys
from protocol.merkle import leaf_hash, node_hash, root
from protocol.note import parse_vkey
from protocol.status_list import INVALID, VALID, StatusList, verify_status_token
from protocol.status_tree import SLOTS_PER_CHUNK, is_bit_set
from protocol.tiles import TILE_WIDTH, entries_path, parse_entries, parse_tile, tile_path, tile_width
from protocol.x509 import parse_der_base64
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.protocol.builders import LOG_URL, NOW

FOR_EVER = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallTown, list[str]]]:
    """A log with more than one tile, and every checkpoint that it published."""
    with SmallTown(tmp_path_factory.mktemp("town")).running() as town:
        notes = []
        with ThreadPoolExecutor(12) as hands:
            while town.node is not None and town.node.tree.size <= TILE_WIDTH:
                for done in [hands.submit(town.grant) for _ in range(12)]:
                    done.result()
                    notes.append(town.send("GET", "/checkpoint").text)
        yield town, list(dict.fromkeys(notes))


def test_tiles_of_every_published_size_are_served_for_ever(grown: tuple[SmallTown, list[str]]) -> None:
    """Partial ones too, also after the tile is full; each checkpoint is recomputed from its tiles."""
    town, notes = grown
    keys = log_keys(town.entry)
    for note in notes:
        checkpoint = verify_checkpoint(note, keys)
        leaves: list[bytes] = []
        for n in range(-(-checkpoint.size // TILE_WIDTH)):
            width = tile_width(0, n, checkpoint.size)
            bundle, tile = (
                town.send("GET", f"/{entries_path(n, width)}"),
                town.send("GET", f"/{tile_path(0, n, width)}"),
            )
            for answer in (bundle, tile):
                assert answer.status_code == 200
                assert answer.content_type == "application/octet-stream"
                assert answer.headers["Cache-Control"] == FOR_EVER
            entries = parse_entries(bundle.data, width)
            assert [leaf_hash(entry) for entry in entries] == parse_tile(tile.data, width)
            leaves += parse_tile(tile.data, width)
        assert _root_of(leaves) == checkpoint.root
    size = verify_checkpoint(notes[-1], keys).size
    upper = town.send("GET", f"/{tile_path(1, 0, tile_width(1, 0, size))}")
    assert parse_tile(upper.data, 1) == [_root_of(leaves[:TILE_WIDTH])]


def _root_of(hashes: list[bytes]) -> bytes:
    levels = {(0, n): value for n, value in enumerate(hashes)}
    level, row = 0, hashes
    while len(row) > 1:
        row = [node_hash(row[n], row[n + 1]) for n in range(0, len(row) - 1, 2)]
        level += 1
        levels |= {(level, n): value for n, value in enumerate(row)}
    return root(len(hashes), lambda level, index: levels[level, index])


def test_head_says_what_get_says_without_the_body(grown: tuple[SmallTown, list[str]]) -> None:
    town, _ = grown
    for path in ("/checkpoint", "/tile/0/000", "/tile/entries/000", "/tile/0/000.p/7"):
        got, head = town.send("GET", path), town.send("HEAD", path)
        assert (head.status_code, head.data) == (200, b"")
        for name in ("Content-Type", "Content-Length", "Cache-Control"):
            assert head.headers[name] == got.headers[name]
    assert town.send("HEAD", "/tile/0/009").status_code == 404
    assert town.send("POST", "/tile/0/000").status_code == 405


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("gzip, identity", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        (None, False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
    ],
)
def test_entry_bundles_are_compressed_for_who_asks(
    grown: tuple[SmallTown, list[str]], accepted: str | None, is_compressed: bool
) -> None:
    town, _ = grown
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    plain = town.send("GET", "/tile/entries/000").data
    answer = town.send("GET", "/tile/entries/000", headers=headers)
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers.get("Content-Encoding") == ("gzip" if is_compressed else None)
    assert (gzip.decompress(answer.data) if is_compressed else answer.data) == plain
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert len(answer.data) < len(plain) or not is_compressed
    assert "Content-Encoding" not in town.send("GET", "/tile/0/000", headers=headers).headers


def test_checkpoint_is_text_that_caches_forget_soon(grown: tuple[SmallTown, list[str]]) -> None:
    answer = grown[0].send("GET", "/checkpoint")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=1"


def test_new_log_signs_with_both_kinds_of_keys(grown: tuple[SmallTown, list[str]]) -> None:
    town, notes = grown
    assert town.entry.pq_vkey is not None
    for vkey in (town.entry.vkey, town.entry.pq_vkey):
        assert verify_checkpoint(notes[-1], parse_vkey(vkey)).size > TILE_WIDTH
    assert verify_checkpoint(notes[-1], log_keys(town.entry)).size > TILE_WIDTH


def test_home_without_the_new_keys_signs_once_as_before(tmp_path: Path) -> None:
    """A home of before: no second key, no certificate for status lists."""
    town = SmallTown(tmp_path)
    town.home.remove("pq-key")
    for file in (town.home.path / "status").iterdir():
        file.unlink()
    town.entry = _as_before(town.entry)
    town.publish_trust(version=2)
    with town.running():
        town.grant()
        note = town.send("GET", "/checkpoint").text
        assert note.count(f"— {town.entry.origin} ") == 1
        assert verify_checkpoint(note, log_keys(town.entry)).size >= 2
        assert code_of(town.send("GET", "/v1/status-lists/0")) == (404, "not_found")


def _as_before(entry: Any) -> Any:
    return msgspec.structs.replace(entry, pq_vkey=None, status_roots=[])


# --- Token Status Lists ---------------------------------------------------------------------------------


def status_list(town: SmallTown, number: int = 0, **changes: Any) -> StatusList:
    answer = town.send("GET", f"/v1/status-lists/{number}")
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/statuslist+jwt"
    options = {
        "uri": f"{LOG_URL}/v1/status-lists/{number}",
        "roots": [parse_der_base64(root) for root in town.entry.status_roots],
        "now": town.clock.now(),
        **changes,
    }
    return verify_status_token(answer.text, **options)


def test_status_list_has_the_same_bits_as_the_chunks(town: SmallTown) -> None:
    given = [town.grant() for _ in range(5)]
    for one in (given[1], given[4]):
        town.revoke(one)
    town.settle()
    found = status_list(town)
    assert (len(found), found.bits) == (SLOTS_PER_LIST, 1)
    chunk = town.node.published.view(0).chunk  # type: ignore[union-attr]
    for slot in range(SLOTS_PER_CHUNK):
        assert found.status(slot) == (INVALID if is_bit_set(chunk, slot) else VALID)
    assert [found.status(one.answer.slot) for one in given] == [0, 1, 0, 0, 1]


def test_status_list_is_as_old_as_the_checkpoint_it_comes_from(town: SmallTown) -> None:
    town.grant()
    found = status_list(town)
    assert (found.iat, found.exp, found.ttl) == (NOW, NOW + LIFETIME, TTL)
    assert town.send("GET", "/v1/status-lists/0").text == town.send("GET", "/v1/status-lists/0").text
    town.advance(61)
    assert status_list(town).iat == NOW + 61


def test_status_list_shows_a_stop_at_the_next_checkpoint(town: SmallTown) -> None:
    given = town.grant()
    assert status_list(town).status(given.answer.slot) == VALID
    town.revoke(given)
    town.settle()
    assert status_list(town).status(given.answer.slot) == INVALID


def test_status_list_of_another_address_time_or_certificate_is_refused(town: SmallTown) -> None:
    town.grant()
    for changes, code in (
        ({"uri": f"{LOG_URL}/v1/status-lists/1"}, "bad_status_list"),
        ({"now": NOW + LIFETIME}, "expired_status_list"),
        ({"minimum_iat": NOW + 1}, "status_rollback"),
    ):
        with pytest.raises(Rejected) as refusal:
            status_list(town, **changes)
        assert refusal.value.code == code
    with pytest.raises(Rejected):
        status_list(town, roots=[parse_der_base64(SmallTown(town.folder / "other").entry.status_roots[0])])


def test_status_lists_beyond_the_last_grant_are_not_found(town: SmallTown) -> None:
    for number in ("1", "999999", str(2**40), "x", "-1"):
        assert town.send("GET", f"/v1/status-lists/{number}").status_code == 404
