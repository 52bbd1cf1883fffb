"""The code that ends a grant: wallet seed, revocation secrets, view key and the paper form (**ours**).

A grant has one 16-byte code. From it come r_v (who shows it revokes version v), the lock H(r_v) that stands in the
grant leaf, and the bearer that opens the grant's events. On paper the code is 39 decimal digits and a check digit.

All codes of a wallet come from its 16-byte *stop seed*, which comes from the wallet seed: one paper with it,
printed before anything was given, stops everything that is ever given. It leads to no other key: HKDF is one-way.
On paper it has five check digits, for nobody can tell a mistyped one from that of a wallet that gave nothing.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias, TypeVar
from urllib.parse import quote, unquote, urlsplit

from protocol.canonical import hkdf_sha256, sha256
from protocol.errors import Rejected
from protocol.leaf import lock_of

CODE_BYTES = 16
CODE_DIGITS = 39
"""2^128 - 1 has 39 decimal digits; one check digit follows."""
MAX_CODE_CHARS = 4 * CODE_DIGITS
"""Typed text: every digit with a few separators around it."""
MAX_QR_CHARS = 2048
PAPER_QR_PREFIX = "regie:revoke?log="
STOP_DIGITS = 44
"""Of a stop paper: 39 and five check digits. Four more than a code, so that neither is taken for the other."""
STOP_QR_PREFIX = "regie:stop?code="
LOOK_AHEAD = 64
"""Codes in a row that nobody knows, after which there are no more: so many are not used between two backups."""
AWAY_MISSES = 4
"""Codes that are still tried at a log that is away and whose cosigners know none: each may take a timeout."""
Met: TypeAlias = Literal["taken", "unknown", "away"]
"""What became of one code at one log: somebody took it, all who could know it do not, or nobody could tell."""
Log = TypeVar("Log")


def stop_seed_of(seed: bytes) -> bytes:
    """What a wallet's codes come from and its stop paper holds: HKDF(wallet seed, `regie/stop/v1`)[:16]."""
    return hkdf_sha256(seed, b"regie/stop/v1", length=CODE_BYTES)


def code_from_seed(seed: bytes, i: int) -> bytes:
    """Code number i: HKDF(seed, `regie/code/v1` || u32 i)[:16]. `seed`: a wallet's stop seed, a mandate's seed, or
    the wallet seed itself in wallets made before there were stop papers.
    """
    return hkdf_sha256(seed, b"regie/code/v1" + i.to_bytes(4, "big"), length=CODE_BYTES)


def revocation_secret(code: bytes, version: int) -> bytes:
    """r_v, 32 bytes: who shows it revokes version `version` (from 1) of the grant."""
    if len(code) != CODE_BYTES or version < 1:
        raise ValueError("a code is 16 bytes and versions count from 1")
    return hkdf_sha256(code, b"regie/revoke/v1" + version.to_bytes(4, "big"))


def lock_for(code: bytes, version: int) -> bytes:
    """lock = H(r_v), 32 bytes: what stands in T and in the grant leaf."""
    return lock_of(revocation_secret(code, version))


def view_key(code: bytes) -> bytes:
    """The bearer that opens a grant's events, 32 bytes; the log keeps only `view_hash`."""
    if len(code) != CODE_BYTES:
        raise ValueError("a code is 16 bytes")
    return hkdf_sha256(code, b"regie/view/v1")


def view_hash(code: bytes) -> bytes:
    """H(view), 32 bytes: what the log learns with the grant."""
    return sha256(view_key(code))


def _check_digit(digits: str) -> str:
    """ISO/IEC 7064 MOD 11,10: finds every single wrong digit and most swaps of two neighbours."""
    product = 10
    for digit in digits:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return str((11 - product) % 10)


def format_code(code: bytes) -> str:
    """16 bytes for paper: 39 decimal digits and a check digit, in ten groups of four."""
    if len(code) != CODE_BYTES:
        raise ValueError("a code is 16 bytes")
    digits = f"{int.from_bytes(code, 'big'):0{CODE_DIGITS}d}"
    digits += _check_digit(digits)
    return " ".join(re.findall("....", digits))


def parse_code(text: str) -> bytes:
    """Inverse of `format_code`, for what people type: spaces, dashes and dots are ignored. Raises: `bad_code`."""
    digits = re.sub(r"[\s.\u2010-\u2015-]", "", text) if len(text) <= MAX_CODE_CHARS else ""
    if not re.fullmatch(r"[0-9]{40}", digits):
        raise Rejected("bad_code", "a code has 40 digits")
    number = int(digits[:CODE_DIGITS])
    if _check_digit(digits[:CODE_DIGITS]) != digits[CODE_DIGITS] or number >= 2 ** (8 * CODE_BYTES):
        raise Rejected("bad_code", "a digit is wrong")
    return number.to_bytes(CODE_BYTES, "big")


