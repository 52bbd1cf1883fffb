"""A crash at each durable step: what was done is found again, what was not is done again, nothing happens twice.

Each write of the store is made to fail, once without and once with having persisted; then the agency starts again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import Rejected
from protocol.openid4vp import VerifiedRequest
from tests.verifier.agency import PURPOSE, Agency, Granted, Wallet, copy_form
from verifier.reader import read_grant, take_copy


class CrashError(Exception):
    """The process died here."""


def crash_at(agency: Agency, part: str, method: str, *, persisted: bool) -> None:
    """The next call of a store method dies, before or after its transaction."""
    owner = getattr(agency.desk.store, part)
    original: Callable[..., Any] = getattr(owner, method)

    def dying(*arguments: Any, **named: Any) -> Any:
        if persisted:
            original(*arguments, **named)
        raise CrashError

    setattr(owner, method, dying)


def restart(agency: Agency) -> None:
    """Only what is on disk is left."""
    agency.desk.store.close()
    agency.start()


PERSISTED = pytest.mark.parametrize("persisted", [False, True])


def send(agency: Agency, rid: str, body: bytes) -> int:
    """Status of the answer; 0 when the server died."""
    agency.app.testing = True
    try:
        return agency.post(rid, body).status_code
    except CrashError:
        restart(agency)
        return 0


@pytest.fixture
def asked(agency: Agency, wallet: Wallet) -> tuple[str, VerifiedRequest]:
    rid, link = agency.ask()
    return rid, wallet.open(agency, link)


@PERSISTED
@pytest.mark.parametrize("method", ["add", "add_object"])
def test_crash_while_asking_leaves_nothing_or_a_request_that_nobody_has(
    agency: Agency, method: str, persisted: bool
) -> None:
    crash_at(agency, "requests", method, persisted=persisted)
    with pytest.raises(CrashError):
        agency.ask()
    restart(agency)
    rid, _ = agency.ask()
    assert agency.web.get(f"/requests/{rid}").status_code == 200
    for stored in agency.desk.store.requests.all():
        assert agency.web.get(f"/requests/{stored.request.id}").status_code == 200


@PERSISTED
def test_crash_while_signing_for_a_wallet_nonce(agency: Agency, wallet: Wallet, persisted: bool) -> None:
    rid, link = agency.ask()
    crash_at(agency, "requests", "add_object", persisted=persisted)
    agency.app.testing = True
    with pytest.raises(CrashError):
        agency.web.post(f"/requests/{rid}", data={"wallet_nonce": "n"})
    restart(agency)
    made = wallet.grant(wallet.open(agency, link, nonce="n"))
    assert send(agency, rid, made.form()) == 200


@PERSISTED
def test_crash_while_storing_a_grant(agency: Agency, wallet: Wallet, asked: Any, persisted: bool) -> None:
    rid, request = asked
    made = wallet.grant(request)
    crash_at(agency, "grants", "add", persisted=persisted)
    assert send(agency, rid, made.form()) == 0
    assert len(agency.stored()["grants"]) == persisted
    assert send(agency, rid, made.form()) == 200
    (grant,) = agency.desk.store.grants.all()
    assert grant.answer.sealed == made.sealed
    assert read_grant(agency.desk, rid, [], PURPOSE).n == 0


@PERSISTED
def test_crash_while_storing_a_copy(agency: Agency, wallet: Wallet, persisted: bool) -> None:
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    body = copy_form(request, wallet.show(request))
    crash_at(agency, "requests", "answer_with_copy", persisted=persisted)
    assert send(agency, rid, body) == 0
    assert send(agency, rid, body) == (400 if persisted else 200)
    assert take_copy(agency.desk, rid)["postcode"] == "1234AB"


@pytest.fixture
def granted(agency: Agency, wallet: Wallet, asked: Any) -> Granted:
    made = wallet.grant(asked[1])
    assert send(agency, asked[0], made.form()) == 200
    return made


@PERSISTED
def test_crash_before_the_read_is_sent(agency: Agency, asked: Any, granted: Granted, persisted: bool) -> None:
    """Kept but not sent, or not even kept: no entry, and the next try makes one."""
    crash_at(agency, "reads", "add", persisted=persisted)
    with pytest.raises(CrashError):
        read_grant(agency.desk, asked[0], [], PURPOSE)
    assert not agency.log.requests
    restart(agency)
    assert read_grant(agency.desk, asked[0], [], PURPOSE).n == 0
    assert [row["state"] for row in agency.desk.store.reads.all()] == ["done"]


def test_crash_after_the_read_was_sent(agency: Agency, asked: Any, granted: Granted) -> None:
    """The log has an entry and the agency no answer: the same READ goes again, and there is one entry."""

    def die(answer: Any) -> Any:
        raise CrashError

    agency.log.lie = die
    with pytest.raises(CrashError):
        read_grant(agency.desk, asked[0], [], PURPOSE)
    restart(agency)
    agency.log.lie = lambda answer: answer
    agency.clock.time += 600
    assert read_grant(agency.desk, asked[0], [], PURPOSE).n == 0
    assert len(set(agency.log.requests)) == 1
    assert agency.log.reads == 1


@PERSISTED
def test_crash_before_values_are_handed_on(agency: Agency, asked: Any, granted: Granted, persisted: bool) -> None:
    """Not kept: the same READ again. Kept, but the values reached nobody: a new READ, which the resident sees."""
    crash_at(agency, "reads", "finish", persisted=persisted)
    with pytest.raises(CrashError):
        read_grant(agency.desk, asked[0], [], PURPOSE)
    restart(agency)
    opened = read_grant(agency.desk, asked[0], [], PURPOSE)
    assert opened.values["postcode"] == "1234AB"
    assert (opened.n, agency.log.reads) == ((1, 2) if persisted else (0, 1))


@PERSISTED
@pytest.mark.parametrize("step", [("reads", "refuse"), ("grants", "end")])
def test_crash_while_a_revocation_is_noted(
    agency: Agency, asked: Any, granted: Granted, persisted: bool, step: tuple[str, str]
) -> None:
    agency.log.stop(granted.sealed.slot, granted.secret)
    crash_at(agency, *step, persisted=persisted)
    with pytest.raises(CrashError):
        read_grant(agency.desk, asked[0], [], PURPOSE)
    restart(agency)
    with pytest.raises(Rejected, match="revoked"):
        read_grant(agency.desk, asked[0], [], PURPOSE)
    assert agency.desk.store.grants.get(asked[0]).state == "revoked"


@PERSISTED
def test_crash_while_a_copy_is_taken(agency: Agency, wallet: Wallet, persisted: bool) -> None:
    """Handed over at most once: a crash after the deletion loses the copy, and never hands it over twice."""
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    assert send(agency, rid, copy_form(request, wallet.show(request))) == 200
    crash_at(agency, "requests", "take_copy", persisted=persisted)
    with pytest.raises(CrashError):
        take_copy(agency.desk, rid)
    restart(agency)
    if persisted:
        with pytest.raises(Rejected, match="no_copy"):
            take_copy(agency.desk, rid)
    else:
        assert take_copy(agency.desk, rid)["postcode"] == "1234AB"


def test_store_that_cannot_write_refuses_and_keeps_what_it_had(
    agency: Agency, wallet: Wallet, asked: Any, tmp_path: Path
) -> None:
    made = wallet.grant(asked[1])
    before = agency.stored()
    agency.desk.store._file.database.conn.execute("PRAGMA query_only=ON")
    assert send(agency, asked[0], made.form()) == 503
    agency.desk.store._file.database.conn.execute("PRAGMA query_only=OFF")
    assert agency.stored() == before
    assert send(agency, asked[0], made.form()) == 200


def test_store_is_durable_and_closed_to_others(agency: Agency) -> None:
    connection = agency.desk.store._file.database.conn
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA secure_delete").fetchone()[0] == 1
    assert agency.home.file("verifier.db").stat().st_mode & 0o777 == 0o600
