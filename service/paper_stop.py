"""Stopping with a paper at anybody's counter: a receipt of one agreement, or the stop paper of a whole wallet.

Who shows r ends the grant (protocol section 9), so no vault, no name and no right of the counter's own is needed.
Each r goes to the log and, at the same time, to the cosigners, who cosign nothing more without it: a log alone
is not believed that it has no such grant. Nothing is kept here: when nobody takes it, the paper is given back and
used again. What was given under a mandate has codes of its own, and ends with the mandate or its paper.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
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
    Met,
    code_from_seed,
    parse_code,
    parse_paper_qr,
    parse_stop_paper,
    revocation_secret,
    walk_codes,
)
from protocol.trust_list import TrustedLog, TrustedWitness, TrustList
from service.fetch import Fetcher

MAX_VERSIONS = 64
"""Versions of one grant: a refresh a month for five years."""
SECONDS = 10.0
_UNKNOWN = "unknown_lock"
_Taken: TypeAlias = Literal["log", "cosigner", "unknown", "nobody"]
_MET: Mapping[_Taken, Met] = {"log": "taken", "cosigner": "taken", "unknown": "unknown", "nobody": "away"}


@dataclass(frozen=True)
class Stopped:
    """`count`: agreements that have ended; `at_log`: the logs promised all, else cosigners keep some."""

    count: int
    at_log: bool


@dataclass(frozen=True)
class _Codes:
    """What a paper holds: the code of each number. `log_url`: None for any."""

    code_of: Callable[[int], bytes]
    numbers: Iterable[int]
    log_url: str | None = None


def stop_by_paper(fetcher: Fetcher, trust: TrustList, text: str) -> Stopped:
    """Everything that the paper can stop. `text`: of its QR code, or typed digits.

    Raises `Rejected`: `bad_code`, `unknown_log`, `unknown_code` when no log has such an agreement; `Unavailable`:
    `unreachable` when nobody could take it; the paper has to be used again then.
    """
    paper = _parse(text)
    logs = [log for log in trust.logs if paper.log_url in (None, log.url)]
    if not logs:
        raise Rejected("unknown_log", "the log on this receipt is not on the trust list", status=404)
    cosigners = [witness for witness in trust.witnesses if witness.auditing]
    seen: list[tuple[int, _Taken]] = []

    def show(log: TrustedLog, number: int) -> Met:
        seen.append((number, _end(fetcher, log, cosigners, paper.code_of(number))))
        return _MET[seen[-1][1]]

    walk_codes(logs, paper.numbers, show)
    if any(taken == "nobody" for _, taken in seen):
        raise Unavailable("unreachable", "a log cannot be reached; use the paper again later")
    ended = [(number, taken) for number, taken in seen if taken != "unknown"]
    if not ended:
        raise Rejected("unknown_code", "no agreement has this code", status=404)
    return Stopped(len({number for number, _ in ended}), all(taken == "log" for _, taken in ended))


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
        return _Codes(lambda number: code, range(1), log_url)
    try:
        seed = parse_stop_paper(text)
    except Rejected:
        typed = parse_code(text)
        return _Codes(lambda number: typed, range(1))
    return _Codes(partial(code_from_seed, seed), count())


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
    """Who took one r, with a receipt that verifies: all are asked at once, and none is believed for another."""
    with ThreadPoolExecutor(max_workers=1 + len(cosigners)) as pool:
        asked = pool.submit(_at_log, fetcher, log, r)
        kept = list(pool.map(lambda one: _keeps(fetcher, one, log.origin, r), cosigners))
    at_log = asked.result()
    if at_log == "taken":
        return "log"
    if any(kept):
        return "cosigner"
    return "unknown" if at_log == "unknown" else "nobody"


def _at_log(fetcher: Fetcher, log: TrustedLog, r: bytes) -> Met:
    """The log's promise to end it, or that it has no such grant."""
    try:
        body = RevocationRequest(b64u_encode(r))
        answer = fetcher.post_json(f"{log.url}/v1/revocations", body, total_seconds=SECONDS).json(RevocationAnswer)
        verify_revocation_receipt(answer.receipt, parse_vkey(log.receipt_vkey), origin=log.origin, lock=lock_of(r))
    except RegieError as error:
        return "unknown" if error.code == _UNKNOWN else "away"
    return "taken"


def _keeps(fetcher: Fetcher, witness: TrustedWitness, origin: str, r: bytes) -> bool:
    """Whether a cosigner promises to cosign nothing more without this r: it knows a live grant then."""
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
