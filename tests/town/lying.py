"""A stolen log with real witnesses and auditors around it, over HTTP in one process, and what it can lie about.

Import as `from tests.town import lying`.
"""

import json
import os
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

import auditor.web
import consentlog.witness
from auditor.config import Config, make_cosigner, read_config, trust_of
from auditor.follow import Alarm, Follower, Step
from auditor.follow_store import FollowStore
from auditor.roots import AgencyRoots
from auditor.watch import LogSource
from consentlog.config import make_witness
from examples.lying_log import OPENING_KEY, LyingLog
from examples.processes import free_ports
from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, sha256, to_builtins
from protocol.errors import Rejected
from protocol.fraud import Accused
from protocol.leaf import Grant, Head, LeafType, Read, Refusal, Revocation, commitment, event_tag, parse_leaf
from protocol.note import NoteSigner
from protocol.policy import parse_policy, satisfied
from protocol.presentation import grant_opening
from protocol.reading import refusal_opening
from protocol.revocation_code import lock_for, revocation_secret
from protocol.trust_list import TrustedLog, TrustedWitness
from service.home import Home
from tests.auditor.history import History, read_id
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
        self.villain = self.liar()
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

    def liar(self) -> LyingLog:
        openings = [to_builtins(opening) for opening in self.honest.openings.values()]
        signer = NoteSigner(LOG_ORIGIN, builders.LOG_KEY)
        self.liars.append(LyingLog(LOG_ORIGIN, [signer], list(self.honest.log.leaves), openings))
        return self.liars[-1]

    def reset(self) -> None:
        """Witnesses, log and openings as they were when the key was stolen; an honest, fresh checkpoint."""
        self.close_servers()
        fresh = self.liar()
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
        self.source = LogSource(trust_of(home, config), config.log, url, "token", AgencyRoots(home))
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


# -- the lies ----------------------------------------------------------------------------------------------------


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
