"""Whether cards still count: status lists of issuers, read by the holder."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from protocol.errors import Rejected
from protocol.issuer_jwt import read_payload
from protocol.status_list import INVALID, SUSPENDED, VALID, StatusReference, encode_list, sign_status_token
from service.command import root
from service.fetch import Answer
from tests.protocol import builders as b
from tests.protocol import mandates
from tests.wallet import delegates
from tests.wallet.conftest import PASSPHRASE, Resident
from tests.wallet.neighbours import Issuer, Neighbours
from wallet import cli_open, opened
from wallet.errand_check import check_cards
from wallet.errand_grant import grant
from wallet.opened import OpenWallet
from wallet.records import Choice
from wallet.show import claims_of

LIST_SIZE = 4096
SPENT = "someone"


def status_of(text: str) -> int:
    """The index of a copy."""
    payload, _ = read_payload(text.partition("~")[0])
    return int(payload["status"]["status_list"]["idx"])


class ListingIssuer(Issuer):
    """The issuer, which also serves its status list; `statuses` by index, `changes` of the token."""

    statuses: dict[int, int]
    changes: dict[str, Any]
    fetched = 0

    def handle(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if not b.STATUS_URI.endswith(path):
            return super().handle(method, path, body, headers)
        self.fetched += 1
        values = [self.statuses.get(index, VALID) for index in range(LIST_SIZE)]
        token = sign_status_token(**{
            "uri": b.STATUS_URI, "bits": 2, "lst": encode_list(2, values), "iat": self.clock.time,
            "exp": self.clock.time + 60, "ttl": 60, "signer": b.ISSUER.key, "x5c": b.ISSUER.x5c, **self.changes,
        })  # fmt: skip
        return Answer(200, {"content-type": "application/statuslist+jwt"}, token.encode())


@pytest.fixture
def issuer(neighbours: Neighbours) -> ListingIssuer:
    made = ListingIssuer(neighbours.clock)
    made.statuses, made.changes = {}, {}
    neighbours.issuer = made
    return made


def counts(wallet: OpenWallet) -> dict[str, dict[str, int]]:
    return {card.card: dict(card.copies) for card in check_cards(wallet)}


def adres(wallet: OpenWallet) -> dict[str, int]:
    """Status index by name of the copy."""
    return {
        name: status_of(copy.credential) for name, copy in wallet.copies().items() if copy.configuration == "adres"
    }


def test_cards_that_count_are_left_alone_and_one_list_is_fetched_once(
    issuer: ListingIssuer, wallet: OpenWallet
) -> None:
    before = wallet.copies()
    assert counts(wallet) == {name: {"valid": 4} for name in ("persoon", "adres", "gezin")}
    assert issuer.fetched == 1
    assert wallet.copies() == before


def test_revoked_copy_is_thrown_away_unless_somebody_has_seen_it(
    issuer: ListingIssuer, wallet: OpenWallet
) -> None:
    spent, fresh, *_ = adres(wallet)
    with wallet.vault.transaction():
        copy = wallet.copies()[spent]
        wallet.vault.put("copies", spent, replace(copy, agency=SPENT))
    issuer.statuses = {index: INVALID for name, index in adres(wallet).items() if name in (spent, fresh)}
    checked = {card.card: card for card in check_cards(wallet)}
    assert dict(checked["adres"].copies) == {"revoked": 2, "valid": 2}
    assert checked["adres"].thrown == 1
    assert spent in wallet.copies()
    assert fresh not in wallet.copies()
    assert claims_of(wallet.copies()[spent])


def test_suspended_copy_may_come_back(issuer: ListingIssuer, wallet: OpenWallet) -> None:
    before = wallet.copies()
    issuer.statuses = dict.fromkeys(adres(wallet).values(), SUSPENDED)
    assert counts(wallet)["adres"] == {"suspended": 4}
    issuer.statuses = {}
    assert counts(wallet)["adres"] == {"valid": 4}
    assert wallet.copies() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"signer": b.STRANGER.key, "x5c": b.STRANGER.x5c},
        {"signer": b.STRANGER.key},
        {"uri": b.STATUS_URI + "/2"},
        {"exp": b.NOW - 1},
        {"iat": b.NOW + b.DAY, "exp": b.NOW + 2 * b.DAY},
    ],
    ids=["stranger", "signature", "address", "expired", "future"],
)
def test_list_that_cannot_be_trusted_says_nothing_and_nothing_is_thrown_away(
    issuer: ListingIssuer, wallet: OpenWallet, changes: dict[str, Any]
) -> None:
    """Who could have a list believed could empty a wallet."""
    before = wallet.copies()
    issuer.statuses = dict.fromkeys(range(LIST_SIZE), INVALID)
    issuer.changes = changes
    assert counts(wallet) == {name: {"unknown": 4} for name in ("persoon", "adres", "gezin")}
    assert wallet.copies() == before


def test_index_beyond_the_list_says_nothing(issuer: ListingIssuer, wallet: OpenWallet) -> None:
    before = wallet.copies()
    shortest = min(adres(wallet).values())
    issuer.changes = {"lst": encode_list(2, [VALID] * (shortest + 1))}
    assert counts(wallet)["adres"] == {"valid": 1, "unknown": 3}
    assert wallet.copies() == before


def test_issuer_that_is_away_says_nothing(
    issuer: ListingIssuer, wallet: OpenWallet, neighbours: Neighbours
) -> None:
    before = wallet.copies()
    neighbours.down = {"issuer.voorbeeld.example"}
    assert counts(wallet)["adres"] == {"unknown": 4}
    assert wallet.copies() == before


def test_cards_of_an_issuer_that_left_the_trust_list_count_for_nothing(
    issuer: ListingIssuer, holder: Resident
) -> None:
    holder.write_trust(version=2, issuers=[])
    with holder.open() as wallet:
        before = wallet.copies()
        assert counts(wallet)["adres"] == {"untrusted": 4}
        assert wallet.copies() == before
    assert issuer.fetched == 0


def test_check_says_what_it_found(
    issuer: ListingIssuer, holder: Resident, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def around(home: Any) -> opened.Surroundings:
        return opened.surroundings(home, fetcher=holder.neighbours, clock=holder.neighbours.clock)

    monkeypatch.setattr(cli_open, "surroundings", around)
    passphrase = tmp_path / "passphrase"
    passphrase.write_bytes(PASSPHRASE)
    environment = {"REGIE_PASSPHRASE_FILE": str(passphrase), "REGIE_HOME": str(holder.home.path)}
    with holder.open() as wallet:
        issuer.statuses = {next(iter(adres(wallet).values())): INVALID}
    said = CliRunner(env=environment).invoke(root, ["wallet", "check"])
    assert said.exit_code == 0, said.output
    assert "1 revoked by the issuer" in said.stdout
    assert "regie wallet refill" in said.stdout
    data = json.loads(CliRunner(env=environment).invoke(root, ["wallet", "check", "--json"]).stdout)
    assert {"card": "adres", "issuer": b.ISSUER_ID, "copies": {"valid": 3}, "thrown": 0} in data["cards"]


def test_attack_grant_under_a_mandate_that_was_ended_meanwhile(
    wallet: OpenWallet, neighbours: Neighbours, issuer: ListingIssuer
) -> None:
    """This wallet has not asked whom it may act for since; it looks its cards up before anything leaves."""
    key = delegates.hold(wallet, mandates.token(), status=StatusReference(idx=77, uri=b.STATUS_URI))
    issuer.statuses[77] = INVALID
    before = wallet.vault.counter
    with pytest.raises(Rejected, match="cards_revoked"):
        grant(wallet, neighbours.agency.ask(), Choice(), mandate="1")
    assert (wallet.vault.counter, wallet.grants()) == (before, {})
    assert (neighbours.log.grants, neighbours.agency.answers) == ([], 0)
    assert wallet.mandate(key)[1].ended_at is None, "a card may be taken back for a lost phone as well"
    issuer.changes["exp"] = neighbours.clock.time - 1
    assert grant(wallet, neighbours.agency.ask(), Choice(), mandate="1").record.state == "active"
