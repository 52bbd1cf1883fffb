"""Templates of the faces, compiled once: every app has an environment of its own, which would compile them anew.

Half of what a test of a page takes is Jinja reading the same dozen templates. What it has made of one is kept in
this process, with the digest of the source and the names that the environment gives it.
"""

from types import CodeType
from typing import Any

from jinja2 import Environment
from jinja2.bccache import Bucket, BytecodeCache

_init = Environment.__init__


class _Kept(BytecodeCache):
    """Code by template, source and what the environment knows."""

    def __init__(self) -> None:
        self._codes: dict[tuple[Any, ...], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get(_name(bucket))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[_name(bucket)] = bucket.code


def _name(bucket: Bucket) -> tuple[Any, ...]:
    known = bucket.environment
    given = (*known.filters, "-", *known.tests, "-", *known.extensions)
    return bucket.key, bucket.checksum, given, known.trim_blocks, known.lstrip_blocks


_kept = _Kept()


def install() -> None:
    """For this process."""
    Environment.__init__ = _made  # type: ignore[method-assign]


def _made(environment: Environment, *words: Any, **options: Any) -> None:
    options.setdefault("bytecode_cache", _kept)
    _init(environment, *words, **options)
