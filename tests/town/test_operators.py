"""Two of three operators hold the shares, each a process of its own; the log holds none.

What an operator needs not be honest about, and what the agency and the log need not either, is tried with all the
secrets that they have: their homes, read as a thief would read them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from auditor.config import epochs_of
from examples import within
from examples.founding import Teller, Town, found_town
from examples.two_of_three import story
from protocol.canonical import b64u_decode, sha256
from protocol.consent_api import ReadAnswer, ReleaseRequest
from protocol.disclosure import parse_disclosure
from protocol.errors import RegieError, Rejected
from protocol.operators import held_by, open_pieces_release
from protocol.presentation import claim_share, open_disclosure, open_share_a
from protocol.receipt import parse_tlog_proof
from protocol.seal import KemPrivate
from protocol.share_at_rest import unwrap_share, wrap_share
from protocol.terms import Claim, Operators, Terms, terms_hash
from service.fetch import Fetcher
from service.home import Home
from tests.town.residents import CASE, Agreement, agree, read, revoke
from verifier import reader
from verifier.client import OperatorClient
from verifier.desk import Desk, Parts, default_parts
from verifier.gate import PendingRead, Purpose, choose_digests
from verifier.grants import StoredGrant

PURPOSE = Purpose(CASE, "a clerk who keeps things")
NAMES = ("operator0", "operator1", "operator2")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town whose shares are dealt to two of three."""
    founded = found_town(
        tmp_path_factory.mktemp("dealt"), Teller(quiet=True), operators=(2, 3), command=within.run
    )
    yield founded
    founded.close()


@pytest.fixture(autouse=True)
def all_up(town: Town) -> Iterator[None]:
    """Whom a test took down is up again afterwards."""
    yield
    for name in NAMES:
        if town.servers[name].process is None:
            town.servers[name].start()


def rows(town: Town, name: str, database: str, sql: str) -> list[tuple[object, ...]]:
    """What stands in a home."""
    with closing(sqlite3.connect(town.at(name) / database)) as connection:
        return connection.execute(sql).fetchall()


def outcomes(town: Town, index: int) -> dict[str, str]:
    """What came of each operator for the READ with this entry."""
    sql = (
        f"SELECT operator, outcome FROM releases JOIN reads ON reads.id = releases.read WHERE leaf_index = {index}"
    )
    return {
        str(name).removesuffix(".example"): str(what) for name, what in rows(town, "agency", "verifier.db", sql)
    }


