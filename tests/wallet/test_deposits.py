"""Where operators hold the shares: the wallet deals, delivers, and keeps what it could not deliver."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from protocol.canonical import b64u_decode, canonical_bytes
from protocol.errors import Rejected, Unavailable
from protocol.narrowing import check_listed_operators
from protocol.operators import held_by
from protocol.presentation import claim_share, share_digest
from protocol.trust_list import TrustedWitness
from tests.protocol import builders, dealing
from tests.protocol.builders import LOG_ORIGIN
from tests.protocol.dealing import NAMES
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import LOG_HOST, Neighbours
from tests.wallet.test_crash import Steps, run_until_crash
from wallet.errand_grant import carry_on, grant
from wallet.errand_revoke import stop_grant
from wallet.errand_sync import synchronise
from wallet.opened import OpenWallet
from wallet.records import Choice, GrantRecord

MEMBERS = NAMES[:3]


def with_operators(needed: int = 2, count: int = 3) -> dict[str, Any]:
    """Changes of the trust list; the cards came under version 1."""
    listed = dealing.trust(needed, count)
    return {"version": 2, "logs": listed.logs, "witnesses": listed.witnesses}


@pytest.fixture
def neighbours() -> Neighbours:
    return Neighbours(**with_operators())


def give(wallet: OpenWallet, neighbours: Neighbours) -> GrantRecord:
    return grant(wallet, neighbours.agency.ask(), Choice()).record


def holders(neighbours: Neighbours) -> list[str]:
    return [name for name, operator in neighbours.operators.items() if operator.deposits]


def test_wallet_deals_to_all_operators_and_gives_the_log_nothing(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    record = give(wallet, neighbours)
    terms = record.body.terms
    assert (record.state, record.deposits, record.body.deposit) == ("active", [], None)
    assert holders(neighbours) == list(MEMBERS)
    check_listed_operators(terms, neighbours.trust().log(LOG_ORIGIN).operators)
    assert len(neighbours.agency.grants) == 1
    pieces = {}
    assert terms.operators is not None
    for name in MEMBERS:
        held = neighbours.operators[name].deposits[terms.lock]
        pieces |= dict(zip(held_by(terms.operators, name), held, strict=True))
    b = b"".join(pieces[number] for number in sorted(pieces))
    for claim in terms.claims:
        assert share_digest(claim_share(b, b64u_decode(claim.digest))) == b64u_decode(claim.share)
    sent = neighbours.log.grants[0].body
    kept = canonical_bytes(record)
    for piece in pieces.values():
        assert piece not in sent
        assert piece not in kept


def test_pieces_of_two_grants_have_nothing_in_common(wallet: OpenWallet, neighbours: Neighbours) -> None:
    give(wallet, neighbours)
    give(wallet, neighbours)
    for name in MEMBERS:
        one, other = neighbours.operators[name].deposits.values()
        assert not set(one) & set(other)


def test_one_operator_that_is_down_gets_its_pieces_by_sync(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.down.add(MEMBERS[1])
    record = give(wallet, neighbours)
    assert record.state == "active"
    assert [deposit.operator for deposit in record.deposits] == [MEMBERS[1]]
    report = synchronise(wallet)
    assert report.waiting == ["share of grant 1"]
    neighbours.down.clear()
    assert synchronise(wallet).waiting == []
    assert wallet.grant("1").deposits == []
    assert holders(neighbours) == list(MEMBERS)


@pytest.mark.parametrize("down", [*combinations(MEMBERS, 2), MEMBERS])
def test_agency_hears_nothing_while_too_few_operators_hold_their_pieces(
    wallet: OpenWallet, neighbours: Neighbours, down: tuple[str, ...]
) -> None:
    neighbours.down |= set(down)
    with pytest.raises(Unavailable, match="no_operators"):
        give(wallet, neighbours)
    record = wallet.grant("1")
    assert record.state == "logged"
    assert {deposit.operator for deposit in record.deposits} == set(down)
    assert neighbours.agency.answers == 0
    neighbours.down.clear()
    assert synchronise(wallet).finished == ["1"]
    assert (wallet.grant("1").deposits, len(neighbours.agency.grants)) == ([], 1)


def test_deposit_whose_answer_was_lost_is_sent_again(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.lost.add(MEMBERS[0])
    assert [deposit.operator for deposit in give(wallet, neighbours).deposits] == [MEMBERS[0]]
    neighbours.lost.clear()
    held = dict(neighbours.operators[MEMBERS[0]].deposits)
    synchronise(wallet)
    assert wallet.grant("1").deposits == []
    assert neighbours.operators[MEMBERS[0]].deposits == held


def test_operator_that_refuses_or_answers_for_another_grant_has_nothing(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    neighbours.operators[MEMBERS[0]].refuse = Rejected("bad_deposit", "not today")
    neighbours.operators[MEMBERS[1]].lie = True
    with pytest.raises(Unavailable, match="no_operators"):
        give(wallet, neighbours)
    assert [deposit.operator for deposit in wallet.grant("1").deposits] == list(MEMBERS[:2])


@pytest.mark.parametrize("code", ["revoked", "expired"])
def test_pieces_of_a_grant_that_is_over_are_not_kept(
    wallet: OpenWallet, neighbours: Neighbours, code: str
) -> None:
    neighbours.down.add(MEMBERS[0])
    give(wallet, neighbours)
    neighbours.down.clear()
    neighbours.operators[MEMBERS[0]].refuse = Rejected(code, "over", status=410)
    synchronise(wallet)
    assert wallet.grant("1").deposits == []


def test_stop_reaches_every_operator_and_drops_what_was_not_delivered(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    neighbours.down.add(MEMBERS[2])
    give(wallet, neighbours)
    neighbours.down.add(LOG_HOST)
    record = stop_grant(wallet, "1")
    assert record.deposits == []
    assert [len(neighbours.operators[name].kept) for name in MEMBERS] == [1, 1, 0]
    neighbours.down.clear()
    synchronise(wallet)
    stop = wallet.grant("1").stop
    assert stop is not None
    assert stop.confirmed is not None
    assert MEMBERS[2] not in holders(neighbours)


def test_wallet_grants_nothing_when_an_operator_has_no_deposit_key(
    holder: Resident, neighbours: Neighbours
) -> None:
    def keyless(witness: TrustedWitness) -> TrustedWitness:
        return TrustedWitness(
            name=witness.name,
            url=witness.url,
            vkey=witness.vkey,
            auditing=True,
            receipt_vkey=witness.receipt_vkey,
        )

    listed = with_operators()
    holder.write_trust(version=3, witnesses=[*listed["witnesses"][:-1], keyless(listed["witnesses"][-1])])
    with holder.open() as wallet:
        with pytest.raises(Rejected, match="no_deposit_key"):
            give(wallet, neighbours)
        assert wallet.grants() == {}


def test_wallet_grants_nothing_when_an_operator_is_not_listed(holder: Resident, neighbours: Neighbours) -> None:
    holder.write_trust(version=3, witnesses=builders.TRUST.witnesses)
    with holder.open() as wallet:
        with pytest.raises(Rejected, match="not_listed"):
            give(wallet, neighbours)
        assert wallet.grants() == {}


def test_log_whose_operators_changed_meanwhile_refuses_for_good(holder: Resident, neighbours: Neighbours) -> None:
    with holder.open() as wallet:
        neighbours.down.add(LOG_HOST)
        with pytest.raises(Unavailable):
            give(wallet, neighbours)
        neighbours.down.clear()
        neighbours.trust_changes |= with_operators(3, 4)
        with pytest.raises(Rejected, match="bad_terms"):
            carry_on(wallet, "1")
        record = wallet.grant("1")
        assert (record.state, record.deposits) == ("failed", [])
        assert holders(neighbours) == []


def test_granting_with_operators_survives_a_crash_at_every_step(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it dies, sync finishes it: every operator has its pieces, or nothing was given at all."""

    def prepared(name: str) -> tuple[Resident, Neighbours]:
        (tmp_path / name).mkdir()
        neighbours = Neighbours(**with_operators())
        return Resident(tmp_path / name, neighbours).copy_of(template), neighbours

    with monkeypatch.context() as patch:
        resident, neighbours = prepared("dry")
        steps = Steps(neighbours, patch)
        link = neighbours.agency.ask()
        assert not run_until_crash(resident, lambda wallet: grant(wallet, link, Choice()))
        total = len(steps.seen)
        first = next(number for number, name in enumerate(steps.seen, 1) if "/v1/deposits" in name)
        deposits = sum("/v1/deposits" in name for name in steps.seen)
    assert deposits == 6
    for die_at in range(first - 2, total + 1):
        with monkeypatch.context() as patch:
            resident, neighbours = prepared(str(die_at))
            steps = Steps(neighbours, patch)
            link = neighbours.agency.ask()
            steps.restart(die_at)
            assert run_until_crash(resident, lambda wallet, link=link: grant(wallet, link, Choice()))
            steps.restart()
            with resident.open() as wallet:
                waiting = [deposit.operator for deposit in wallet.grant("1").deposits]
                assert set(waiting) | set(holders(neighbours)) == set(MEMBERS)
                assert not neighbours.agency.grants or len(holders(neighbours)) >= 2
                synchronise(wallet)
                record = wallet.grant("1")
                assert (record.state in ("active", "uncertain"), record.deposits) == (True, [])
            assert holders(neighbours) == list(MEMBERS)
            assert len(neighbours.agency.grants) == len(neighbours.log.grants) == 1
