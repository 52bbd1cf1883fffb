"""Every lie of a log whose key was stolen: who refuses it, who finds it, from which data, and after how long.

Witness, auditing cosigner and auditor are ours as they are, over HTTP, each time from the same honest state; the
auditor looks every tenth of a second. A table is printed at the end.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from examples.lying_log import LyingLog
from protocol.canonical import b64u_encode
from protocol.consent_api import CosignerRevocationRequest
from protocol.errors import Rejected
from protocol.fraud import Accused, verify_fraud_proof
from protocol.fraud_form import parse_fraud_proof
from protocol.note import NoteSigner
from protocol.policy import satisfied
from protocol.receipt import make_revocation_receipt
from protocol.revocation_code import lock_for, revocation_secret
from service.command import root
from service.fetch import Fetcher
from tests.auditor.history import read_id
from tests.figures import record
from tests.protocol import builders, granting
from tests.protocol.builders import LOG_ORIGIN
from tests.town.lying import (
    HIDDEN,
    SIGNED,
    WITNESSES,
    Scene,
    duplicate_grant,
    forced_revocation,
    fork,
    fork_that_goes_on,
    hidden_new_revocation,
    hidden_read,
    hidden_revocation,
    late_read,
    one_read_twice,
    read_again,
    reused_n,
    rewind,
    skipped_n,
    untrue_refusal,
    wrong_head,
)

_table: list[tuple[str, ...]] = []
_seconds: dict[str, float] = {}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGIE_LOOPBACK", "1")
        made = Scene(tmp_path_factory.mktemp("lies"))
        try:
            yield made
        finally:
            made.close()
    _tell()


@dataclass(frozen=True)
class Lie:
    """`answers`: of witness and auditing cosigner. `code`: the auditor's; `proof`: its kind, if there is one."""

    tell: Callable[[LyingLog], None]
    answers: tuple[str, str]
    code: str
    proof: str | None
    data: str


LIES = [
    Lie(fork, ("forked", "forked"), "forked", "fork", "two signed trees of one size"),
    Lie(fork_that_goes_on, ("bad_consistency",) * 2, "forked", "inconsistent", "two signed trees, tiles"),
    Lie(rewind, ("bad_sizes",) * 2, "no_quorum", None, "size; nobody cosigned it"),
    Lie(hidden_revocation, (SIGNED, HIDDEN), HIDDEN, "hidden_revocation", "leaves"),
    Lie(
        hidden_new_revocation, (SIGNED, "replay_head_status"), "replay_head_status", "hidden_revocation", "leaves"
    ),
    Lie(duplicate_grant, (SIGNED, "replay_lock_reused"), "replay_lock_reused", "lock_reused", "leaves"),
    Lie(forced_revocation, (SIGNED, "replay_wrong_secret"), "replay_wrong_secret", "forced_revocation", "leaves"),
    Lie(wrong_head, (SIGNED, "replay_head_position"), "replay_head_position", "bad_leaf", "leaves"),
    Lie(late_read, (SIGNED, SIGNED), "read_after_revocation", "read_after_revocation", "leaves, openings"),
    Lie(reused_n, (SIGNED, SIGNED), "gap_in_n", "number_reused", "tags"),
    Lie(skipped_n, (SIGNED, SIGNED), "gap_in_n", None, "tags, openings"),
    Lie(one_read_twice, (SIGNED, SIGNED), "read_booked_twice", "read_booked_twice", "openings"),
    Lie(hidden_read, (SIGNED, SIGNED), "leaf_without_opening", None, "leaves, openings"),
    Lie(untrue_refusal, (SIGNED, SIGNED), "untrue_refusal", None, "leaves, openings"),
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.tell.__name__)
def test_attack_lie_is_refused_or_caught(scene: Scene, lie: Lie) -> None:
    scene.reset()
    watch = scene.watch("auditor-now")
    assert watch.look().state == "ok"
    lie.tell(scene.villain)
    begun = time.monotonic()
    answers = scene.publish()
    alarm = watch.until(lie.code)
    seconds = time.monotonic() - begun
    assert tuple(answers.values()) == lie.answers
    assert scene.is_believed() == (lie.answers == (SIGNED, SIGNED))
    proof = alarm.proof if alarm is not None else None
    assert (None if proof is None else _convict(scene, proof)) == lie.proof
    _note(lie.tell.__name__, answers, f"auditor: {lie.code}", lie.proof, lie.data, seconds)


def _convict(scene: Scene, proof: bytes) -> str:
    return verify_fraud_proof(parse_fraud_proof(proof), scene.accused, int(time.time())).kind


