"""Selective disclosure (RFC 9901): disclosures, their digests, and the processed payload.

A disclosure is base64url(JSON array); its digest is SHA-256 over that ASCII text, not over the JSON.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from protocol.canonical import JsonValue, b64u_encode, canonical_bytes, parse_b64u_json
from protocol.errors import Rejected

SALT_BYTES = 16
"""128 bits (RFC 9901 section 9.3)."""
MAX_DISCLOSURES = 128
"""A PID with every nested element takes about 60."""
MAX_DISCLOSURE_BYTES = 96 * 1024
"""JSON of one disclosure: the portrait of a PID takes up to 64 KiB in base64. Ours are `attributes.LARGE`."""
MAX_DEPTH = 16
"""Nesting of the processed payload, through disclosures within disclosures."""
SD_ALG = "sha-256"
FORBIDDEN_NAMES = frozenset(
    {"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status", "aud", "_sd_alg"}
)
"""Claims that a holder could hide to make a credential look valid (RFC 9901 9.7, SD-JWT VC 3.2.2.2)."""
_RESERVED_NAMES = ("_sd", "...")
_CONTAINERS = (dict, list)


class Disclosure(msgspec.Struct, frozen=True):
    """One disclosure; `name` is None for an array element, `digest` the 32 bytes that stand in the payload."""

    encoded: str
    digest: bytes
    name: str | None
    value: Any
    salt: str


def digest_of(encoded: str) -> bytes:
    """SHA-256 over the base64url text of a disclosure (RFC 9901 section 4.2.3): 32 bytes."""
    return hashlib.sha256(encoded.encode("ascii")).digest()


def make_disclosure(name: str, value: JsonValue, salt: bytes) -> Disclosure:
    """A disclosure for an object member; `salt` is 16 fresh random bytes.

    Raises `ValueError` for a name that must never be disclosed selectively, or a salt of another length.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError("a salt is 16 bytes")
    if name in _RESERVED_NAMES or name in FORBIDDEN_NAMES:
        raise ValueError("this claim is never disclosed selectively")
    text = b64u_encode(salt)
    encoded = b64u_encode(canonical_bytes([text, name, value]))
    return Disclosure(encoded, digest_of(encoded), name, value, text)


def parse_disclosure(encoded: str, *, floats: bool = False) -> Disclosure:
    """A disclosure from the wire: [salt, name, value] or [salt, value] (RFC 9901 sections 4.2.1, 4.2.2).

    `floats` admits fractions, for types that are not of our vocabulary.
    Raises `Rejected`: `bad_disclosure` and those of parsing.
    """
    parts = parse_b64u_json(encoded, max_bytes=MAX_DISCLOSURE_BYTES, floats=floats)
    number = len(parts) if isinstance(parts, list) else 0
    if number not in (2, 3):
        raise Rejected("bad_disclosure", "a disclosure is an array of two or three elements")
    salt, value = parts[0], parts[-1]
    name = parts[1] if number == 3 else None
    if not isinstance(salt, str) or (number == 3 and not isinstance(name, str)):
        raise Rejected("bad_disclosure", "salt and name of a disclosure are texts")
    if name in _RESERVED_NAMES:
        raise Rejected("bad_disclosure", "a disclosure may not be named _sd or ...")
    return Disclosure(encoded, digest_of(encoded), name, value, salt)


