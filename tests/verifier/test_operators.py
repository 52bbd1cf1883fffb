"""Reading where operators hold the shares: any two of three are enough, and who lies or is silent is noted."""

from itertools import combinations
from pathlib import Path
from threading import Event

import pytest

from protocol.canonical import sha256
from protocol.errors import Rejected, Unavailable
from protocol.operators import Pieces
from tests.protocol import dealing
from tests.protocol.builders import LOG_ORIGIN
from tests.protocol.dealing import NAMES
from tests.verifier.agency import PURPOSE, Agency, Granted, Operator, Wallet, error_of
from verifier import gather
from verifier.evidence import export_evidence
from verifier.reader import Opened, read_grant

MEMBERS = NAMES[:3]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine too all that answer are heard."""
    monkeypatch.setattr(gather, "LATE_SECONDS", 10)


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    """An agency whose log has operators."""
    return Agency(tmp_path, trust=dealing.trust(2, 3))


@pytest.fixture
def wallet(agency: Agency) -> Wallet:
    """A resident who deals as the trust list says."""
    return Wallet(agency.clock, agency.log, trust=agency.trust)


def granted(agency: Agency, wallet: Wallet) -> tuple[str, Granted]:
    """A grant whose pieces all operators hold."""
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, made.form()).status_code == 200
    for name in MEMBERS:
        agency.net.operators[name].pieces[made.sealed.terms.lock] = wallet.dealing.pieces_of(name)
    return rid, made


def read(agency: Agency, rid: str, *only: str) -> Opened:
    return read_grant(agency.desk, rid, only, PURPOSE)


def outcomes(agency: Agency) -> dict[str, str]:
    """Of the newest READ."""
    newest = agency.desk.store.reads.all()[-1]["id"]
    return {row["operator"]: row["outcome"] for row in agency.desk.store.reads.releases() if row["read"] == newest}


def all_agreed(**changes: str) -> dict[str, str]:
    return {**dict.fromkeys(MEMBERS, "agreed"), **changes}


def wrong(pieces: Pieces) -> Pieces:
    return (sha256(b"wrong"), *pieces[1:])


def test_agency_reads_with_what_the_operators_release(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    opened = read(agency, rid)
    assert (opened.values["postcode"], opened.values["geslachtsnaam"]) == ("1234AB", "Voorbeeld")
    assert (opened.n, opened.gaps) == (0, ())
    assert outcomes(agency) == all_agreed()
    (row,) = agency.desk.store.reads.all()
    assert (row["state"], row["reply_seed"]) == ("done", None)


@pytest.mark.parametrize("name", MEMBERS)
def test_one_operator_that_is_down_does_not_stop_a_read(agency: Agency, wallet: Wallet, name: str) -> None:
    rid, _ = granted(agency, wallet)
    agency.net.operators[name].down = True
    assert read(agency, rid, "postcode").values["postcode"] == "1234AB"
    assert outcomes(agency) == all_agreed(**{name: "unreachable"})


def test_operator_that_hangs_is_not_waited_for(
    agency: Agency, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "LATE_SECONDS", 0.05)
    rid, _ = granted(agency, wallet)
    agency.net.operators[MEMBERS[0]].waits_for = released = Event()
    try:
        assert read(agency, rid, "postcode").values["postcode"] == "1234AB"
        assert MEMBERS[0] not in outcomes(agency)
    finally:
        released.set()


@pytest.mark.parametrize("down", list(combinations(MEMBERS, 2)))
def test_two_operators_that_are_down_stop_a_read_and_the_same_read_goes_on(
    agency: Agency, wallet: Wallet, down: tuple[str, str]
) -> None:
    rid, _ = granted(agency, wallet)
    for name in down:
        agency.net.operators[name].down = True
    with pytest.raises(Unavailable, match="no_operators"):
        read(agency, rid, "postcode")
    (row,) = agency.desk.store.reads.all()
    assert (row["state"], row["n"]) == ("pending", 0)
    agency.net.operators[down[0]].down = False
    agency.start()
    opened = read(agency, rid, "postcode")
    assert (opened.values["postcode"], opened.n) == ("1234AB", 0)
    assert len(agency.desk.store.reads.all()) == 1


@pytest.mark.parametrize("name", MEMBERS)
def test_lying_operator_is_named_and_the_read_is_right(agency: Agency, wallet: Wallet, name: str) -> None:
    rid, _ = granted(agency, wallet)
    agency.net.operators[name].lie = wrong
    assert read(agency, rid).values["postcode"] == "1234AB"
    assert outcomes(agency) == all_agreed(**{name: "lied"})


def test_evidence_names_the_liar(agency: Agency, wallet: Wallet, tmp_path: Path) -> None:
    rid, _ = granted(agency, wallet)
    agency.net.operators[MEMBERS[1]].lie = wrong
    read(agency, rid)
    path, store = tmp_path / "evidence.db", agency.desk.store
    counts = export_evidence(store, agency.desk.config, path, log=LOG_ORIGIN, now=agency.clock.time)
    assert counts["releases"] == 3
    assert b"lied" in path.read_bytes()


def test_one_lying_and_one_silent_operator_stop_a_read(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    agency.net.operators[MEMBERS[0]].lie = wrong
    agency.net.operators[MEMBERS[1]].down = True
    with pytest.raises(Unavailable, match="no_operators"):
        read(agency, rid)
    assert outcomes(agency) == {MEMBERS[0]: "gave", MEMBERS[1]: "unreachable", MEMBERS[2]: "gave"}
    agency.net.operators[MEMBERS[1]].down = False
    assert read(agency, rid).values["postcode"] == "1234AB"


def test_two_lying_operators_end_the_read(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    for name in MEMBERS[:2]:
        agency.net.operators[name].lie = wrong
    with pytest.raises(Rejected, match="share_mismatch"):
        read(agency, rid)
    (row,) = agency.desk.store.reads.all()
    assert (row["state"], row["code"], row["reply_seed"]) == ("void", "share_mismatch", None)


def test_wallet_that_dealt_wrongly_is_told_from_lying_operators(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    wrongly = {number: sha256(bytes([number])) for number in range(3)}
    for position, name in enumerate(MEMBERS):
        numbers = [number for number in range(3) if number != position]
        agency.net.operators[name].pieces[made.sealed.terms.lock] = tuple(wrongly[number] for number in numbers)
    with pytest.raises(Rejected, match="bad_dealing"):
        read(agency, rid)
    assert agency.desk.store.reads.all()[0]["state"] == "void"


@pytest.mark.parametrize("code", ["revoked", "no_share", "out_of_scope", "expired"])
def test_refusal_of_too_many_operators_is_that_of_the_read(agency: Agency, wallet: Wallet, code: str) -> None:
    rid, _ = granted(agency, wallet)
    for name in MEMBERS[:2]:
        agency.net.operators[name].refuse = Rejected(code, "no", status=410)
    with pytest.raises(Rejected, match=code):
        read(agency, rid)
    (row,) = agency.desk.store.reads.all()
    assert (row["state"], row["code"], row["n"], row["reply_seed"]) == ("refused", code, 0, None)
    state = agency.desk.store.grants.get(rid).state
    assert state == ("revoked" if code in ("revoked", "no_share") else "active")


@pytest.mark.parametrize("first", [0, 1])
def test_operator_without_its_pieces_does_not_end_a_grant_that_another_refuses_today(
    agency: Agency, wallet: Wallet, first: int
) -> None:
    """One still waits for its deposit, one finds hour or place wrong, one is down: nobody stopped the grant."""
    rid, _ = granted(agency, wallet)
    agency.net.operators[MEMBERS[first]].refuse = Rejected("no_share", "not yet delivered", status=410)
    agency.net.operators[MEMBERS[1 - first]].refuse = Rejected("out_of_context", "no", status=403)
    agency.net.operators[MEMBERS[2]].down = True
    with pytest.raises(Rejected, match="out_of_context"):
        read(agency, rid)
    assert agency.desk.store.grants.get(rid).state == "active"


def test_refusal_of_one_operator_does_not_stop_a_read(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    agency.net.operators[MEMBERS[2]].refuse = Rejected("revoked", "a stop that the log has yet to take in")
    assert read(agency, rid).values["postcode"] == "1234AB"
    assert outcomes(agency) == all_agreed(**{MEMBERS[2]: "revoked"})


def test_trouble_of_operators_that_may_pass_leaves_the_read(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    for name in MEMBERS[:2]:
        agency.net.operators[name].refuse = Rejected("unknown_checkpoint", "not yet", status=409)
    with pytest.raises(Unavailable, match="no_operators"):
        read(agency, rid)
    assert agency.desk.store.reads.all()[0]["state"] == "pending"


def test_read_that_operators_find_too_old_is_made_again_without_a_gap(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    for name in MEMBERS[:2]:
        agency.net.operators[name].down = True
    with pytest.raises(Unavailable, match="no_operators"):
        read(agency, rid, "postcode")
    agency.clock.time += 100
    for name in MEMBERS:
        agency.net.operators[name].down = False
    first = agency.log.requests[0]

    def find_the_first_too_old(operator: Operator) -> None:
        honest = operator.answer

        def answer(body: bytes) -> bytes:
            operator.refuse = Rejected("stale", "too old") if first.encode() in body else None
            return honest(body)

        operator.answer = answer  # type: ignore[method-assign]

    for name in MEMBERS:
        find_the_first_too_old(agency.net.operators[name])
    opened = read(agency, rid, "postcode")
    assert (opened.values["postcode"], opened.n, opened.gaps) == ("1234AB", 1, ())
    old, new = agency.desk.store.reads.all()
    assert (old["state"], old["code"], old["n"]) == ("void", "stale", 0)
    assert new["state"] == "done"


def test_operators_are_not_asked_before_the_entry_is_verified(agency: Agency, wallet: Wallet) -> None:
    """A log that counts a number twice gets nothing released."""
    rid, _ = granted(agency, wallet)
    read(agency, rid, "postcode")
    asked = [len(agency.net.operators[name].asked) for name in MEMBERS]
    agency.log.next_n = 0
    with pytest.raises(Rejected, match="read_number"):
        read(agency, rid, "huisnummer")
    assert [len(agency.net.operators[name].asked) for name in MEMBERS] == asked


def test_operator_that_left_the_trust_list_is_not_asked(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    fewer = [witness for witness in agency.trust.witnesses if witness.name != MEMBERS[0]]
    agency.enlist(dealing.trust(2, 3, version=2, witnesses=fewer))
    assert read(agency, rid).values["postcode"] == "1234AB"
    assert agency.net.operators[MEMBERS[0]].asked == []
    assert outcomes(agency) == all_agreed(**{MEMBERS[0]: "not_listed"})


def test_agency_accepts_no_grant_that_is_dealt_otherwise(agency: Agency, wallet: Wallet) -> None:
    """Down to one operator, or to the log itself."""
    before = agency.stored()["grants"]
    for operators in (None, dealing.dealt(1, 3).dealing.operators):
        rid, link = agency.ask()
        made = wallet.grant(wallet.open(agency, link), operators=operators)
        assert error_of(agency.post(rid, made.form())) == "bad_terms"
    assert agency.stored()["grants"] == before
