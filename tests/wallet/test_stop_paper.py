"""One paper stops everything, from any machine; and it does nothing else, in nobody's hands."""

import json

import pytest
from msgspec.structs import replace

from protocol.canonical import b64u_decode, b64u_encode
from protocol.errors import Rejected
from protocol.revocation_code import (
    LOOK_AHEAD,
    code_from_seed,
    format_code,
    format_stop_digits,
    stop_seed_of,
    view_key,
)
from protocol.trust_list import TrustedLog
from tests.wallet.conftest import PASSPHRASE, Resident
from tests.wallet.neighbours import COSIGNER_HOST, LOG_HOST, Neighbours
from tests.wallet.test_backup import SMALL, restored
from wallet import errand_stop_all
from wallet.config import OUTBOX, WalletConfig
from wallet.errand_backup import back_up, open_backup
from wallet.errand_grant import grant
from wallet.errand_paper import AtLog, deliver_outbox
from wallet.errand_revoke import Delivery
from wallet.errand_stop_all import QUEUED, stop_by_paper, stop_everything
from wallet.errand_sync import synchronise
from wallet.opened import OpenWallet, Surroundings, create_wallet, surroundings
from wallet.records import Choice
from wallet.revoke import versions
from wallet.seed import grant_code, holder_key, stop_seed
from wallet.state import state_of_stop


@pytest.fixture
def library(tmp_path_factory: pytest.TempPathFactory, holder: Resident, neighbours: Neighbours) -> Surroundings:
    """Somebody else's machine: a home with a trust list, no cards, and no passphrase that anybody gives."""
    home = type(holder.home)(tmp_path_factory.mktemp("library") / "wallet")
    config = WalletConfig("wallet", str(holder.trust_path), holder.config.registrar)
    create_wallet(home, config, b"x" * 20, "small")
    return surroundings(home, fetcher=neighbours, clock=neighbours.clock)


def paper_of(wallet: OpenWallet) -> bytes:
    return stop_seed(wallet.secrets())


def give(wallet: OpenWallet, neighbours: Neighbours, count: int = 1) -> list[str]:
    return [grant(wallet, neighbours.agency.ask(), Choice()).id for _ in range(count)]


def running(neighbours: Neighbours) -> int:
    return sum(given.revoked is None for given in neighbours.log.grants)


def test_paper_printed_before_anything_was_given_stops_everything(
    wallet: OpenWallet, neighbours: Neighbours, library: Surroundings
) -> None:
    paper = paper_of(wallet)
    grant(wallet, neighbours.second.ask(), Choice())
    give(wallet, neighbours, 2)
    done = stop_by_paper(library, paper)
    assert (done.stopped, done.confirmed, done.state) == (3, 3, "confirmed")
    assert running(neighbours) == 0
    synchronise(wallet)
    assert {state_of_stop(record) for record in wallet.grants().values()} == {"confirmed"}


def test_paper_used_twice_is_no_error_and_stops_what_came_since(
    wallet: OpenWallet, neighbours: Neighbours, library: Surroundings
) -> None:
    give(wallet, neighbours)
    assert stop_by_paper(library, paper_of(wallet)).stopped == 1
    give(wallet, neighbours)
    assert stop_by_paper(library, paper_of(wallet)).stopped == 2
    assert running(neighbours) == 0


def test_paper_walks_over_a_gap_of_codes_and_no_further_than_a_restored_wallet_looks(
    wallet: OpenWallet, neighbours: Neighbours, library: Surroundings
) -> None:
    for number in (LOOK_AHEAD - 1, 2 * LOOK_AHEAD - 1):
        with wallet.vault.transaction():
            wallet.keep_secrets(replace(wallet.secrets(), next_code=number))
        give(wallet, neighbours)
    assert stop_by_paper(library, paper_of(wallet)).stopped == 2
    with wallet.vault.transaction():
        wallet.keep_secrets(replace(wallet.secrets(), next_code=3 * LOOK_AHEAD))
    give(wallet, neighbours)
    assert stop_by_paper(library, paper_of(wallet)).stopped == 2


