"""Coming back to an issuer: refill and renewal by refresh tokens, and cards that were put off."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.conformance.foreign_issuer import ForeignIssuer
from tests.conformance.held_cards import Holder
from tests.protocol import builders as b
from tests.wallet.issuer_home import fetch, refuses, trusting
from wallet.errand_refill import RENEW_SECONDS, refill
from wallet.opened import OpenWallet
from wallet.records import Access, Awaited


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty wallet."""
    folder = tmp_path_factory.mktemp("empty")
    Holder(folder).create()
    return folder


@pytest.fixture
def issuer() -> Iterator[ForeignIssuer]:
    with ForeignIssuer() as running:
        yield running


@pytest.fixture
def holder(tmp_path: Path, empty: Path, issuer: ForeignIssuer) -> Holder:
    made = Holder(tmp_path).copy_of(empty)
    trusting(made, issuer)
    return made


@pytest.fixture
def wallet(holder: Holder) -> Iterator[OpenWallet]:
    with holder.open() as opened:
        yield opened


def spend(wallet: OpenWallet, count: int) -> None:
    """As if so many askers had seen a copy."""
    with wallet.vault.transaction():
        unspent = [(name, copy) for name, copy in wallet.copies().items() if copy.agency is None]
        for number, (name, copy) in enumerate(unspent[:count]):
            wallet.vault.put("copies", name, replace(copy, agency=f"asker {number}"))


def access_of(wallet: OpenWallet) -> Access:
    (access,) = wallet.vault.all("accesses", Access).values()
    return access


def unspent(wallet: OpenWallet) -> int:
    return sum(copy.agency is None for copy in wallet.copies().values())