class _Unpacking:
    """One run of RFC 9901 section 7.1 step 3; the sets hold base64url digests, as they stand in the payload."""

    def __init__(self, disclosures: Sequence[str], *, floats: bool, is_flat: bool) -> None:
        self.is_flat = is_flat
        parsed = [parse_disclosure(encoded, floats=floats) for encoded in disclosures]
        self.by_digest = {b64u_encode(disclosure.digest): disclosure for disclosure in parsed}
        if len(self.by_digest) != len(disclosures):
            raise Rejected("digest_twice", "one disclosure was sent twice")
        self.seen: set[str] = set()
        self.used: set[str] = set()
        self.top_level: tuple[Disclosure, ...] = ()

    def _take(self, digests: Sequence[Any]) -> list[Disclosure]:
        """The disclosures that these digests stand for; decoys and what was withheld give none (step 3.3.1)."""
        if set(map(type, digests)) - {str}:
            raise Rejected("bad_digest", "a digest is a text")
        fresh = set(digests)
        if len(fresh) != len(digests) or not fresh.isdisjoint(self.seen):
            raise Rejected("digest_twice", "a digest occurs twice")
        self.seen |= fresh
        found = [digest for digest in digests if digest in self.by_digest]
        self.used.update(found)
        return [self.by_digest[digest] for digest in found]

    def value(self, value: Any, depth: int) -> Any:
        """A payload value with what was disclosed in place, and nothing that was not."""
        if not isinstance(value, _CONTAINERS):
            return value
        if depth > MAX_DEPTH:
            raise Rejected("too_deep", f"disclosures are nested deeper than {MAX_DEPTH}")
        return self._object(value, depth) if isinstance(value, dict) else self._array(value, depth)

    def _object(self, node: Mapping[str, Any], depth: int) -> dict[str, Any]:
        if "..." in node:
            raise Rejected("bad_digest", "... stands alone in an array element only")
        if depth == 1 and self.is_flat:
            out = dict(node)
            out.pop("_sd", None)
        else:
            out = {name: self._member(name, value, depth) for name, value in node.items() if name != "_sd"}
        if "_sd" not in node:
            return out
        if not isinstance(node["_sd"], list):
            raise Rejected("bad_digest", "_sd is an array")
        found = self._take(node["_sd"])
        if depth == 1:
            self.top_level = tuple(found)
        for disclosure in found:
            name, value = disclosure.name, disclosure.value
            if name is None:
                raise Rejected("bad_disclosure", "the disclosure of an array element stands for an object member")
            if depth == 1 and name in FORBIDDEN_NAMES:
                raise Rejected("forbidden_disclosure", "a claim that must be visible was made disclosable")
            if name in out:
                raise Rejected("claim_overwritten", "a disclosure names a claim that is there already")
            out[name] = self.value(value, depth + 1) if isinstance(value, _CONTAINERS) else value
        return out

    def _member(self, name: str, value: Any, depth: int) -> Any:
        """A visible member; in those that must be visible nothing is disclosed either (SD-JWT VC 2.2.2.3)."""
        used = len(self.used)
        shown = self.value(value, depth + 1)
        if depth == 1 and name in FORBIDDEN_NAMES and len(self.used) != used:
            raise Rejected("forbidden_disclosure", "a part of a claim that must be visible was made disclosable")
        return shown

    def _array(self, node: Sequence[Any], depth: int) -> list[Any]:
        out = []
        for element in node:
            if not isinstance(element, dict) or "..." not in element:
                out.append(self.value(element, depth + 1))
                continue
            if len(element) != 1:
                raise Rejected("bad_digest", "... stands alone in an array element only")
            for disclosure in self._take([element["..."]]):
                if disclosure.name is not None:
                    raise Rejected("bad_disclosure", "the disclosure of an object member stands in an array")
                out.append(self.value(disclosure.value, depth + 1))
        return out


def is_flat(payload_json: bytes, payload: Mapping[str, Any]) -> bool:
    """Whether a payload, given as text and as value, holds digests at its top level only."""
    sd_is_on_top = payload_json.count(b'"_sd"') == ("_sd" in payload)
    return sd_is_on_top and b'"..."' not in payload_json and b"\\" not in payload_json


class Processed(msgspec.Struct, frozen=True):
    """A payload after disclosure, and the disclosures that its own `_sd` refers to (not those nested deeper)."""

    payload: Mapping[str, Any]
    top_level: tuple[Disclosure, ...]


