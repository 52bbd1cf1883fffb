"""Quick, seeded ways to spoil a good input: text, bytes, or a JSON value, which keeps its shape elsewhere.

`mutations` has the hypothesis strategies. This is for volume: about 20 microseconds each, so that every parser can
be given hundreds. `CANARY` goes into many of them; no error may repeat it.
"""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

CANARY = "kanarie7f3a"
CANARY_NUMBER = 4242424242424242
"""Also a value that no error may repeat."""
_ASCII = 'AZaz09-_~.=+/ \n\t"{}[]:,\\\0'
_CHARACTERS = [*_ASCII, "é", "\u2014", "\u202e", "\ud800", "\udfff", "\U0001f600", CANARY]


def nested(depth: int, *, as_object: bool = False) -> Any:
    """Lists or objects within each other."""
    value: Any = CANARY
    for _ in range(depth):
        value = {"a": value} if as_object else [value]
    return value


def _odd_values() -> list[Any]:
    numbers = [0, -1, 1, 255, 2**31, 2**53 - 1, 2**53, -(2**63), 2**64, 10**40, 10**4000, CANARY_NUMBER]
    floats = [0.5, 1.0, -0.0, 1e308, float("inf"), float("nan")]
    texts = ["", CANARY, "\0", "é", "\ud800", CANARY + "\udfff", "A" * 22, "A" * 43, "é" * 300, CANARY * 7000]
    others = [None, True, False, [], {}, [CANARY], {CANARY: CANARY}, [[]], [None] * 300, dict.fromkeys("abc", 1)]
    return [*numbers, *floats, *texts, *others, nested(14), nested(15), nested(16), nested(60, as_object=True)]


_ODD = _odd_values()


def _odd(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(_ODD))


def spoil_text(chance: random.Random, good: str) -> str:
    """Characters replaced, removed, put in or doubled; the whole cut off, doubled or replaced."""
    text = good
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.choice((0, 1, 1, 2, 16)))
        match chance.randrange(8):
            case 0:
                text = text[:start]
            case 1:
                text = text[start:]
            case 2:
                text = text[:start] + text[start:end] * chance.choice((2, 50)) + text[end:]
            case 3:
                text = text[:start] + text[end:]
            case 4:
                text += text
            case 5 if text:
                flipped = chr((ord(text[start - 1]) ^ 1 << chance.randrange(8)) % 0x110000)
                text = text[:start] + flipped + text[end:]
            case _:
                added = "".join(chance.choices(_CHARACTERS, k=chance.choice((1, 1, 3))))
                text = text[:start] + added + text[end:]
    return text


def spoil_bytes(chance: random.Random, good: bytes) -> bytes:
    """Bits flipped, bytes set, cut out, doubled or put in; the whole cut off."""
    data = bytearray(good)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        place = chance.randint(0, max(0, len(data) - 1))
        length = chance.choice((1, 1, 2, 32))
        match chance.randrange(8):
            case 0:
                del data[place:]
            case 1:
                del data[place : place + length]
            case 2:
                data[place:place] = data[place : place + length]
            case 3:
                data[place:place] = chance.choice((CANARY.encode(), bytes(length), b"\xff", b"\xed\xa0\x80"))
            case 4:
                data[place : place + length] = chance.randbytes(length)
            case _ if data:
                data[place] ^= 1 << chance.randrange(8)
    return bytes(data)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key or index) in a JSON value."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def _spoil_at(chance: random.Random, root: Any, container: Any, key: Any) -> None:
    """One change at one place of a JSON value."""
    value = container[key]
    match chance.randrange(10):
        case 0:
            del container[key]
        case 1 if isinstance(container, dict):
            container[chance.choice((CANARY, "", "_sd", "...", "é", "\ud800", key + "x"))] = container.pop(key)
        case 1 | 2 if isinstance(container, list):
            container[key : key + 1] = [copy.deepcopy(value) for _ in range(chance.choice((0, 2, 2, 70)))]
        case 2:
            container[chance.choice((CANARY, "", "_sd", "jwk", "\0"))] = _odd(chance)
        case 3:
            container[key] = copy.deepcopy(chance.choice([other[at] for other, at in places(root)]))
        case 4:
            container[key] = chance.choice(([value], {"a": value}, str(value), [value, value]))
        case 5 | 6 if isinstance(value, str):
            container[key] = spoil_text(chance, value)
        case 5 | 6 if isinstance(value, int):
            near = (value + 1, value - 1, -value, value * 10**6)
            container[key] = chance.choice((*near, float(value % 2**60), bool(value)))
        case _:
            container[key] = _odd(chance)


def spoil_json(chance: random.Random, good: Any, *, keep_root: bool = False) -> Any:
    """A JSON value with one to three places changed; unless `keep_root`, sometimes something else altogether."""
    value = copy.deepcopy(good)
    if not keep_root and chance.random() < 0.05:
        return _odd(chance)
    for _ in range(chance.choice((1, 1, 1, 1, 2, 3))):
        found = list(places(value))
        if found:
            _spoil_at(chance, value, *chance.choice(found))
    return value


def spoil(chance: random.Random, good: Any, *, keep_root: bool = False) -> Any:
    """By what `good` is: text, bytes, or a JSON value."""
    if isinstance(good, str):
        return spoil_text(chance, good)
    if isinstance(good, bytes):
        return spoil_bytes(chance, good)
    return spoil_json(chance, good, keep_root=keep_root)


def _write(value: Any) -> str:
    """JSON of anything that `spoil_json` makes, integers without limit and lone surrogates (escaped) too."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**4000:
        return "9" * 5000
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_write(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_write, value)) + "]"
    return json.dumps(value)


def dump(value: Any) -> bytes:
    """A JSON text."""
    return _write(value).encode("ascii")