@pytest.mark.parametrize("hide", [hidden_revocation, hidden_new_revocation])
def test_attack_hidden_revocation_is_never_accepted_with_an_auditing_cosigner_in_the_quorum(
    scene: Scene, hide: Callable[[LyingLog], None]
) -> None:
    """However often it is asked, and whatever honest tree it is hidden under."""
    scene.reset()
    hide(scene.villain)
    for _ in range(5):
        assert scene.publish()["cosigner"] != SIGNED
        assert not scene.is_believed()
        scene.villain.add_head()


def test_attack_stop_is_taken_and_never_entered(scene: Scene) -> None:
    """The resident hands r to the cosigner too: without it no tree gets a quorum any more."""
    scene.reset()
    r = revocation_secret(granting.CODE, 1)
    begun = time.monotonic()
    asked = CosignerRevocationRequest(origin=LOG_ORIGIN, r=b64u_encode(r))
    Fetcher().post_json(f"{scene.urls['cosigner']}/v1/revocations", asked)
    scene.villain.add_head()
    answers = scene.publish()
    seconds = time.monotonic() - begun
    assert answers == {"witness": SIGNED, "cosigner": "pending_revocations"}
    assert not scene.is_believed()
    _note("revocation_never_entered", answers, "cosigner: it holds r", None, "r, handed over", seconds)


def test_attack_split_view_between_two_auditors(scene: Scene) -> None:
    """One log, two histories, each with an auditor of its own; the witnesses have seen the first one."""
    scene.reset()
    other = scene.liar()
    other.serve(scene.urls["other"])
    other.note = scene.villain.note
    first, second = scene.watch("auditor-1"), scene.watch("auditor-2", scene.urls["other"])
    assert (first.look().state, second.look().state) == ("ok", "ok")
    read_again(scene.villain, 1)
    read_again(other, 2)
    begun = time.monotonic()
    answers = scene.publish()
    other.sign()
    assert tuple(answers.values()) == (SIGNED, SIGNED)
    alarm = second.until("split_view")
    seconds = time.monotonic() - begun
    assert alarm is not None
    assert alarm.proof is not None
    kind = _convict(scene, alarm.proof)
    assert kind == "fork"
    _note("split_view", answers, "auditor: split_view", kind, "its tree, a witness's checkpoint", seconds)


def test_attack_share_comes_without_a_release_record() -> None:
    """The agency's library opens nothing for a READ whose entry it is not shown."""
    town = granting.town()
    token = town.make_read(granting.POSTCODE)
    answer, standing = town.release(token)
    begun = time.monotonic()
    for changes in ({"opening_key": b64u_encode(bytes(32))}, {"n": 7}, {"proof": other_proof(town)}):
        code = granting.outcome(town.open, token, granting.change(answer, **changes), standing)
        assert code is not None
    seconds = time.monotonic() - begun
    _note("no_release_record", {}, "agency's library", None, "proof of its own entry", seconds)


def other_proof(town: Any) -> str:
    """A receipt for another entry of the same tree."""
    other, _ = town.release(town.make_read(granting.HUISNUMMER, read_id=read_id(3)))
    return str(other.proof)


def test_attack_stale_checkpoint_is_shown_to_one_agency(scene: Scene) -> None:
    scene.reset()
    with pytest.raises(Rejected, match="stale_checkpoint"):
        satisfied(scene.policy, scene.villain.note, int(time.time()) + 61)
    _note("stale_checkpoint", {}, "light check: stale_checkpoint", None, "times of cosignatures", 0.0)


def test_commands_follow_alarm_and_verify_the_proof(scene: Scene) -> None:
    """What an auditor types, and what anybody types who is given the file."""
    scene.reset()
    scene.watch("auditor-cli")
    home = scene.folder / "auditor-cli"
    follow = ("auditor", "follow", "--once")
    status, lines = command(home, *follow)
    assert (status, lines[-1]["state"]) == (0, "ok")
    duplicate_grant(scene.villain)
    scene.publish()
    status, lines = command(home, *follow)
    assert status == 1
    alarm = lines[-1]
    assert (alarm["state"], alarm["code"]) == ("alarm", "replay_lock_reused")
    status, lines = command(home, *follow)
    assert (status, lines[0]["state"]) == (1, "earlier_alarm")  # until somebody has looked at it
    scene.reset()
    status, lines = command(home, *follow, "--go-on")
    assert (status, lines[-1]["state"]) == (0, "ok")
    verify = ("auditor", "verify", "--proof", alarm["proof"])
    status, lines = command(home, *verify)
    assert (status, lines[-1]["kind"]) == (0, "lock_reused")
    assert lines[-1]["trees"][0]["cosigned"] == ["w"]
    anywhere = scene.folder / "anywhere"
    assert command(anywhere, *verify, "--vkey", str(scene.accused.log))[0] == 0
    stranger = NoteSigner(LOG_ORIGIN, builders.AUDITOR_KEY).key
    assert command(anywhere, *verify, "--vkey", str(stranger))[0] == 1
    scene.villain.close()
    status, lines = command(home, *follow, "--go-on")
    assert (status, lines[0]["state"], lines[0]["code"]) == (3, "waiting", "unreachable")
    scene.villain.serve(scene.urls["log"])


