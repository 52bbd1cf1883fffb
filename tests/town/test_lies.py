"""Every lie of a log whose key was stolen: who refuses it, who finds it, from which data, and after how long.

Witness, auditing cosigner and auditor are ours as they are, over HTTP, each time from the same honest state; the
auditor looks every tenth of a second. A table is printed at the end.
"""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.serving import make_server

import auditor.web
import consentlog.witness
from auditor.cli_follow import LogSource
from auditor.config import Config, make_cosigner, read_config, trust_of
from auditor.follow import Alarm, Follower, Step
from auditor.follow_store import FollowStore
from consentlog.config import make_witness
from examples.lying_log import OPENING_KEY, LyingLog
from examples.processes import free_ports
from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, sha256, to_builtins
from protocol.consent_api import CosignerRevocationRequest
from protocol.errors import Rejected
from protocol.fraud import Accused, verify_fraud_proof
from protocol.fraud_form import parse_fraud_proof
from protocol.leaf import Grant, Head, LeafType, Read, Refusal, Revocation, commitment, event_tag, parse_leaf
from protocol.note import NoteSigner
from protocol.policy import parse_policy, satisfied
from protocol.presentation import grant_opening
from protocol.reading import refusal_opening
from protocol.revocation_code import lock_for, revocation_secret
from protocol.trust_list import TrustedLog, TrustedWitness
from service.command import root
from service.fetch import Fetcher
from service.home import Home
from tests.auditor.history import History, read_id
from tests.figures import record
from tests.protocol import builders, granting
from tests.protocol.builders import LOG_ORIGIN

EVERY = 0.1
PATIENCE = 60
"""Seconds after which an auditor that says nothing has found nothing."""
LIVE, STOPPED = 1, 2
"""Slots of the grant that is alive and of the one that its resident has stopped."""
STOPPED_TAGS = sha256(b"tags of the stopped grant")
WITNESSES = ("witness", "cosigner")
SIGNED, HIDDEN = "cosigned", "replay_head_status"
_table: list[tuple[str, ...]] = []
_seconds: dict[str, float] = {}


def honest_life() -> History:
    """One grant is read; another is read, stopped, and asked for in vain."""
    history = History()
    history.read(0)
    history.log.publish()
    terms = granting.terms(lock=b64u_encode(lock_for(granting.CODE, 2)), tag_key=b64u_encode(STOPPED_TAGS))
    index, slot = history.log.grant(terms)
    history.open(index, "grant", grant_opening(terms).decode(), slot=slot)
    made = {"slot": slot, "lock": terms.lock}
    _event(history, Read, "read", history.town.make_read(granting.POSTCODE, **made), slot)
    history.log.revoke(index, slot, version=2)
    history.log.publish()
    refused = history.town.make_read(granting.POSTCODE, read_id=read_id(9), **made)
    _event(history, Refusal, "refusal", refusal_opening(refused, "revoked").decode(), slot)
    history.log.publish()
    return history


def _event(history: History, leaf: Any, kind: Any, text: str, slot: int) -> None:
    tag = event_tag(STOPPED_TAGS, leaf.type, 0)
    index = history.log.append(leaf(tag, commitment(granting.OPENING_KEY, leaf.type, text.encode())))
    history.open(index, kind, text, slot=slot, n=0)


