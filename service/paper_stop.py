"""Stopping with a paper at anybody's counter: a receipt of one agreement, or the stop paper of a whole wallet.

Who shows r ends the grant (protocol section 9), so no vault, no name and no right of the counter's own is needed.
Each r goes to the log and, when that is away, to the cosigners, who cosign nothing more without it. Nothing is
kept here: when nobody takes it, the paper is given back and used again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, TypeAlias

from protocol.canonical import b64u_encode
from protocol.consent_api import (
    CosignerRevocationAnswer,
    CosignerRevocationRequest,
    RevocationAnswer,
    RevocationRequest,
)
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.leaf import lock_of
from protocol.note import parse_vkey
from protocol.receipt import verify_revocation_receipt
from protocol.revocation_code import (
    PAPER_QR_PREFIX,
    code_from_seed,
    parse_code,
    parse_paper_qr,
    parse_stop_paper,
    revocation_secret,
)
from protocol.trust_list import TrustedLog, TrustedWitness, TrustList
from service.fetch import Fetcher

MAX_VERSIONS = 64
"""Versions of one grant: a refresh a month for five years."""
GAP = 20
"""Numbers of a stop paper in a row that a log does not know, after which there are no more of them."""
SECONDS = 10.0
_UNKNOWN = "unknown_lock"
_Taken: TypeAlias = Literal["log", "cosigner", "unknown", "nobody"]


@dataclass(frozen=True)
class Stopped:
    """`count`: agreements that have ended; `at_log`: the logs promised all, else cosigners keep some."""

    count: int
    at_log: bool


@dataclass(frozen=True)
class _Codes:
    """What a paper holds: the codes in order, and how many misses in a row end them. `log_url`: None for any."""

    codes: Iterator[bytes]
    gap: int
    log_url: str | None = None


def stop_by_paper(fetcher: Fetcher, trust: TrustList, text: str) -> Stopped:
    """Everything that the paper can stop. `text`: of its QR code, or typed digits.

    Raises `Rejected`: `bad_code`, `unknown_log`, `unknown_code` when no log has such an agreement; `Unavailable`:
    `unreachable` when nobody could take it; the paper has to be used again then.
    """
    logs = [log for log in trust.logs if _parse(text).log_url in (None, log.url)]
    if not logs:
        raise Rejected("unknown_log", "the log on this receipt is not on the trust list", status=404)
    cosigners = [witness for witness in trust.witnesses if witness.auditing]
    done = [_stop_at(fetcher, log, cosigners, _parse(text)) for log in logs]
    if any(found is None for found in done):
        raise Unavailable("unreachable", "a log cannot be reached; use the paper again later")
    counts = [found for found in done if found is not None and found.count]
    if not counts:
        raise Rejected("unknown_code", "no agreement has this code", status=404)
    return Stopped(sum(found.count for found in counts), all(found.at_log for found in counts))


def is_paper(text: str) -> bool:
    """Whether this is a code of a paper at all, without a wrong digit."""
    try:
        _parse(text)
    except Rejected:
        return False
    return True


def _parse(text: str) -> _Codes:
    if text.startswith(PAPER_QR_PREFIX):
        log_url, code = parse_paper_qr(text)
        return _Codes(iter((code,)), 1, log_url)
    try:
        seed = parse_stop_paper(text)
    except Rejected:
        return _Codes(iter((parse_code(text),)), 1)
    return _Codes((code_from_seed(seed, number) for number in count()), GAP)


def _stop_at(
    fetcher: Fetcher, log: TrustedLog, cosigners: Sequence[TrustedWitness], paper: _Codes
) -> Stopped | None:
    """What one log has of a paper; None when neither it nor a cosigner could take what may be there."""
    ended, missed, at_log = 0, 0, True
    for code in paper.codes:
        outcome = _end(fetcher, log, cosigners, code)
        if outcome == "nobody":
            return None
        missed = missed + 1 if outcome == "unknown" else 0
        ended += outcome != "unknown"
        at_log = at_log and outcome != "cosigner"
        if missed >= paper.gap:
            break
    return Stopped(ended, at_log)


def _end(fetcher: Fetcher, log: TrustedLog, cosigners: Sequence[TrustedWitness], code: bytes) -> _Taken:
    """Every version of one grant: its r is posted until one is unknown. The worst that came of any."""
    worst: _Taken = "unknown"
    for version in range(1, MAX_VERSIONS + 1):
        taken = _hand_over(fetcher, log, cosigners, revocation_secret(code, version))
        if taken == "unknown" or (taken == "nobody" and worst == "cosigner"):
            break  # a cosigner keeps what there was; of a later version it does not know yet
        if taken == "nobody":
            return taken
        worst = "cosigner" if "cosigner" in (taken, worst) else taken
    return worst


def _hand_over(fetcher: Fetcher, log: TrustedLog, cosigners: Sequence[TrustedWitness], r: bytes) -> _Taken:
    """Who took one r, with a receipt that verifies."""
    lock = lock_of(r)
    try:
        body = RevocationRequest(b64u_encode(r))
        answer = fetcher.post_json(f"{log.url}/v1/revocations", body, total_seconds=SECONDS).json(RevocationAnswer)
        verify_revocation_receipt(answer.receipt, parse_vkey(log.receipt_vkey), origin=log.origin, lock=lock)
        return "log"
    except RegieError as error:
        if error.code == _UNKNOWN:
            return "unknown"
    kept = [_keeps(fetcher, one, log.origin, r) for one in cosigners]  # all of them, not the first that can
    return "cosigner" if any(kept) else "nobody"


def _keeps(fetcher: Fetcher, witness: TrustedWitness, origin: str, r: bytes) -> bool:
    """Whether a cosigner promises to cosign nothing more without this r."""
    if witness.receipt_vkey is None:
        return False
    try:
        body = CosignerRevocationRequest(origin, b64u_encode(r))
        answer = fetcher.post_json(f"{witness.url}/v1/revocations", body, total_seconds=SECONDS)
        receipt = answer.json(CosignerRevocationAnswer).receipt
        verify_revocation_receipt(receipt, parse_vkey(witness.receipt_vkey), origin=origin, lock=lock_of(r))
    except RegieError:
        return False
    return True
