"""The account of who read, sealed entry by entry: what one says, and how they hang together. Pure.

The log knows a salted hash of each officer (protocol section 8); the agency has to be able to say who it was (BIO
12.4, GDPR article 5 paragraph 2). Names that everybody at the desk can leaf through are a list of who works on
whom, so each entry is sealed to a key of which no one person holds the private half (`account_key`).

    head 0 = H(`regie/account/v1` || public key)
    head n = H(`regie/account/v1` || head n - 1 || u64 n || u64 at || kind || 0 || act || 0 || body)

Whoever takes an entry out, or puts one in between, changes every head after it.
"""

import base64
import hmac
import re
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import msgspec

from protocol.canonical import b64u_decode, canonical_bytes, parse_struct, sha256
from protocol.errors import Rejected
from protocol.reading import parse_read
from protocol.seal import KemPrivate, hpke_open, hpke_seal, pad, unpad
from protocol.terms import salted_hash

Kind: TypeAlias = Literal["begun", "read", "copy", "known", "opened", "refused"]
"""`begun`: the account; `read`: under a grant; `copy`: shared once; `known`: an officer of before it began;
`opened`: two people looked; `refused`: a passphrase of two people was wrong. Those that are not in `SEALED` are
readable by all."""
SEALED: frozenset[Kind] = frozenset({"read", "copy", "known"})
OpeningReason: TypeAlias = Literal["complaint", "alarm", "asked_by_resident", "audit", "incident"]
OPENING_REASONS: tuple[OpeningReason, ...] = get_args(OpeningReason)
"""Why two people look; a closed list, so that nobody writes about a person here."""
MAX_REFUSALS, REFUSAL_SECONDS = 5, 15 * 60
"""So many wrong passphrases in so long, and nobody opens the account until the first of them is as old."""
BLOCK = 1024
"""Sealed entries are padded to blocks of so many bytes: their length tells no name."""
_CONTEXT = b"regie/account/v1"
_PSEUDONYM_CHARACTERS = 8
_PSEUDONYM = re.compile(rf"o-[a-z2-7]{{{_PSEUDONYM_CHARACTERS}}}")


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reading in clear. `salt`: b64u, of the READ's hash of the officer; empty where there is no READ."""

    officer: str
    case: str
    salt: str = ""


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two people looked, or tried to, at entries of `since` up to but not at `until`, POSIX seconds."""

    persons: list[str]
    reason: OpeningReason
    since: int
    until: int


def check_attempts(refused: Sequence[int], now: int) -> None:
    """Who guesses is stopped before a guess is tried. `refused`: POSIX seconds of each wrong passphrase.

    Raises `Rejected`: `too_many_attempts` 429.
    """
    if sum(at > now - REFUSAL_SECONDS for at in refused) >= MAX_REFUSALS:
        raise Rejected(
            "too_many_attempts", "passphrases were wrong too often: wait a quarter of an hour", status=429
        )


def pseudonym(key: bytes, officer: str) -> str:
    """What stands for an officer on screens and in rules: the same for the same one, and no name."""
    digest = hmac.digest(key, b"regie/officer/v1" + officer.encode(), "sha256")
    return "o-" + base64.b32encode(digest).decode().lower()[:_PSEUDONYM_CHARACTERS]


def is_pseudonym(text: str) -> bool:
    """Whether this is what `pseudonym` makes, and so nobody's name any more."""
    return _PSEUDONYM.fullmatch(text) is not None


def first_head(public: bytes) -> bytes:
    """What the chain of an account under this key hangs on."""
    return sha256(_CONTEXT, public)


def next_head(head: bytes, n: int, at: int, kind: str, act: str, body: bytes) -> bytes:
    """The head after entry `n`."""
    numbers = n.to_bytes(8, "big") + at.to_bytes(8, "big")
    return sha256(_CONTEXT, head + numbers + kind.encode() + b"\0" + act.encode() + b"\0" + body)


def seal_act(public: bytes, n: int, act: Act) -> bytes:
    """The body of entry `n`, for the key of the account only. Raises `Rejected`: `bad_key`."""
    plain = canonical_bytes(act)
    return hpke_seal(public, pad(plain, BLOCK * (len(plain) // BLOCK + 1)), _info(n))


def open_act(private: KemPrivate, n: int, body: bytes) -> Act:
    """What entry `n` says. Raises `Rejected`: `unsealable` for another key, or an entry moved to another place."""
    return parse_struct(unpad(hpke_open(private, body, _info(n))), Act, max_bytes=64 * BLOCK)


def _info(n: int) -> bytes:
    return _CONTEXT + n.to_bytes(8, "big")


def is_of(act: Act, token: str) -> bool:
    """Whether the READ `token` (compact JWS, in the log) names this very officer."""
    try:
        return bool(act.salt) and parse_read(token).read.officer == salted_hash(b64u_decode(act.salt), act.officer)
    except Rejected:
        return False
