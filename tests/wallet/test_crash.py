"""The wallet dies at every durable step and at every call: the grant resumes, or can be stopped.

A crash is a `BaseException` out of the transport or the vault, so nothing of ours can catch it; afterwards the
wallet is opened anew from its file, as the next command would. One test kills a real process.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from protocol.errors import RegieError
from tests.protocol.builders import AGENCY_ID
from tests.wallet.conftest import PASSPHRASE, Resident
from tests.wallet.neighbours import TX_CODE, Crash, Neighbours
from wallet.errand_grant import grant
from wallet.errand_receive import receive
from wallet.errand_request import share_once
from wallet.errand_revoke import stop_grant
from wallet.errand_sync import synchronise
from wallet.opened import OpenWallet
from wallet.records import Activity, Choice
from wallet.vault import Vault


class Steps:
    """Counts calls of the transport and transactions, before and after each; dies at one of them."""

    def __init__(self, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        self.die_at: int | None = None
        neighbours.on_call = self.step
        begin, finish = Vault.transaction, Vault._write_counter

        def transaction(vault: Vault) -> object:
            if not vault._depth:
                self.step("before commit")
            return begin(vault)

        def write_counter(vault: Vault) -> None:
            self.step("after commit")
            finish(vault)

        monkeypatch.setattr(Vault, "transaction", transaction)
        monkeypatch.setattr(Vault, "_write_counter", write_counter)

    def step(self, name: str) -> None:
        self.seen.append(name)
        if self.die_at is not None and len(self.seen) == self.die_at:
            raise Crash(name)

    def restart(self, die_at: int | None = None) -> None:
        self.seen, self.die_at = [], die_at


def run_until_crash(resident: Resident, errand: Callable[[OpenWallet], object]) -> bool:
    """Whether it died."""
    try:
        with resident.open() as wallet:
            errand(wallet)
    except Crash:
        return True
    except RegieError:
        return False
    return False


def number_of_steps(folder: Path, template: Path, monkeypatch: pytest.MonkeyPatch, errand: str) -> int:
    """How many places there are to die at, counted in a run without a crash."""
    with monkeypatch.context() as patch:
        resident, neighbours = prepared(folder / "dry", template)
        link = neighbours.agency.ask()
        steps = Steps(neighbours, patch)
        with resident.open() as wallet:
            grant(wallet, link, Choice())
            if errand == "stop":
                steps.restart()
                stop_grant(wallet, "1")
    return len(steps.seen)


def prepared(folder: Path, template: Path) -> tuple[Resident, Neighbours]:
    folder.mkdir()
    neighbours = Neighbours()
    return Resident(folder, neighbours).copy_of(template), neighbours


def check_consistent(resident: Resident, neighbours: Neighbours) -> None:
    """Whatever log or agency know, the wallet knows and can stop; never two grants for one yes.

    With each grant its code is used up and its set spent: a crash between would give both away a second time.
    """
    with resident.open() as wallet:
        records, copies = wallet.grants(), wallet.copies()
        for record in records.values():
            assert wallet.secrets().next_code > record.code_number
            assert {copies[name].agency for name in record.copies.values()} == {AGENCY_ID}
        assert len(neighbours.log.grants) <= 1
        assert len(neighbours.agency.grants) <= len(neighbours.log.grants)
        if neighbours.log.grants:
            assert [record.body.terms.lock for record in records.values()] == [neighbours.log.grants[0].terms.lock]


def test_granting_survives_a_crash_at_every_step(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = number_of_steps(tmp_path, template, monkeypatch, "grant")
    assert total > 12
    outcomes = set()
    for die_at in range(1, total + 1):
        with monkeypatch.context() as patch:
            resident, neighbours = prepared(tmp_path / str(die_at), template)
            steps = Steps(neighbours, patch)
            link = neighbours.agency.ask()
            steps.restart(die_at)
            assert run_until_crash(resident, lambda wallet, link=link: grant(wallet, link, Choice()))
            where = steps.seen[-1]
            steps.restart()
            check_consistent(resident, neighbours)
            with resident.open() as wallet:
                synchronise(wallet)
                states = [record.state for record in wallet.grants().values()]
            check_consistent(resident, neighbours)
            # Before the intent is kept there is nothing; after it the grant comes to its end, or is of uncertain
            # state because the agency took a first answer that we do not know of.
            assert states in ([], ["active"], ["uncertain"]), where
            if states:
                assert len(neighbours.agency.grants) == 1
            if states == ["uncertain"]:
                assert "/responses/" in where or where == "before commit", where
            outcomes.add(tuple(states))
    assert outcomes == {(), ("active",), ("uncertain",)}


def test_grant_can_be_stopped_after_a_crash_at_every_step(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = number_of_steps(tmp_path, template, monkeypatch, "grant")
    for die_at in range(1, total + 1):
        with monkeypatch.context() as patch:
            resident, neighbours = prepared(tmp_path / str(die_at), template)
            steps = Steps(neighbours, patch)
            link = neighbours.agency.ask()
            steps.restart(die_at)
            assert run_until_crash(resident, lambda wallet, link=link: grant(wallet, link, Choice()))
            steps.restart()
            delivered = len(neighbours.agency.grants)
            with resident.open() as wallet:
                for name in wallet.grants():
                    stop_grant(wallet, name)
                synchronise(wallet)
                neighbours.clock.time += 3700  # beyond the ticket: what never reached the log never will
                synchronise(wallet)
                for record in wallet.grants().values():
                    assert record.state == "failed" or (record.stop and record.stop.confirmed is not None)
            assert all(known.revoked is not None for known in neighbours.log.grants)
            assert len(neighbours.agency.grants) == delivered  # nothing was presented after the stop


def test_stopping_survives_a_crash_at_every_step(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = number_of_steps(tmp_path, template, monkeypatch, "stop")
    assert total > 6
    for die_at in range(1, total + 1):
        with monkeypatch.context() as patch:
            resident, neighbours = prepared(tmp_path / str(die_at), template)
            with resident.open() as wallet:
                grant(wallet, neighbours.agency.ask(), Choice())
            steps = Steps(neighbours, patch)
            steps.restart(die_at)
            died = run_until_crash(resident, lambda wallet: stop_grant(wallet, "1"))
            steps.restart()
            with resident.open() as wallet:
                asked = wallet.grant("1").stop is not None
                if asked:
                    synchronise(wallet)
                    stop = wallet.grant("1").stop
                    assert stop is not None
                    assert stop.confirmed == neighbours.log.grants[0].revoked
                else:
                    assert neighbours.log.grants[0].revoked is None  # the wallet's own part comes first
            assert died


def test_copy_that_may_have_left_is_spent_after_a_crash_at_every_step(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one agency may have seen, no other ever sees; and the resident can look up that it may be out."""
    die_at, died = 0, True
    while died:
        die_at += 1
        with monkeypatch.context() as patch:
            resident, neighbours = prepared(tmp_path / str(die_at), template)
            query = neighbours.agency.copy_query("postcode")
            link = neighbours.agency.ask(once=True, query=query)
            steps = Steps(neighbours, patch)
            steps.restart(die_at)
            died = run_until_crash(resident, lambda wallet, link=link: share_once(wallet, link))
            steps.restart()
            with resident.open() as wallet:
                spent = {copy.agency for copy in wallet.copies().values()} - {None}
                kept = [activity.kind for activity in wallet.vault.all("activities", Activity).values()]
                if neighbours.agency.copies:
                    assert spent == {AGENCY_ID}
                    assert kept in (["maybe_shared"], ["shared"])
                assert bool(spent) == bool(kept)
                share_once(wallet, neighbours.second.ask(once=True, query=query))
            if neighbours.agency.copies:
                first, second = (agency.copies[0]["adres"][0] for agency in (neighbours.agency, neighbours.second))
                assert first.split("~")[0] != second.split("~")[0]
    assert die_at > 8