def test_any_two_operators_are_enough_and_one_is_not(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """The story of `examples.two_of_three`, in this town."""
    first, second, third = story(town, Teller())
    told = capsys.readouterr().out
    assert rows(town, "log", "log.db", "SELECT * FROM shares") == []
    assert [answer["values"] for answer in (first, second, third)] == [{"postcode": "9901SA"}] * 3
    agreed = [
        {name for name, what in outcomes(town, one["index"]).items() if what == "agreed"}
        for one in (first, second)
    ]
    assert agreed[0] <= set(NAMES)
    assert len(agreed[0]) >= 2  # one that is late on a busy machine is not waited for
    assert agreed[1] == {"operator1", "operator2"}
    assert third["n"] in (2, 3)  # the same READ, gone on with; another when all this took longer than a minute
    assert "nobody reads: no_operators" in told
    assert "integrity ok, completeness ok, policy ok" in told


def test_operator_that_was_away_gets_its_pieces_and_its_leaves_later(town: Town) -> None:
    town.servers["operator2"].kill()
    bram = agree(town, "bram", person=1)
    assert town.regie("bram", "wallet", "sync", expect=None).answer["waiting"] == [f"share of grant {bram.grant}"]
    town.servers["operator2"].start()
    assert town.regie("bram", "wallet", "sync").answer["waiting"] == []
    town.servers["operator0"].kill()
    assert read(town, bram).answer["values"]["postcode"]


def test_lying_operator_is_named_and_the_read_is_right(town: Town) -> None:
    """It turns a bit of one piece before it wraps it again; nobody can tell from outside."""
    carla = agree(town, "carla", person=2)
    spoil_pieces(town, "operator1", carla)
    for _ in range(5):  # one that is late on a busy machine is not waited for
        answer = read(town, carla).answer
        assert answer["values"]["postcode"]
        if outcomes(town, answer["index"])["operator1"] == "lied":
            break
    assert outcomes(town, answer["index"])["operator1"] == "lied"
    town.servers["operator0"].kill()  # now only one honest operator is left
    assert read(town, carla, expect=None).code == "no_operators"


def spoil_pieces(town: Town, name: str, agreement: Agreement) -> None:
    """What the owner of an operator can do to its own store."""
    lock = lock_of(town, agreement)
    epoch, slot, pieces = pieces_at_rest(town, name, lock)
    lie = bytes([pieces[0][0] ^ 1]) + pieces[0][1:] + pieces[1]
    key = epochs_of(Home(town.at(name))).key(epoch)
    with closing(sqlite3.connect(town.at(name) / "auditor.db")) as connection, connection:
        changed = connection.execute(
            "UPDATE operator_shares SET wrapped = ? WHERE lock = ?",
            (wrap_share(key, slot, lock, lie, bytes(24)), lock),
        )
        assert changed.rowcount == 1


def lock_of(town: Town, agreement: Agreement) -> bytes:
    ((lock,),) = rows(town, "agency", "verifier.db", f"SELECT lock FROM grants WHERE slot = {agreement.slot}")
    return b64u_decode(str(lock))


def pieces_at_rest(town: Town, name: str, lock: bytes) -> tuple[int, int, tuple[bytes, ...]]:
    """(epoch, slot, pieces) of one operator, with all its keys."""
    found = [
        row
        for row in rows(town, name, "auditor.db", "SELECT lock, epoch, slot, wrapped FROM operator_shares")
        if row[0] == lock
    ]
    ((_, epoch, slot, wrapped),) = found
    assert isinstance(epoch, int)
    assert isinstance(slot, int)
    assert isinstance(wrapped, bytes)
    joined = unwrap_share(epochs_of(Home(town.at(name))).key(epoch), slot, lock, wrapped)
    return epoch, slot, tuple(joined[start : start + 32] for start in range(0, len(joined), 32))


def test_nobody_reads_after_the_stop_and_no_piece_is_left(town: Town) -> None:
    dirk = agree(town, "dirk", person=3)
    assert read(town, dirk).answer["values"]
    lock = lock_of(town, dirk)
    revoke(town, dirk)
    assert read(town, dirk, expect=None).code == "revoked"
    for name in NAMES:
        held = [row[0] for row in rows(town, name, "auditor.db", "SELECT lock FROM operator_shares")]
        assert lock not in held


# One honest operator too many.


@dataclass(frozen=True)
class Conspiracy:
    """The agency with its keys and everything it was ever sent, and the homes of some operators and of the log."""

    town: Town
    desk: Desk
    grant: StoredGrant
    lock: bytes

    @property
    def terms(self) -> Terms:
        return self.grant.answer.terms

    @property
    def operators(self) -> Operators:
        assert self.terms.operators is not None
        return self.terms.operators

    def pieces(self, names: tuple[str, ...]) -> dict[int, bytes]:
        """All pieces that these operators hold between them, by number."""
        found: dict[int, bytes] = {}
        for name in names:
            _, _, pieces = pieces_at_rest(self.town, name, self.lock)
            found |= dict(zip(held_by(self.operators, f"{name}.example"), pieces, strict=True))
        return found

    def open(self, names: tuple[str, ...], claim: Claim) -> str | None:
        """The value of an attribute that no entry was made for; None if it does not open."""
        pieces = self.pieces(names)
        b = b"".join(pieces.get(number, bytes(32)) for number in range(len(self.operators.pieces)))
        return self.try_share(claim, claim_share(b, b64u_decode(claim.digest)))

    def try_share(self, claim: Claim, share: bytes) -> str | None:
        """With the agency's own half."""
        kem = self.grant.request.kem
        assert kem is not None
        a = open_share_a(kem, self.terms, b64u_decode(self.grant.answer.sealed.share_a))
        sealed = next(item for item in self.grant.answer.sealed.sealed if item.digest == claim.digest)
        try:
            return open_disclosure(self.terms, claim, sealed, a, share, binding=terms_hash(self.terms))
        except Rejected:
            return None


def dishonest_desk(town: Town) -> Desk:
    parts = default_parts()
    return Desk(Home(town.at("agency")), Parts(parts.clock, Fetcher(loopback=True), parts.random))


@pytest.fixture(scope="module")
def conspiracy(town: Town) -> Conspiracy:
    """A grant that was never read."""
    eva = agree(town, "eva", person=4)
    desk = dishonest_desk(town)
    return Conspiracy(town, desk, desk.store.grants.get(eva.ask), lock_of(town, eva))


@pytest.mark.parametrize("name", NAMES)
def test_attack_one_operator_with_the_agency_and_the_log_opens_nothing(conspiracy: Conspiracy, name: str) -> None:
    known = conspiracy.pieces((name,))
    assert len(known) == 2
    for claim in conspiracy.terms.claims:
        digest = b64u_decode(claim.digest)
        assert conspiracy.open((name,), claim) is None
        everything = secrets_of(conspiracy.town, name, "agency", "log") | set(known.values())
        for secret in everything:
            assert conspiracy.try_share(claim, secret) is None
            assert conspiracy.try_share(claim, claim_share(secret, digest)) is None


def secrets_of(town: Town, *names: str) -> set[bytes]:
    """Every 32 bytes that stand whole in a small file of these homes: keys, seeds and tokens."""
    found: set[bytes] = set()
    for name in names:
        for path in town.at(name).rglob("*"):
            if path.is_file() and path.stat().st_size < 200:
                data = path.read_bytes()
                found |= {data[start : start + 32] for start in range(len(data) - 31)}
    return found


@pytest.mark.parametrize(
    "names", [("operator0", "operator1"), ("operator0", "operator2"), ("operator1", "operator2")]
)
def test_control_two_operators_with_the_agency_open_everything(
    conspiracy: Conspiracy, names: tuple[str, ...]
) -> None:
    """What the protocol says that k can do, so that the test above is known to look in the right place."""
    for claim in conspiracy.terms.claims:
        opened = conspiracy.open(names, claim)
        assert opened is not None
        assert parse_disclosure(opened).name == claim.path[0]


def test_attack_agency_asks_an_honest_operator_without_an_entry(conspiracy: Conspiracy) -> None:
    """A READ that the log never saw, with the entry of another one, and with none."""
    desk, pending, logged = conspiracy.desk, *logged_read(conspiracy)
    honest = ReleaseRequest(pending.token, pending.request.reply_key, logged)
    given = [release(conspiracy, name, honest, pending, logged) for name in NAMES]
    assert all(given)
    context = reader._prepare(desk, conspiracy.grant.id, None)
    secret = choose_digests(conspiracy.terms, ["volledigeNaam"])
    unlogged = reader._pending(desk, context, secret, Purpose(CASE, "nobody"))
    for name in NAMES:
        forged = ReleaseRequest(unlogged.token, unlogged.request.reply_key, logged)
        assert release(conspiracy, name, forged, unlogged, logged) == []
        thief = ReleaseRequest(pending.token, unlogged.request.reply_key, logged)
        assert release(conspiracy, name, thief, pending, logged) == []


def logged_read(conspiracy: Conspiracy) -> tuple[PendingRead, ReadAnswer]:
    """A READ of the postal code that is in the log."""
    desk = conspiracy.desk
    context = reader._prepare(desk, conspiracy.grant.id, None)
    pending = reader._pending(desk, context, choose_digests(conspiracy.terms, ["postcode"]), PURPOSE)
    return pending, desk.log(context.log).read(pending.request)


def release(
    conspiracy: Conspiracy, name: str, request: ReleaseRequest, pending: PendingRead, logged: ReadAnswer
) -> list[tuple[bytes, ...]]:
    """What one operator gives; nothing when it refuses."""
    client = OperatorClient(Fetcher(loopback=True), conspiracy.town.urls[name])
    try:
        sealed = client.release(request).sealed
    except RegieError:
        return []
    note = parse_tlog_proof(logged.proof).checkpoint
    return open_pieces_release(
        KemPrivate(pending.reply_seed),
        b64u_decode(sealed),
        conspiracy.operators,
        f"{name}.example",
        len(pending.read.claims),
        lock=conspiracy.lock,
        read_id=b64u_decode(pending.read.read_id),
        index=logged.index,
        body_hash=sha256(note.partition("\n\n")[0].encode() + b"\n"),
    )