@dataclass
class Scene:
    """A stolen log at `url`, and those who watch it; `reset` brings everything back to the honest state."""

    folder: Path
    ports: list[int] = field(default_factory=lambda: free_ports(4))
    servers: list[Any] = field(default_factory=list)
    liars: list[LyingLog] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.urls = dict(
            zip(("log", "other", *WITNESSES), map("http://localhost:{}".format, self.ports), strict=True)
        )
        self.honest = honest_life()
        self.trust = self.folder / "trust-list.jwt"
        registrar = builders.REGISTRAR.public.jwk()
        listed = (str(self.trust), registrar)
        witness = make_witness(
            Home(self.folder / "witness"),
            url=self.urls["witness"],
            name="witness.example",
            trust_list=listed[0],
            registrar=registrar,
            random=os.urandom,
        )
        cosigner = make_cosigner(self._home("cosigner"), self.urls["cosigner"], "court.example", int(time.time()))
        auditing = Config("auditor", *listed, LOG_ORIGIN, self.urls["cosigner"], "court.example")
        self._home("cosigner").write_config(auditing)
        self._home("auditor").write_config(Config("auditor", *listed, LOG_ORIGIN))
        self._sign([witness, cosigner])
        self.villain = self._liar()
        self.villain.serve(self.urls["log"])

    def _home(self, name: str) -> Home:
        return Home(self.folder / name).create()

    def _sign(self, witnesses: list[TrustedWitness]) -> None:
        key = str(NoteSigner(LOG_ORIGIN, builders.LOG_KEY).key)
        names = f"witness w {witnesses[0].vkey}\nwitness c {witnesses[1].vkey}\n"
        text = f"log {key}\n{names}group all all w c\nquorum all\n"
        log = TrustedLog(
            origin=LOG_ORIGIN,
            url=self.urls["log"],
            vkey=key,
            receipt_vkey=builders.vkey(f"{LOG_ORIGIN}/receipts", builders.LOG_RECEIPT_KEY),
            deposit_key=b64u_encode(builders.LOG_DEPOSIT_KEY.public_bytes()),
            policy=text,
        )
        self.trust.write_text(builders.trust_list_token(logs=[log], witnesses=witnesses))
        self.policy = parse_policy(text)
        self.accused = Accused(NoteSigner(LOG_ORIGIN, builders.LOG_KEY).key, self.policy)

    def _liar(self) -> LyingLog:
        openings = [to_builtins(opening) for opening in self.honest.openings.values()]
        signer = NoteSigner(LOG_ORIGIN, builders.LOG_KEY)
        self.liars.append(LyingLog(LOG_ORIGIN, [signer], list(self.honest.log.leaves), openings))
        return self.liars[-1]

    def reset(self) -> None:
        """Witnesses, log and openings as they were when the key was stolen; an honest, fresh checkpoint."""
        self.close_servers()
        fresh = self._liar()
        self.villain.leaves, self.villain.openings = fresh.leaves, fresh.openings
        for name, create in (("witness", consentlog.witness.create), ("cosigner", auditor.web.create)):
            home = self.folder / f"{name}-now"
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(self.folder / name, home)
            port = int(self.urls[name].rpartition(":")[2])
            server = make_server("localhost", port, create(home), threaded=True)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers.append(server)
        assert set(self.publish(0).values()) == {SIGNED}

    def publish(self, old: int | None = None) -> dict[str, str]:
        """Sign what the log holds now and ask both witnesses; what each said."""
        size = self.villain.honest_size if old is None else old
        self.villain.sign()
        return {name: self.villain.ask_cosignature(self.urls[name], size) for name in WITNESSES}

    def is_believed(self) -> bool:
        """Whether an agency or a wallet would take the checkpoint."""
        try:
            satisfied(self.policy, self.villain.note, int(time.time()))
        except Rejected:
            return False
        return True

    def watch(self, name: str, url: str | None = None) -> "Watch":
        """A new auditor in a home of its own."""
        home = self.folder / name
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.folder / "auditor", home)
        return Watch(Home(home), url)

    def close_servers(self) -> None:
        """Their ports are free again."""
        while self.servers:
            server = self.servers.pop()
            server.shutdown()
            server.server_close()

    def close(self) -> None:
        """Everything."""
        self.close_servers()
        for liar in self.liars:
            liar.close()


