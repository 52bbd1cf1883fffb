"""A paper at anybody's counter: what it stops, and what a counter says when nobody can take it."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from protocol.canonical import b64u_decode
from protocol.consent_api import CosignerRevocationRequest, RevocationAnswer, RevocationRequest
from protocol.errors import Rejected, Unavailable
from protocol.leaf import lock_of
from protocol.note import NoteSigner
from protocol.receipt import make_revocation_receipt
from protocol.revocation_code import (
    AWAY_MISSES,
    LOOK_AHEAD,
    code_from_seed,
    format_code,
    format_paper_qr,
    format_stop_digits,
    format_stop_qr,
    lock_for,
    walk_codes,
)
from service.paper_stop import is_paper, stop_by_paper
from tests.protocol import builders
from tests.protocol.builders import LOG_ORIGIN, NOW

SECOND_URL = "https://second.log.example"
CODE, SEED = bytes(range(16)), bytes(range(1, 17))
RECEIPTS = NoteSigner(f"{LOG_ORIGIN}/receipts", builders.LOG_RECEIPT_KEY)
COSIGNER = NoteSigner(f"{builders.AUDITOR_NAME}/receipts", builders.AUDITOR_KEY)


@dataclass
class Logs:
    """Logs of one key and their cosigner, as a fetcher. `locks`: of grants; `lies`: receipts are of another lock;
    `second`: of grants at the other log; `denies`: the logs say that they have none.
    """

    locks: set[bytes]
    down: bool = False
    lies: bool = False
    denies: bool = False
    second: set[bytes] = field(default_factory=set)
    ended: list[bytes] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)

    def post_json(self, url: str, body: Any, **options: Any) -> Any:
        lock = lock_of(b64u_decode(body.r))
        if isinstance(body, RevocationRequest):
            if self.down:
                raise Unavailable("unreachable", "the log is away")
            if self.denies or lock not in (self.second if url.startswith(SECOND_URL) else self.locks):
                raise Rejected("unknown_lock", "no grant has this lock", status=404)
            self.ended.append(lock)
            promised = bytes(32) if self.lies else lock
            receipt = make_revocation_receipt(LOG_ORIGIN, promised, NOW, RECEIPTS)
            return SimpleNamespace(json=lambda kind: RevocationAnswer(receipt, 1, 1))
        assert isinstance(body, CosignerRevocationRequest)
        if lock not in self.locks:
            raise Rejected("unknown_lock", "no grant has this lock", status=404)
        self.kept.append(lock)
        receipt = make_revocation_receipt(LOG_ORIGIN, lock, NOW, COSIGNER)
        return SimpleNamespace(json=lambda kind: SimpleNamespace(receipt=receipt))


def stop(logs: Logs, text: str) -> Any:
    return stop_by_paper(logs, builders.trust_list(), text)  # type: ignore[arg-type]


def locks_of(*numbers: int) -> set[bytes]:
    return {lock_for(code_from_seed(SEED, number), 1) for number in numbers}


@pytest.mark.parametrize(
    "text", [format_code(CODE), format_paper_qr(builders.LOG_URL, CODE)], ids=["digits", "qr"]
)
def test_a_receipt_ends_every_version_of_its_agreement(text: str) -> None:
    logs = Logs({lock_for(CODE, version) for version in (1, 2, 3)})
    done = stop(logs, text)
    assert (done.count, done.at_log) == (1, True)
    assert logs.ended == [lock_for(CODE, version) for version in (1, 2, 3)]
    assert stop(logs, text).count == 1  # again does no harm


@pytest.mark.parametrize("text", [format_stop_digits(SEED), format_stop_qr(SEED)], ids=["digits", "qr"])
def test_a_stop_paper_ends_everything_of_a_wallet(text: str) -> None:
    numbers = (0, 1, LOOK_AHEAD, LOOK_AHEAD + 5)
    logs = Logs({lock_for(code_from_seed(SEED, number), 1) for number in numbers})
    done = stop(logs, text)
    assert done.count == len(logs.ended) == len(numbers)


def test_a_stop_paper_ends_what_was_given_at_a_second_log_after_many_at_the_first() -> None:
    first, second = (0, 50, 100), (LOOK_AHEAD + 6, 120)
    logs = Logs(locks_of(*first), second=locks_of(*second))
    listed = builders.trust_list().logs[0]
    trust = builders.trust_list(logs=[listed, msgspec.structs.replace(listed, url=SECOND_URL)])
    assert stop_by_paper(logs, trust, format_stop_qr(SEED)).count == 5  # type: ignore[arg-type]
    assert set(logs.ended) == locks_of(*first, *second)


def test_a_log_that_stays_away_is_left_out_and_the_others_are_walked_to_the_end() -> None:
    shown: dict[str, list[int]] = {"away": [], "here": []}

    def show(log: str, number: int) -> Any:
        shown[log].append(number)
        return "away" if log == "away" else "taken" if number == LOOK_AHEAD else "unknown"

    walk_codes(list(shown), range(1000), show)
    assert len(shown["away"]) == AWAY_MISSES
    assert shown["here"][-1] == 2 * LOOK_AHEAD


def test_attack_a_log_that_denies_a_grant_is_not_believed_alone() -> None:
    logs = Logs({lock_for(CODE, 1)}, denies=True)
    done = stop(logs, format_code(CODE))
    assert (done.count, done.at_log) == (1, False)
    assert logs.kept == [lock_for(CODE, 1)]


def test_the_cosigners_get_the_stop_while_the_log_takes_it() -> None:
    logs = Logs({lock_for(CODE, 1)})
    assert stop(logs, format_code(CODE)).at_log is True
    assert logs.kept == logs.ended == [lock_for(CODE, 1)]


def test_while_the_log_is_away_the_cosigners_keep_the_stop() -> None:
    logs = Logs({lock_for(CODE, 1)}, down=True)
    done = stop(logs, format_code(CODE))
    assert (done.count, done.at_log) == (1, False)
    assert logs.kept == [lock_for(CODE, 1)]


def test_nobody_can_take_it_so_the_paper_is_used_again() -> None:
    with pytest.raises(Unavailable, match="unreachable"):
        stop(Logs(set(), down=True), format_code(CODE))


def test_attack_a_log_that_promises_something_else_is_not_believed() -> None:
    logs = Logs({lock_for(CODE, 1)}, lies=True)
    assert stop(logs, format_code(CODE)).at_log is False
    assert logs.kept == [lock_for(CODE, 1)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (format_code(CODE), "unknown_code"),
        (format_stop_qr(SEED), "unknown_code"),
        (format_paper_qr("https://other.example", CODE), "unknown_log"),
        (format_code(CODE)[:-1], "bad_code"),
        ("", "bad_code"),
    ],
)
def test_what_stops_nothing(text: str, code: str) -> None:
    logs = Logs(set())
    with pytest.raises(Rejected, match=code):
        stop(logs, text)
    assert logs.ended == logs.kept == []


def test_a_typing_error_is_seen_before_anybody_is_asked() -> None:
    digits = format_code(CODE)
    assert is_paper(digits)
    assert not is_paper(digits[:-1] + str((int(digits[-1]) + 1) % 10))