def test_command_promise_convicts_a_log_that_did_not_keep_it(scene: Scene, tmp_path: Path) -> None:
    """The resident gives the log's signed answer to an auditor: first in time, then too late."""
    scene.reset()
    scene.watch("auditor-cli")
    lock, now = lock_for(granting.CODE, 1), int(time.time())
    signer = NoteSigner(f"{LOG_ORIGIN}/receipts", builders.LOG_RECEIPT_KEY)
    receipt, proofs = tmp_path / "receipt", tmp_path / "proofs"
    asked = ("auditor", "promise", str(receipt), "--proofs", str(proofs))
    for age, found, expected in ((0, 0, []), (70, 1, []), (200, 1, ["overdue_revocation"])):
        receipt.write_text(make_revocation_receipt(LOG_ORIGIN, lock, now - age, signer))
        status, lines = command(scene.folder / "auditor-cli", *asked)
        assert (status, len(lines[-1]["findings"])) == (found, found)
        accused = Accused(scene.accused.log, scene.policy, signer.key)
        files = [parse_fraud_proof(Path(path).read_bytes()) for path in lines[-1]["proofs"]]
        assert [verify_fraud_proof(proof, accused, int(time.time())).kind for proof in files] == expected
    stopped = lock_for(granting.CODE, 2)
    receipt.write_text(make_revocation_receipt(LOG_ORIGIN, stopped, now - 200, signer))
    status, lines = command(scene.folder / "auditor-cli", *asked)
    assert (status, lines[-1]["findings"], lines[-1]["proofs"]) == (0, [], [])
    for text in ("nonsense", receipt.read_text().replace("/v1", "/v2")):
        receipt.write_text(text)
        assert command(scene.folder / "auditor-cli", *asked)[0] == 1


def test_command_report_counts_and_writes_a_page(scene: Scene, tmp_path: Path) -> None:
    scene.reset()
    scene.watch("auditor-cli")
    token, page = tmp_path / "token", tmp_path / "report.html"
    token.write_text("token")
    asked = ("auditor", "report", "--token", str(token), "--html", str(page))
    status, lines = command(scene.folder / "auditor-cli", *asked)
    assert (status, lines[-1]["totals"]["stops"], lines[-1]["policy"]) == (0, 1, "ok")
    assert page.read_text().startswith("<!doctype html>")
    late_read(scene.villain)
    scene.publish()
    status, lines = command(scene.folder / "auditor-cli", *asked)
    assert (status, lines[-1]["totals"]["reads_after_stop"]) == (1, 1)


@pytest.mark.parametrize(
    ("lie", "kinds"),
    [
        (fork, ["fork"]),
        (fork_that_goes_on, ["inconsistent"]),
        (forced_revocation, ["forced_revocation"]),
        (hidden_revocation, ["hidden_revocation"]),
        (late_read, ["read_after_revocation", "read_booked_twice"]),
        (one_read_twice, ["read_booked_twice"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_command_verify_leaves_proofs(
    scene: Scene, lie: Callable[[LyingLog], None], kinds: list[str], tmp_path: Path
) -> None:
    scene.reset()
    scene.watch("auditor-cli")
    home, token = scene.folder / "auditor-cli", tmp_path / "token"
    token.write_text("token")
    verify = ("auditor", "verify", "--openings", "--token", str(token), "--proofs", str(tmp_path / "proofs"))
    status, lines = command(home, *verify)
    assert (status, lines[-1]["findings"], lines[-1]["proofs"]) == (0, [], [])
    lie(scene.villain)
    scene.publish()
    status, lines = command(home, *verify)
    assert status == 1
    assert [_convict(scene, Path(path).read_bytes()) for path in lines[-1]["proofs"]] == kinds


def command(home: Path, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and the lines of JSON of `regie ... --json`."""
    done = CliRunner().invoke(root, [*arguments, "--home", str(home), "--json"], catch_exceptions=False)
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def _note(name: str, answers: Mapping[str, str], by: str, proof: str | None, data: str, seconds: float) -> None:
    said = [answers.get(who, "-") for who in WITNESSES]
    _table.append((name, *said, by, proof or "-", data, f"{seconds:.2f}"))
    _seconds[name] = round(seconds, 2)


def _tell() -> None:
    """The table, and the seconds for whoever collects figures."""
    head = ("lie", "witness", "auditing cosigner", "found by", "proof", "data", "seconds")
    rows = [head, *_table]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    record("lies", {"seconds_to_detection": _seconds})