def test_cards_are_kept_before_they_are_accepted_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An issuer that hears `credential_accepted` may close the offer: the cards must be in the vault by then."""
    die_at, died = 0, True
    while died:
        die_at += 1
        with monkeypatch.context() as patch:
            (tmp_path / str(die_at)).mkdir()
            neighbours = Neighbours()
            neighbours.issuer.batch_size = 2
            resident = Resident(tmp_path / str(die_at), neighbours)
            resident.create()
            link = neighbours.issuer.link("adres")
            steps = Steps(neighbours, patch)
            steps.restart(die_at)
            died = run_until_crash(resident, lambda wallet, link=link: receive(wallet, link, TX_CODE))
            steps.restart()
            with resident.open() as wallet:
                assert len(wallet.copies()) in (0, 2)
                if ("n-adres", "credential_accepted") in neighbours.issuer.notified:
                    assert len(wallet.copies()) == 2
    assert die_at > 10


_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import Neighbours
from wallet.errand_grant import grant
from wallet.records import Choice

folder, place = Path(sys.argv[1]), sys.argv[2]
neighbours = Neighbours()
resident = Resident(folder, neighbours)
link = neighbours.agency.ask()

def die(name):
    if place in name:
        os.kill(os.getpid(), signal.SIGKILL)

with resident.open() as wallet:
    neighbours.on_call = die
    grant(wallet, link, Choice())
"""


@pytest.mark.parametrize(
    "place", ["before POST https://log", "after POST https://log", "before POST https://agency"]
)
def test_killed_process_leaves_the_whole_grant(tmp_path: Path, template: Path, place: str) -> None:
    resident, _ = prepared(tmp_path / "home", template)
    place = place.replace("agency", "agency.voorbeeld.example/responses")
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path / "home"), place],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    assert PASSPHRASE not in b"".join(path.read_bytes() for path in resident.home.path.iterdir())
    with resident.open() as wallet:
        (record,) = wallet.grants().values()
        expected = {"before POST https://log": "intended", "after POST https://log": "intended"}
        assert record.state == expected.get(place, "delivering")
        assert record.body.terms.lock
        assert record.sealed
