"""Every file of a town, searched for the values of its residents, in common encodings.

A file is cut into all its pieces of four bytes once; what no piece begins is not looked for any further. So the
search takes as long as the files are large, however many residents there are.
"""

import base64
import json
import re
import sys
import urllib.parse
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

MIN_CHARS = 5
"""Shorter values stand in random bytes by chance."""
PUBLIC_WORDS = ("voorbeeldstad", "nederland", "adres", "datum", "woonadres", "vrouw", "onbekend")
"""What the town's organisations and the formats themselves say."""
REGISTER = "issuer.db"
"""The base register itself, which holds persons by right."""
_PIECE = 4
_ZEROS = re.compile(rb"\0{64,}")


def values(node: Any) -> Iterator[str]:
    """All texts and numbers of a person."""
    if isinstance(node, dict):
        for member in node.values():
            yield from values(member)
    elif isinstance(node, list):
        for member in node:
            yield from values(member)
    elif isinstance(node, str | int) and not isinstance(node, bool):
        yield str(node)


def secrets_of(person: dict[str, Any]) -> set[str]:
    """What is searched of a person."""
    found = {value for value in values(person) if len(value) >= MIN_CHARS}
    return {value for value in found if value.lower() not in PUBLIC_WORDS}


def encodings(value: str) -> Iterator[bytes]:
    """Plain, UTF-16, escaped, percent-encoded, hexadecimal and base64 at each of its three alignments."""
    plain = value.encode()
    yield from {plain, value.encode("utf-16-le"), json.dumps(value)[1:-1].encode()}
    yield from {urllib.parse.quote(value).encode(), plain.hex().encode()}
    for offset in range(3):
        padded = base64.b64encode(bytes(offset) + plain)
        start = (offset * 8 + 5) // 6
        whole = (offset + len(plain)) // 3 * 4
        if whole - start >= 6:
            piece = padded[start:whole]
            yield from {piece, piece.replace(b"+", b"-").replace(b"/", b"_")}


class Wanted:
    """All encodings of all values of some persons."""

    def __init__(self, persons: Iterable[dict[str, Any]]) -> None:
        self.codes = {code for person in persons for value in secrets_of(person) for code in encodings(value)}
        self._by_piece: defaultdict[int, list[bytes]] = defaultdict(list)
        for code in self.codes:
            self._by_piece[int.from_bytes(code[:_PIECE], sys.byteorder)].append(code)

    def found_in(self, data: bytes) -> set[bytes]:
        """Those that stand in `data`."""
        data = _ZEROS.sub(bytes(64), data)  # of disk space that is only kept free
        pieces: set[int] = set()
        for start in range(_PIECE):
            end = start + max(0, len(data) - start) // _PIECE * _PIECE
            pieces.update(memoryview(data[start:end]).cast("I"))
        likely = self._by_piece.keys() & pieces
        return {code for piece in likely for code in self._by_piece[piece] if code in data}


def files(home: Path) -> list[Path]:
    """Everything below `home` but the register."""
    found = [path for path in home.rglob("*") if path.is_file()]
    return [path for path in found if not path.name.startswith(REGISTER)]


def contents(path: Path) -> bytes:
    """What stands in a file; nothing if it has gone since it was listed, as journals of running programs do."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def traces(home: Path, persons: Iterable[dict[str, Any]]) -> list[tuple[str, bytes]]:
    """(file, what stands in it) for every value of `persons` that is found below `home`."""
    wanted = Wanted(persons)
    found = ((str(path.relative_to(home)), wanted.found_in(contents(path))) for path in files(home))
    return [(name, code) for name, codes in found for code in sorted(codes)]