def format_paper_qr(log_url: str, code: bytes) -> str:
    """The QR of a paper receipt: the log's address and the code, so that any counter can stop a grant."""
    return f"{PAPER_QR_PREFIX}{quote(log_url, safe='')}&code={format_code(code).replace(' ', '')}"


def parse_paper_qr(text: str) -> tuple[str, bytes]:
    """(log URL, code) of a scanned receipt; the caller MUST know the log from its trust list. Raises `Rejected`:
    `bad_code`.
    """
    address, _, digits = text.removeprefix(PAPER_QR_PREFIX).partition("&code=")
    if not text.startswith(PAPER_QR_PREFIX) or len(text) > MAX_QR_CHARS:
        raise Rejected("bad_code", "not the code of a paper receipt")
    try:
        log_url = unquote(address, errors="strict")
        is_url = urlsplit(log_url).scheme in ("https", "http") and quote(log_url, safe="") == address
    except ValueError as error:
        raise Rejected("bad_code", "the receipt's address is damaged") from error
    if not is_url:
        raise Rejected("bad_code", "the receipt's address is damaged")
    return log_url, parse_code(digits)


def format_stop_digits(stop_seed: bytes) -> str:
    """16 bytes for paper: 39 decimal digits and five check digits, in eleven groups of four."""
    if len(stop_seed) != CODE_BYTES:
        raise ValueError("a stop seed is 16 bytes")
    digits = f"{int.from_bytes(stop_seed, 'big'):0{CODE_DIGITS}d}"
    return " ".join(re.findall("....", digits + _check_digits(stop_seed)))


def parse_stop_digits(text: str) -> bytes:
    """Inverse of `format_stop_digits`, for what people type: spaces, dashes and dots are ignored. One mistyped
    paper in 100,000 passes for another one, which then stops nothing. Raises `Rejected`: `bad_stop_paper`.
    """
    digits = re.sub(r"[\s.\u2010-\u2015-]", "", text) if len(text) <= MAX_CODE_CHARS else ""
    if not re.fullmatch(rf"[0-9]{{{STOP_DIGITS}}}", digits):
        raise Rejected("bad_stop_paper", f"the number on a stop paper has {STOP_DIGITS} digits")
    number = int(digits[:CODE_DIGITS])
    if number < 2 ** (8 * CODE_BYTES):
        stop_seed = number.to_bytes(CODE_BYTES, "big")
        if _check_digits(stop_seed) == digits[CODE_DIGITS:]:
            return stop_seed
    raise Rejected("bad_stop_paper", "a digit is wrong")


def _check_digits(stop_seed: bytes) -> str:
    """Five digits of H(`regie/stop/check/v1` || stop seed)."""
    number = int.from_bytes(sha256(b"regie/stop/check/v1" + stop_seed), "big")
    return f"{number % 10**5:05d}"


def format_stop_qr(stop_seed: bytes) -> str:
    """The QR of a stop paper. It names no log: the wallet may get to know more of them after it was printed."""
    return STOP_QR_PREFIX + format_stop_digits(stop_seed).replace(" ", "")


def parse_stop_paper(text: str) -> bytes:
    """The stop seed of what was typed or scanned from a stop paper. Raises `Rejected`: `bad_stop_paper`."""
    return parse_stop_digits(text.strip().removeprefix(STOP_QR_PREFIX))


def walk_codes(logs: Sequence[Log], numbers: Iterable[int], show: Callable[[Log, int], Met]) -> None:
    """Show the codes of a stop paper to every log, number by number: a wallet counts over all logs together, so
    what is unknown at one log may have been used at another. Ends after `LOOK_AHEAD` numbers in a row of nothing;
    a log that stays away is left out after `AWAY_MISSES`.
    """
    absent = [0] * len(logs)
    misses = 0
    for number in numbers:
        here = [place for place, count in enumerate(absent) if count < AWAY_MISSES]
        met = {place: show(logs[place], number) for place in here}
        for place, outcome in met.items():
            absent[place] = absent[place] + 1 if outcome == "away" else 0
        if "taken" in met.values():
            misses = 0
        elif "away" not in met.values():
            misses += 1
        if not here or misses >= LOOK_AHEAD:
            return