def process(
    payload: Mapping[str, Any], disclosures: Sequence[str], *, floats: bool = False, is_flat: bool = False
) -> Processed:
    """RFC 9901 section 7.1 from step 2.3 on: what an ordinary JWT would have said.

    1. number of disclosures; 2. `_sd_alg` absent or sha-256 (step 2.3); 3. disclosures parse, digests are replaced
    or removed, recursively (step 3); 4. no digest occurs twice (step 4); 5. every disclosure was referenced
    (step 5). `_sd_alg` and all `_sd` are gone afterwards; the argument is not changed. `floats` as in
    `parse_disclosure`; `is_flat`: the caller knows that no digest stands below the top level (see `is_flat`).
    **Not** checked: the signature, dates and types of claims.
    Raises `Rejected`: `too_many_disclosures`, `bad_sd_alg`, `bad_disclosure`, `bad_digest`, `digest_twice`,
    `claim_overwritten`, `forbidden_disclosure`, `unreferenced_disclosure`, `too_deep` and those of parsing.
    """
    if len(disclosures) > MAX_DISCLOSURES:  # 1
        raise Rejected("too_many_disclosures", f"at most {MAX_DISCLOSURES} disclosures are read")
    if payload.get("_sd_alg", SD_ALG) != SD_ALG:  # 2
        raise Rejected("bad_sd_alg", "only sha-256 digests are accepted")
    run = _Unpacking(disclosures, floats=floats, is_flat=is_flat)
    processed = run.value(payload, 1)  # 3, 4
    if len(run.used) != len(run.by_digest):  # 5
        raise Rejected("unreferenced_disclosure", "a disclosure belongs to no digest of the credential")
    processed.pop("_sd_alg", None)
    return Processed(processed, run.top_level)


class _Revealing:
    """What has to be revealed for some paths; `needed` holds encoded disclosures."""

    def __init__(self, disclosures: Sequence[str]) -> None:
        parsed = [parse_disclosure(encoded, floats=True) for encoded in disclosures]
        self.by_digest = {b64u_encode(disclosure.digest): disclosure for disclosure in parsed}
        self.needed: set[str] = set()

    def follow(self, value: Any, path: Sequence[str | int | None]) -> bool:
        """Reveal what `path` selects below `value`, whole, and what leads there. Whether it selects anything."""
        if not path:
            self._reveal_all(value)
            return True
        found = [
            disclosure for child, disclosure in self._children(value, path[0]) if self.follow(child, path[1:])
        ]
        self.needed.update(disclosure.encoded for disclosure in found if disclosure is not None)
        return bool(found)

    def _reveal_all(self, value: Any) -> None:
        """ "The claim with its sub-claims as the value is selected" (OpenID4VP 7.3)."""
        if not isinstance(value, _CONTAINERS):
            return
        for child, disclosure in self._members(value) if isinstance(value, dict) else self._elements(value):
            if disclosure is not None:
                self.needed.add(disclosure.encoded)
            self._reveal_all(child)

    def _children(self, value: Any, element: str | int | None) -> list[tuple[Any, Disclosure | None]]:
        if isinstance(element, str):
            return self._members(value, element) if isinstance(value, dict) else []
        if not isinstance(value, list):
            return []
        elements = self._elements(value)
        return elements if element is None else elements[element : element + 1]

    def _members(self, value: Mapping[str, Any], name: str | None = None) -> list[tuple[Any, Disclosure | None]]:
        """All members or the one of this name, each with its disclosure if it has one of its own."""
        visible = [(child, None) for key, child in value.items() if key != "_sd" and name in (None, key)]
        hidden = [self.by_digest[digest] for digest in value.get("_sd", ()) if digest in self.by_digest]
        return [*visible, *((one.value, one) for one in hidden if name in (None, one.name))]

    def _elements(self, value: Sequence[Any]) -> list[tuple[Any, Disclosure | None]]:
        out: list[tuple[Any, Disclosure | None]] = []
        for element in value:
            if not isinstance(element, dict) or "..." not in element:
                out.append((element, None))
            elif element["..."] in self.by_digest:
                disclosure = self.by_digest[element["..."]]
                out.append((disclosure.value, disclosure))
        return out


def disclosures_for(
    payload: Mapping[str, Any], disclosures: Sequence[str], paths: Iterable[Sequence[str | int | None]]
) -> tuple[str, ...]:
    """Which of `disclosures` a holder reveals so that exactly `paths` can be read (OpenID4VP section 7).

    Parents of a nested claim go along, and what lies within a selected claim. In the order given. The payload and
    its disclosures MUST have been processed before, when they were received: nothing is checked here.
    Raises `Rejected`: `not_satisfiable` when a path selects nothing.
    """
    run = _Revealing(disclosures)
    for path in paths:
        if not run.follow(payload, path):
            raise Rejected("not_satisfiable", "the request cannot be answered")
    return tuple(encoded for encoded in disclosures if encoded in run.needed)


def unpack(payload: Mapping[str, Any], disclosures: Sequence[str]) -> dict[str, Any]:
    """The payload that `process` makes of these disclosures. Raises `Rejected` as `process` does."""
    return dict(process(payload, disclosures).payload)
