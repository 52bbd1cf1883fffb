"""Every key of the log and of its cosigners is rotated while agencies read without a pause (docs/rotation.md).

A registrar's own rules make the lists. Each answer is judged as an agency does, under the newest list, and, where
a reader may still have it, under the one before.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from consentlog import config
from consentlog.keys import OLD_DEPOSIT_SECONDS, LogKeyring, read_entry
from consentlog.rotation import Rotation
from protocol.canonical import b64u_decode, b64u_encode
from protocol.checkpoint import verify_checkpoint
from protocol.errors import Rejected
from protocol.light_check import verify_light_check
from protocol.log_keys import LogKeys, log_keys
from protocol.note import NoteSigner, parse_note, parse_vkey
from protocol.policy import MAX_AGE, parse_policy, satisfied
from protocol.presentation import seal_deposit
from protocol.receipt import verify_revocation_receipt
from protocol.seal import KemPrivate
from protocol.trust_list import TrustedLog, TrustedWitness, TrustList, sign_trust_list
from registrar.draft import Draft
from registrar.register import next_list
from service.app import make_app
from service.clock import Clock
from service.database import engine_for, sqlite_url
from service.epochs import Epochs, turn_of
from service.home import Home
from service.trust import LISTED_SECONDS
from service.witness import Witness, witness_blueprint
from service.witness_keys import CosignerKeys
from tests.consentlog.small_town import Given, SmallTown
from tests.protocol import builders
from tests.protocol.builders import AUDITOR_NAME, LOG_ORIGIN, WITNESS_NAME
from tests.waiting import wait_until

RANDOM = os.urandom


class Registry:
    """The registrar of a small town, whose log and witnesses have keys of their own homes."""

    def __init__(self, town: SmallTown) -> None:
        self.town = town
        self.entry = town.entry
        self.witnesses = [self._witness(WITNESS_NAME), self._witness(AUDITOR_NAME, auditing=True)]
        self.lists: list[TrustList] = []
        self.publish()

    def _witness(self, name: str, auditing: bool = False) -> TrustedWitness:
        home = Home(self.town.folder / name).create()
        home.write_secret("key", RANDOM(32))
        receipt = builders.vkey(f"{name}/receipts", builders.AUDITOR_KEY) if auditing else None
        listed = TrustedWitness(name=name, url=f"https://{name}", vkey="", auditing=auditing, receipt_vkey=receipt)
        self._serve(name, self.keys(name), self.town.witness_clock, auditing)
        return self.keys(name).entry(listed)

    def keys(self, name: str) -> CosignerKeys:
        return CosignerKeys(Home(self.town.folder / name), name, "key")

    def _serve(self, name: str, keys: CosignerKeys, clock: Clock, auditing: bool) -> None:
        def log_of(origin: str) -> LogKeys | None:
            return log_keys(self.log) if origin == LOG_ORIGIN else None

        store = engine_for(sqlite_url(self.town.folder / name / "witness.db"))
        hook = self.town.cosigner.before_cosign if auditing else None
        witness = Witness(store, keys.signers, clock, log_of, before_cosign=hook)
        app = self.town.cosigner.web(witness) if auditing else make_app("consentlog")
        if not auditing:
            app.register_blueprint(witness_blueprint(witness))
        self.town.wires.hosts[name] = app

    @property
    def trust(self) -> TrustList:
        return self.lists[-1]

    @property
    def log(self) -> TrustedLog:
        return self.trust.log(LOG_ORIGIN)

    def publish(self) -> TrustList:
        """Sign what the parties have given; in force at once."""
        draft = Draft(
            "R",
            issuers=[builders.issuer()],
            agencies=[builders.agency()],
            logs=[self.entry],
            witnesses=[*self.witnesses],
        )
        before, now = (self.trust if self.lists else None), self.town.clock.now()
        version = before.version + 1 if before else 2
        trust = next_list(draft, version=version, now=now, days=366, before=before)
        self.town.trust_list.write_text(sign_trust_list(trust, builders.REGISTRAR))
        self.lists.append(trust)
        return trust


class Reader(threading.Thread):
    """An agency that reads one grant over and over, and judges every answer under the list that is in force."""

    def __init__(self, registry: Registry, given: Given) -> None:
        super().__init__(daemon=True)
        self.registry, self.given = registry, given
        self.reads, self.failed = 0, ""
        self.stopping = threading.Event()

    def run(self) -> None:
        town = self.registry.town
        while not self.stopping.is_set() and not self.failed:
            try:
                sent, answer = town.read(self.given)
                check = {"now": town.clock.now(), "max_age": MAX_AGE + 20}  # the clock jumps meanwhile
                log = self.registry.log
                verify_light_check(
                    answer.evidence,
                    town._opening_of(sent),
                    log_key=log_keys(log),
                    policy=parse_policy(log.policy),
                    **check,
                )
                self.reads += 1
            except (Rejected, AssertionError) as error:
                self.failed = repr(error)

    def sees(self, count: int = 2) -> None:
        """So many more reads went well; at least one of them began after this call."""
        goal = self.reads + count
        wait_until(lambda: self.reads >= goal or bool(self.failed))
        assert not self.failed


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    town = SmallTown(tmp_path)
    registry = Registry(town)
    with town.running():
        yield registry


@contextmanager
def reading(registry: Registry) -> Iterator[Reader]:
    reader = Reader(registry, registry.town.grant())
    reader.start()
    try:
        reader.sees()
        yield reader
        reader.sees()
    finally:
        reader.stopping.set()
        reader.join(60)
    assert not reader.failed


def note(registry: Registry) -> str:
    return registry.town.send("GET", "/checkpoint").text


def is_believed(text: str, log: TrustedLog, now: int, max_age: int | None = 60) -> bool:
    try:
        satisfied(parse_policy(log.policy), text, now, max_age, log_keys=[log_keys(log)])
    except Rejected:
        return False
    return True


def pass_time(registry: Registry, seconds: int) -> None:
    """In steps in which the witnesses cosign again, as they do in life."""
    town = registry.town
    node = town.node
    assert node is not None
    for step in [20] * (seconds // 20) + [seconds % 20]:
        town.advance(step)
        wait_until(lambda: node.published.age(town.clock.now()) == 0)


def rotated(registry: Registry, reader: Reader, kind: str) -> None:
    """One rotation from its beginning to its end, each step seen by the reader."""
    rotation = Rotation(registry.town.home, LOG_ORIGIN)
    registry.entry = rotation.begin(kind, RANDOM)
    reader.sees()
    registry.publish()
    reader.sees()
    pass_time(registry, LISTED_SECONDS)
    registry.entry = rotation.finish(kind, registry.trust, registry.town.clock.now())
    reader.sees()
    registry.publish()
    reader.sees()


@pytest.mark.parametrize("kind", ["log-key", "pq-key"])
def test_key_that_signs_checkpoints_is_rotated_while_agencies_read(registry: Registry, kind: str) -> None:
    town = registry.town
    with reading(registry) as reader:
        before, old = note(registry), registry.log
        rotated(registry, reader, kind)
        town.settle()
        first, overlap, last = registry.lists
        after, now = note(registry), town.clock.now()
    member = "vkey" if kind == "log-key" else "pq_vkey"
    new_key = getattr(last.logs[0], member)
    assert overlap.logs[0].also == [new_key] != [getattr(old, member)]
    assert (last.logs[0].also, [entry.vkey for entry in last.logs[0].retired]) == ([], [getattr(old, member)])
    assert is_believed(after, last.logs[0], now)
    assert is_believed(after, overlap.logs[0], now)  # who has not fetched the last list yet
    assert not is_believed(after, first.logs[0], now)
    assert not is_believed(before, last.logs[0], now - LISTED_SECONDS)  # the old key no longer counts
    assert is_believed(before, last.logs[0], now, None)  # but for looking back


def test_old_log_key_signs_no_more_once_the_rotation_is_finished(registry: Registry) -> None:
    with reading(registry) as reader:
        old = parse_vkey(registry.log.vkey)
        rotated(registry, reader, "log-key")
        registry.town.settle()
        signed = parse_note(note(registry)).signatures
    assert old.key_id not in [line.key_id for line in signed if line.name == LOG_ORIGIN]
    assert not registry.town.home.has("log-key-next")


def test_thief_of_the_old_log_key_is_believed_neither_now_nor_looking_back(registry: Registry) -> None:
    """A checkpoint that the old key signs after its retirement, with the witnesses' cosignatures of that time."""
    town = registry.town
    stolen = [*LogKeyring(town.home, LOG_ORIGIN).log.all(), *LogKeyring(town.home, LOG_ORIGIN).post_quantum.all()]
    with reading(registry) as reader:
        rotated(registry, reader, "log-key")
    pass_time(registry, MAX_AGE + LISTED_SECONDS)
    text, now = note(registry), town.clock.now()
    body = parse_note(text).body
    witnesses = [line.line() for line in parse_note(text).signatures if line.name != LOG_ORIGIN]
    forged = f"{body}\n" + "".join(signer.sign(body) for signer in stolen) + "".join(witnesses)
    assert is_believed(text, registry.log, now)
    assert not is_believed(forged, registry.log, now)
    assert not is_believed(forged, registry.log, now, None)
    with pytest.raises(Rejected):
        verify_checkpoint(forged, log_keys(registry.log))