def test_wallet_refills_a_card_that_runs_low_without_a_login(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    fetch(wallet, issuer.offer())
    before = access_of(wallet)
    spend(wallet, 2)
    report = refill(wallet)
    assert [item.copies for item in report.received] == [4]
    assert unspent(wallet) == 6
    assert issuer.paths().count("/authorize") == 1
    assert access_of(wallet).refresh_token not in (None, before.refresh_token)
    assert access_of(wallet).client == before.client
    assert issuer.wrong == []


def test_wallet_leaves_a_card_alone_that_does_not_run_low(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    fetch(wallet, issuer.offer())
    spend(wallet, 1)
    calls = len(issuer.asked)
    assert refill(wallet).received == []
    assert len(issuer.asked) == calls
    assert [item.copies for item in refill(wallet, everything=True).received] == [4]


def test_wallet_renews_copies_that_end_soon(holder: Holder, wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    fetch(wallet, issuer.offer())
    (exp,) = {copy.exp for copy in wallet.copies().values()}
    with wallet.vault.transaction():
        for name, copy in wallet.copies().items():
            wallet.vault.put("copies", name, replace(copy, exp=wallet.now() + RENEW_SECONDS))
    assert [item.exp for item in refill(wallet).received] == [exp]
    assert len(wallet.copies()) == 8


def test_cards_of_one_login_are_refilled_together(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    fetch(wallet, issuer.offer("diploma", "minor"))
    spend(wallet, 3)
    assert [item.configuration for item in refill(wallet).received] == ["diploma", "minor"]


def test_refresh_token_is_kept_before_anything_else_happens(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    """The server has forgotten the old one: losing the new one would lose the way back."""
    fetch(wallet, issuer.offer())
    before, cards = access_of(wallet), wallet.copies()
    issuer.change["credential"] = lambda value: {}
    report = refill(wallet, everything=True)
    assert report.problems == [(issuer.url, "bad_credential_response")]
    assert access_of(wallet).refresh_token != before.refresh_token
    assert wallet.copies() == cards
    issuer.change.clear()
    assert refill(wallet, everything=True).problems == []


def test_refresh_token_that_is_refused_is_forgotten(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    fetch(wallet, issuer.offer())
    cards = wallet.copies()
    issuer.forget_refresh_tokens()
    assert refill(wallet, everything=True).problems == [(issuer.url, "invalid_grant")]
    assert access_of(wallet).refresh_token is None
    assert wallet.copies() == cards
    assert refill(wallet, everything=True).problems == []


def test_issuer_that_is_down_changes_nothing(wallet: OpenWallet, issuer: ForeignIssuer, holder: Holder) -> None:
    fetch(wallet, issuer.offer())
    before = wallet.vault.export()
    holder.home.file("anchors.json").unlink()
    assert refill(wallet, everything=True).problems == [(issuer.url, "unknown_issuer")]
    assert wallet.vault.export() == before


def test_attack_issuer_moves_its_server(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    """A refresh token is shown to the server that gave it, and to no other."""
    fetch(wallet, issuer.offer())
    before = wallet.vault.export()
    with ForeignIssuer() as thief:
        issuer.change["metadata"] = lambda value: {**value, "authorization_servers": [thief.url]}
        assert refill(wallet, everything=True).problems == [(issuer.url, "bad_metadata")]
        assert "/token" not in thief.paths()
    assert wallet.vault.export() == before


def test_issuer_without_refresh_tokens_is_not_asked(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    issuer.refreshes = False
    fetch(wallet, issuer.offer())
    assert wallet.vault.all("accesses", Access) == {}
    assert refill(wallet, everything=True).problems == []


# --- put off ---


def awaited_of(wallet: OpenWallet) -> Awaited:
    (awaited,) = wallet.vault.all("awaited", Awaited).values()
    return awaited


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_wallet_waits_for_a_card_and_collects_it(
    wallet: OpenWallet, issuer: ForeignIssuer, holder: Holder, encrypted: bool
) -> None:
    issuer.defers, issuer.encrypted = True, encrypted
    (promised,) = fetch(wallet, issuer.offer())
    assert (promised.awaited, promised.exp) == (True, wallet.now() + 5)
    assert wallet.copies() == {}
    assert refill(wallet).waiting == ["diploma"]
    assert "/deferred" not in issuer.paths()
    holder.clock.time += 5
    assert refill(wallet).waiting == ["diploma"]
    assert awaited_of(wallet).next == wallet.now() + 7
    issuer.ready = True
    holder.clock.time += 7
    assert [item.copies for item in refill(wallet).received] == [4]
    assert wallet.vault.all("awaited", Awaited) == {}
    assert len(wallet.copies()) == 4
    assert issuer.bodies("/notification")[-1][1] == "credential_accepted"
    assert issuer.wrong == []
    assert refill(wallet).received == []


def test_promise_outlives_the_access_token(wallet: OpenWallet, issuer: ForeignIssuer, holder: Holder) -> None:
    issuer.defers = issuer.ready = True
    fetch(wallet, issuer.offer())
    token = access_of(wallet).access_token
    holder.clock.time += 300
    issuer.allow_time(300)
    assert [item.copies for item in refill(wallet).received] == [4]
    assert access_of(wallet).access_token != token
    assert issuer.wrong == []


def test_promise_that_the_issuer_takes_back_is_forgotten(
    wallet: OpenWallet, issuer: ForeignIssuer, holder: Holder
) -> None:
    issuer.defers = True
    fetch(wallet, issuer.offer())
    issuer.forget_transactions()
    holder.clock.time += 5
    report = refill(wallet)
    assert (report.ended, report.problems) == (["diploma"], [])
    assert wallet.vault.all("awaited", Awaited) == {}


def test_promise_that_nothing_opens_any_more_is_forgotten(
    wallet: OpenWallet, issuer: ForeignIssuer, holder: Holder
) -> None:
    issuer.defers, issuer.refreshes = True, False
    fetch(wallet, issuer.offer())
    issuer.forget_access_tokens()
    holder.clock.time += 5
    assert refill(wallet).ended == ["diploma"]
    assert refill(wallet).ended == []


def test_attack_collected_card_is_bound_to_another_key(
    wallet: OpenWallet, issuer: ForeignIssuer, holder: Holder
) -> None:
    issuer.defers = issuer.ready = True
    fetch(wallet, issuer.offer())
    holder.clock.time += 5
    other = b.es256("somebody else").public
    issuer.change["deferred"] = lambda value: issuer.made((other,) * 4)
    before = wallet.vault.export()
    assert refill(wallet).problems == [("diploma", "wrong_key")]
    assert wallet.vault.export() == before
    assert issuer.bodies("/notification")[-1][1] == "credential_failure"


def test_attack_transaction_changes_its_id(wallet: OpenWallet, issuer: ForeignIssuer, holder: Holder) -> None:
    issuer.defers = True
    fetch(wallet, issuer.offer())
    holder.clock.time += 5
    issuer.change["deferred"] = lambda value: {**value, "transaction_id": "of somebody else"}
    before = wallet.vault.export()
    assert refill(wallet).problems == [("diploma", "bad_credential_response")]
    assert wallet.vault.export() == before


def test_promise_without_a_place_to_ask_is_none(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    issuer.defers = True
    issuer.change["metadata"] = lambda value: {
        k: v for k, v in value.items() if k != "deferred_credential_endpoint"
    }
    refuses(wallet, issuer.offer(), "bad_credential_response")