class Watch:
    """An auditor that follows; `until` looks again and again."""

    def __init__(self, home: Home, url: str | None) -> None:
        config = read_config(home)
        self.source = LogSource(trust_of(home, config), config.log, url, "token")
        self.follower = Follower(FollowStore(home))

    def look(self) -> Step:
        now = int(time.time())
        return self.follower.step(self.source.log(now), now)

    def until(self, code: str) -> Alarm | None:
        """The alarm `code`; None when it waits for that reason. An `AssertionError` after `PATIENCE` seconds."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            step = self.look()
            for alarm in step.alarms:
                if alarm.finding.code == code:
                    return alarm
            if step.code == code:
                return None
            time.sleep(EVERY)
        raise AssertionError(f"the auditor does not say {code}")


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


# -- the lies ----------------------------------------------------------------------------------------------------


def _slot_of(leaf: bytes) -> int:
    found = parse_leaf(leaf)
    assert isinstance(found, Grant)
    return found.slot


def fork(villain: LyingLog) -> None:
    villain.change(LIVE)


def fork_that_goes_on(villain: LyingLog) -> None:
    villain.change(LIVE)
    villain.add_head()


def rewind(villain: LyingLog) -> None:
    heads = [index for index, leaf in enumerate(villain.leaves) if leaf[0] == LeafType.HEAD]
    del villain.leaves[heads[-2] + 1 :]


def hidden_revocation(villain: LyingLog) -> None:
    villain.add_head(hide_revocations=True)


def hidden_new_revocation(villain: LyingLog) -> None:
    villain.leaves.append(Revocation(LIVE, LIVE, revocation_secret(granting.CODE, 1)).to_bytes())
    villain.add_head(hide_revocations=True)


def duplicate_grant(villain: LyingLog) -> None:
    grant = parse_leaf(villain.leaves[LIVE])
    assert isinstance(grant, Grant)
    villain.leaves.append(Grant(3, grant.lock, bytes(32)).to_bytes())
    villain.add_head()


def forced_revocation(villain: LyingLog) -> None:
    villain.leaves.append(Revocation(LIVE, LIVE, bytes(32)).to_bytes())
    villain.add_head()


def wrong_head(villain: LyingLog) -> None:
    head = parse_leaf(villain.leaves[-1])
    assert isinstance(head, Head)
    villain.leaves.append(head.to_bytes())


def late_read(villain: LyingLog) -> None:
    villain.read_after_revocation(next(opening for opening in villain.openings if opening["type"] == "refusal"))
    villain.add_head()


def read_again(villain: LyingLog, n: int | None) -> None:
    """The living grant's READ once more, as number `n`; None: without an opening, as number 1."""
    token = next(o["opening"] for o in villain.openings if o["type"] == "read" and o["slot"] == LIVE)
    tag = event_tag(granting.TAG_KEY, LeafType.READ, 1 if n is None else n)
    if n is not None:
        opened = {"type": "read", "slot": LIVE, "n": n, "opening": token, "opening_key": b64u_encode(OPENING_KEY)}
        villain.openings.append({"index": len(villain.leaves), **opened})
    villain.leaves.append(Read(tag, commitment(OPENING_KEY, LeafType.READ, token.encode())).to_bytes())
    villain.add_head()


def reused_n(villain: LyingLog) -> None:
    read_again(villain, 0)


def skipped_n(villain: LyingLog) -> None:
    read_again(villain, 2)


def one_read_twice(villain: LyingLog) -> None:
    read_again(villain, 1)


def hidden_read(villain: LyingLog) -> None:
    read_again(villain, None)


def untrue_refusal(villain: LyingLog) -> None:
    """A READ of the living grant is refused because it was stopped."""
    token = next(o["opening"] for o in villain.openings if o["type"] == "read" and o["slot"] == LIVE)
    members = json.loads(b64u_decode(token.split(".")[1]))
    again = granting.sign_read(granting.Read(**{**members, "read_id": read_id(77)}), *_agency())
    text = canonical_bytes({"read": again, "reason": "revoked"}).decode()
    tag = event_tag(granting.TAG_KEY, LeafType.REFUSAL, 0)
    opened = {"type": "refusal", "slot": LIVE, "n": 0, "opening": text, "opening_key": b64u_encode(OPENING_KEY)}
    villain.openings.append({"index": len(villain.leaves), **opened})
    villain.leaves.append(Refusal(tag, commitment(OPENING_KEY, LeafType.REFUSAL, text.encode())).to_bytes())
    villain.add_head()


def _agency() -> tuple[Any, Any]:
    return builders.AGENCY.key, builders.AGENCY.x5c


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
    other = scene._liar()
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