def test_log_of_before_gets_its_first_post_quantum_key_while_agencies_read(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    town.home.remove("pq-key")
    town.entry = msgspec.structs.replace(town.entry, pq_vkey=None)
    registry = Registry(town)
    with town.running(), reading(registry) as reader:
        before = note(registry)
        town.home.write_json("entry.json", town.entry)
        registry.entry = Rotation(town.home, LOG_ORIGIN).begin("pq-key", RANDOM)
        reader.sees()
        registry.publish()
        reader.sees()
        assert registry.log.pq_vkey is not None
        town.settle()
        now = town.clock.now()
        assert is_believed(note(registry), registry.log, now)
        assert not is_believed(before, registry.log, now)
        assert is_believed(before, registry.log, now, None)


def test_receipt_key_is_rotated_and_both_lists_read_the_receipts_between(registry: Registry) -> None:
    town = registry.town

    def receipt() -> tuple[str, bytes]:
        given = town.grant()
        return town.revoke(given).receipt, b64u_decode(given.terms.lock)

    def is_good(text: str, lock: bytes, log: TrustedLog) -> bool:
        try:
            verify_revocation_receipt(text, parse_vkey(log.receipt_vkey), origin=LOG_ORIGIN, lock=lock)
        except Rejected:
            return False
        return True

    before = receipt()
    rotation = Rotation(town.home, LOG_ORIGIN)
    registry.entry = rotation.begin("receipt-key", RANDOM)
    between = receipt()
    registry.publish()
    first, second = registry.lists[0].logs[0], registry.lists[1].logs[0]
    assert first.receipt_vkey != second.receipt_vkey
    assert is_good(*between, first)
    assert is_good(*between, second)
    pass_time(registry, LISTED_SECONDS)
    registry.entry = rotation.finish("receipt-key", registry.trust, town.clock.now())
    after = receipt()
    registry.publish()
    assert is_good(*after, registry.log)
    assert not is_good(*after, first)
    assert not is_good(*before, registry.log)  # only its signer says when: a retired key counts for nothing


def test_deposits_are_opened_by_the_old_key_for_a_day_and_then_no_more(registry: Registry) -> None:
    town = registry.town
    old = registry.log.deposit_key

    def grant_status(sealed_to: str) -> int:
        _, b, request = town.grant_request()
        sealed = seal_deposit(b64u_decode(sealed_to), request.terms, b)
        return town.send(
            "POST", "/v1/grants", msgspec.structs.replace(request, deposit=b64u_encode(sealed))
        ).status_code

    rotation = Rotation(town.home, LOG_ORIGIN)
    registry.entry = rotation.begin("deposit-key", RANDOM)
    new = registry.entry.deposit_key
    assert [grant_status(key) for key in (old, new)] == [201, 201]
    registry.publish()
    pass_time(registry, LISTED_SECONDS)
    registry.entry = rotation.finish("deposit-key", registry.trust, town.clock.now())
    assert [grant_status(key) for key in (old, new)] == [201, 201]
    keys = LogKeyring(town.home, LOG_ORIGIN)
    now = town.clock.now()
    assert len(keys.deposit_keys(now + OLD_DEPOSIT_SECONDS - 1)) == 2
    assert len(keys.deposit_keys(now + OLD_DEPOSIT_SECONDS)) == 1
    assert not town.home.has("deposit-key-old")
    assert [grant_status(key) for key in (old, new)] == [400, 201]
    assert b64u_encode(KemPrivate(town.home.read_secret("deposit-key")).public_bytes()) == new


@pytest.mark.parametrize("name", [WITNESS_NAME, AUDITOR_NAME])
@pytest.mark.parametrize("post_quantum", [False, True], ids=["ed25519", "ml-dsa"])
def test_cosigners_key_is_rotated_while_agencies_read(registry: Registry, name: str, post_quantum: bool) -> None:
    town = registry.town
    keys = registry.keys(name)
    place = [entry.name for entry in registry.witnesses].index(name)
    with reading(registry) as reader:

        def step(change: Callable[[], None]) -> None:
            change()
            registry.witnesses[place] = keys.entry(registry.witnesses[place])
            reader.sees()
            registry.publish()
            reader.sees()

        if post_quantum:
            step(lambda: keys.begin(RANDOM, post_quantum=True))  # its first key of that kind, not yet asked
            step(lambda: None)  # asked from this list on
        before, then = note(registry), registry.log
        step(lambda: keys.begin(RANDOM, post_quantum=post_quantum))
        pass_time(registry, LISTED_SECONDS)
        step(lambda: keys.finish(registry.trust, town.clock.now(), post_quantum=post_quantum))
        town.settle()
        after, now = note(registry), town.clock.now()
    assert then.policy != registry.log.policy
    assert is_believed(after, registry.log, now)
    assert is_believed(after, registry.lists[-2].logs[0], now)
    assert not is_believed(after, then, now)
    assert not is_believed(before, registry.log, now, 9999)
    assert is_believed(before, registry.log, now, None)


def test_cosigner_with_a_post_quantum_key_is_asked_for_both_lines(registry: Registry) -> None:
    town = registry.town
    registry.keys(WITNESS_NAME).begin(RANDOM, post_quantum=True)
    registry.witnesses[0] = registry.keys(WITNESS_NAME).entry(registry.witnesses[0])
    registry.publish()
    registry.publish()  # asked from the list on that comes after the one that first names it
    town.grant()
    text, now = note(registry), town.clock.now()
    assert is_believed(text, registry.log, now)
    for signer in registry.keys(WITNESS_NAME).signers():
        without = "".join(
            line + "\n"
            for line in text.split("\n")[:-1]
            if not line.startswith("—") or parse_note(f"x\n\n{line}\n").signatures[0].key_id != signer.key.key_id
        )
        assert without != text
        assert not is_believed(without, registry.log, now)


def test_epoch_is_begun_on_demand_and_the_old_key_goes(registry: Registry) -> None:
    town = registry.town
    with reading(registry) as reader:
        epochs = Epochs(Home(town.home.path / config.EPOCHS))
        old = epochs.current
        assert turn_of(epochs.begin(RANDOM(32), town.clock.now())) == turn_of(old) + 1
        reader.sees()
        assert town.node is not None
        town.node.writer._next_upkeep = 0.0  # in life within a minute
        wait_until(lambda: epochs.past() == [])
        reader.sees()


# --- What is refused -------------------------------------------------------------------------------------


def test_rotation_is_not_finished_before_everybody_knows_the_new_key(registry: Registry) -> None:
    town = registry.town
    rotation = Rotation(town.home, LOG_ORIGIN)

    def refusal(kind: str) -> str:
        with pytest.raises(Rejected) as caught:
            rotation.finish(kind, registry.trust, town.clock.now())
        return caught.value.code

    for kind in ("log-key", "pq-key", "receipt-key", "deposit-key"):
        before = town.home.read_secret(kind)
        assert refusal(kind) == "no_rotation"
        registry.entry = rotation.begin(kind, RANDOM)
        assert refusal(kind) == "not_listed"
        with pytest.raises(Rejected) as caught:
            rotation.begin(kind, RANDOM)
        assert caught.value.code == "rotation_under_way"
        registry.publish()
        assert refusal(kind) == "too_soon"
        assert town.home.read_secret(kind) == before


@pytest.mark.parametrize("kind", ["log-key", "pq-key", "receipt-key", "deposit-key"])
def test_rotation_that_was_killed_is_taken_up_by_the_same_command(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    town = registry.town
    rotation = Rotation(town.home, LOG_ORIGIN)
    old = town.entry
    written = Home.write_json

    def killed_at(call: int) -> None:
        """The machine stops at this writing of the entry."""
        left = [call]

        def write(home: Home, name: str, value: object) -> None:
            left[0] -= 1
            if left[0] <= 0:
                raise KeyboardInterrupt
            written(home, name, value)

        monkeypatch.setattr(Home, "write_json", write)

    killed_at(1)
    with pytest.raises(KeyboardInterrupt):
        rotation.begin(kind, RANDOM)
    monkeypatch.undo()
    with pytest.raises(Rejected, match="rotation_under_way"):
        rotation.begin(kind, RANDOM)
    registry.entry = read_entry(town.home)
    registry.publish()
    now = town.clock.now() + LISTED_SECONDS
    for call in (1, 2):
        killed_at(call)
        with pytest.raises(KeyboardInterrupt):
            rotation.finish(kind, registry.trust, now)
        monkeypatch.undo()
    with pytest.raises(Rejected, match="no_rotation"):
        rotation.finish(kind, registry.trust, now)
    entry = read_entry(town.home)
    assert entry == LogKeyring(town.home, LOG_ORIGIN).entry(entry)
    gone = {"log-key": old.vkey, "pq-key": old.pq_vkey, "receipt-key": old.receipt_vkey}.get(kind)
    assert [key.vkey for key in entry.retired] == ([] if gone is None else [gone])
    assert entry.also == []


def test_witness_is_not_finished_before_everybody_knows_the_new_key(registry: Registry) -> None:
    keys, now = registry.keys(WITNESS_NAME), registry.town.clock.now()

    def refusal(at: int) -> str:
        with pytest.raises(Rejected) as caught:
            keys.finish(registry.trust, at, post_quantum=False)
        return caught.value.code

    assert refusal(now) == "no_rotation"
    keys.begin(RANDOM, post_quantum=False)
    assert refusal(now) == "not_listed"
    registry.witnesses[0] = keys.entry(registry.witnesses[0])
    registry.publish()
    assert refusal(now + LISTED_SECONDS - 1) == "too_soon"
    keys.finish(registry.trust, now + LISTED_SECONDS, post_quantum=False)
    assert len(keys.signers()) == 1


def test_server_that_runs_takes_up_a_key_that_another_process_made(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    home.write_secret("key", RANDOM(32))
    serving, command = CosignerKeys(home, "w.example", "key"), CosignerKeys(home, "w.example", "key")
    first = [signer.key for signer in serving.signers()]
    command.begin(RANDOM, post_quantum=False)
    assert [signer.key for signer in serving.signers()][:1] == first
    assert len(serving.signers()) == 2
    assert all(isinstance(signer, NoteSigner) for signer in serving.signers())


@pytest.mark.parametrize("kind", ["receipt-key", "deposit-key"])
def test_key_that_was_lost_gets_a_first_one_again(tmp_path: Path, kind: str) -> None:
    town = SmallTown(tmp_path)
    town.home.remove(kind)
    made = Rotation(town.home, LOG_ORIGIN).begin(kind, RANDOM)
    before = town.entry
    assert (made.receipt_vkey == before.receipt_vkey) == (kind == "deposit-key")
    assert (made.deposit_key == before.deposit_key) == (kind == "receipt-key")
    assert not town.home.has(f"{kind}-next")