def test_paper_counts_over_all_logs_together(
    library: Surroundings, wallet: OpenWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second log has only a number that comes after more than it would be asked for alone."""
    first = library.trust_list().logs[0]
    second = replace(first, url="https://second.log.example")
    trust = replace(library.trust_list(), logs=[first, second])
    held = {first.url: {0, 40, 80}, second.url: {LOOK_AHEAD + 6}}
    number_of = {versions(code_from_seed(paper_of(wallet), number))[0]: number for number in range(200)}

    def post(around: Surroundings, log: TrustedLog, cosigners: object, secrets: list[bytes]) -> AtLog:
        promise = object() if number_of[secrets[0]] in held[log.url] else None
        unknown = Delivery(b"", None, "unknown_lock", ())
        return AtLog(log, (Delivery(b"", promise, None, ()), unknown) if promise else (unknown,))  # type: ignore[arg-type]

    monkeypatch.setattr(Surroundings, "trust_list", lambda self: trust)
    monkeypatch.setattr(errand_stop_all, "post_code", post)
    monkeypatch.setattr(errand_stop_all, "is_confirmed", lambda *args, **named: True)
    done = stop_by_paper(library, paper_of(wallet))
    assert (done.stopped, done.state) == (4, "confirmed")


def test_attack_wrong_paper_stops_nothing(
    wallet: OpenWallet, neighbours: Neighbours, library: Surroundings
) -> None:
    give(wallet, neighbours)
    with pytest.raises(Rejected) as refusal:
        stop_by_paper(library, stop_seed_of(bytes(32)))
    assert refusal.value.code == "unknown_stop_paper"
    assert running(neighbours) == 1
    assert not library.home.has(OUTBOX)


def test_attack_stop_paper_opens_nothing(wallet: OpenWallet, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither the vault, nor a backup, nor a holder key: nothing can be given with it."""
    paper, secrets = paper_of(wallet), wallet.secrets()
    seed = b64u_decode(secrets.seed)
    copy = next(iter(wallet.copies().values()))
    own = holder_key(secrets, copy.batch, copy.number).public
    file = tmp_path_factory.mktemp("backup") / "file"
    back_up(wallet, file, PASSPHRASE, SMALL)
    for guess in (paper, paper + bytes(16), bytes(16) + paper, paper * 2):
        padded = guess.ljust(32, b"\0")
        assert padded != seed
        forged = replace(secrets, seed=b64u_encode(padded))
        assert holder_key(forged, copy.batch, copy.number).public != own
    digits = format_stop_digits(paper)
    for phrase in (paper, digits.encode(), digits.replace(" ", "").encode()):
        with pytest.raises(Rejected, match="wrong_passphrase"):
            wallet.vault.check_passphrase(phrase)
        with pytest.raises(Rejected, match="wrong_passphrase"):
            open_backup(file.read_bytes(), phrase)


def test_attack_stop_paper_gives_no_view_of_values(
    wallet: OpenWallet, neighbours: Neighbours, library: Surroundings
) -> None:
    """Who has it can ask the log who looked; what they looked at is not there to be had."""
    number = give(wallet, neighbours)[0]
    record = wallet.grant(number)
    neighbours.log.read(record.slot or 0, "postcode")
    view = view_key(code_from_seed(paper_of(wallet), record.code_number))
    told = json.dumps(
        [
            [event.opening.decode() if isinstance(event.opening, bytes) else event.opening, event.type]
            for event in library.peers.events(f"https://{LOG_HOST}", record.slot or 0, view).events
        ]
    )
    assert "postcode" in told
    for value in ("1234AB", "Dorpsstraat", "999990019"):
        assert value not in told


def test_paper_waits_as_secrets_that_end_grants_while_the_log_is_away(
    wallet: OpenWallet, neighbours: Neighbours, library: Surroundings
) -> None:
    give(wallet, neighbours, 2)
    paper = paper_of(wallet)
    neighbours.down = {LOG_HOST, COSIGNER_HOST}
    assert stop_by_paper(library, paper).state == "not yet confirmed"
    size = len(library.home.read_secret(OUTBOX))
    stop_by_paper(library, paper)
    stored = library.home.read_secret(OUTBOX)
    assert len(stored) == size
    for secret in (paper, code_from_seed(paper, 0)):
        assert b64u_encode(secret).encode() not in stored
    assert deliver_outbox(library) == (0, QUEUED)
    neighbours.down = set()
    assert deliver_outbox(library) == (QUEUED, 0)
    assert running(neighbours) == 0


def test_cosigner_keeps_the_stops_of_a_paper_while_the_log_is_away(
    wallet: OpenWallet, neighbours: Neighbours, library: Surroundings
) -> None:
    give(wallet, neighbours, 3)
    neighbours.down = {LOG_HOST}
    done = stop_by_paper(library, paper_of(wallet))
    assert (done.stopped, done.waiting, len(done.cosigners)) == (3, True, 1)
    assert len(neighbours.cosigner.kept) == 3


def test_attack_rolled_back_backup_takes_nothing_from_the_paper(
    holder: Resident, neighbours: Neighbours, library: Surroundings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Given since the backup, by the lost phone or by the restored one: it stops, and stays stopped."""
    folder = tmp_path_factory.mktemp("old")
    with holder.open() as wallet:
        paper = paper_of(wallet)
        back_up(wallet, folder / "backup", PASSPHRASE, SMALL)
        give(wallet, neighbours, 2)
    assert stop_by_paper(library, paper).stopped == 2
    new = restored(holder, folder / "backup", folder / "new")
    with new.open() as wallet:
        assert paper_of(wallet) == paper
        with pytest.raises(Rejected) as refusal:
            give(wallet, neighbours)
        assert refusal.value.code == "sync_first"
        assert sorted(synchronise(wallet).found) == ["1", "2"]
        assert {state_of_stop(record) for record in wallet.grants().values()} == {"confirmed"}
        give(wallet, neighbours)
    assert running(neighbours) == 1
    assert stop_by_paper(library, paper).stopped == 3
    assert running(neighbours) == 0


def test_wallet_of_before_keeps_its_codes_and_has_no_paper(wallet: OpenWallet, neighbours: Neighbours) -> None:
    with wallet.vault.transaction():
        wallet.keep_secrets(replace(wallet.secrets(), codes=1))
    assert grant_code(wallet.secrets(), 0) == code_from_seed(b64u_decode(wallet.secrets().seed), 0)
    with pytest.raises(Rejected) as refusal:
        paper_of(wallet)
    assert refusal.value.code == "no_stop_paper"
    assert len(format_code(wallet.code(wallet.grant(give(wallet, neighbours)[0]))).split()) == 10


def test_open_wallet_stops_everything_itself(wallet: OpenWallet, neighbours: Neighbours) -> None:
    numbers = give(wallet, neighbours, 2)
    assert stop_everything(wallet) == numbers
    assert running(neighbours) == 0
    assert stop_everything(wallet) == []
