"""Stopping: first here, then everywhere, never undone, and by paper from any wallet."""

import pytest
from msgspec.structs import replace

from protocol.canonical import b64u_decode, b64u_encode
from protocol.consent_api import RevocationAnswer
from protocol.errors import Rejected, Unavailable
from protocol.revocation_code import format_code, parse_code, revocation_secret
from tests.protocol import builders
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import AGENCY_HOST, COSIGNER_HOST, LOG_HOST, Neighbours
from wallet import errand_revoke
from wallet.config import OUTBOX, WalletConfig
from wallet.errand_grant import carry_on, grant
from wallet.errand_message import ask
from wallet.errand_paper import deliver_outbox, stop_by_code
from wallet.errand_revoke import deliver_stop, stop_grant
from wallet.errand_sync import deliver_stops, synchronise
from wallet.opened import OpenWallet, Surroundings, create_wallet, surroundings
from wallet.records import Choice
from wallet.state import state_of_stop


@pytest.fixture
def given(wallet: OpenWallet, neighbours: Neighbours) -> str:
    """Number of a grant that is active."""
    return grant(wallet, neighbours.agency.ask(), Choice()).id


@pytest.fixture
def library(tmp_path_factory: pytest.TempPathFactory, holder: Resident, neighbours: Neighbours) -> Surroundings:
    """Somebody else's machine: a home with a trust list, no cards, and no passphrase that anybody gives."""
    home = type(holder.home)(tmp_path_factory.mktemp("library") / "wallet")
    create_wallet(
        home, WalletConfig("wallet", str(holder.trust_path), holder.config.registrar), b"x" * 20, "small"
    )
    return surroundings(home, fetcher=neighbours, clock=neighbours.clock)


def test_resident_stops_a_grant_and_the_log_confirms(
    wallet: OpenWallet, neighbours: Neighbours, given: str
) -> None:
    record = stop_grant(wallet, given)
    assert state_of_stop(record) == "confirmed"
    assert record.stop is not None
    assert record.stop.confirmed == neighbours.log.grants[0].revoked
    r = revocation_secret(wallet.code(record), 1)
    assert neighbours.cosigner.kept in ([], [r])  # it keeps only what the log does not have yet


def test_stopping_twice_is_no_error(wallet: OpenWallet, neighbours: Neighbours, given: str) -> None:
    first, second = stop_grant(wallet, given), stop_grant(wallet, given)
    assert first == second
    assert len(neighbours.log.grants[0].events) == 2


def test_unknown_grant_cannot_be_stopped(wallet: OpenWallet) -> None:
    with pytest.raises(Rejected) as refusal:
        stop_grant(wallet, "7")
    assert refusal.value.code == "unknown_grant"


def test_stop_waits_while_the_log_is_down_and_the_cosigner_keeps_it(
    wallet: OpenWallet, neighbours: Neighbours, given: str
) -> None:
    neighbours.down = {LOG_HOST}
    record = stop_grant(wallet, given)
    assert state_of_stop(record) == "not yet confirmed"
    assert record.stop is not None
    assert record.stop.cosigners == [builders.AUDITOR_NAME]
    assert neighbours.cosigner.kept == [revocation_secret(wallet.code(record), 1)]
    neighbours.down = set()
    assert synchronise(wallet).stopped == [given]
    assert state_of_stop(wallet.grant(given)) == "confirmed"


def test_stop_waits_while_nobody_can_be_reached(wallet: OpenWallet, neighbours: Neighbours, given: str) -> None:
    neighbours.down = {LOG_HOST, COSIGNER_HOST}
    record = stop_grant(wallet, given)
    assert (state_of_stop(record), record.stop and record.stop.cosigners) == ("not yet confirmed", [])
    report = synchronise(wallet)
    assert report.waiting == [f"stop {given}"]
    neighbours.down = set()
    deliver_stops(wallet)
    assert state_of_stop(wallet.grant(given)) == "confirmed"


def test_stop_does_not_need_a_trust_list(
    wallet: OpenWallet, neighbours: Neighbours, given: str, holder: Resident
) -> None:
    """An expired list stops everything but stopping: log and cosigners are known from the grant."""
    neighbours.clock.time += 40 * builders.DAY
    neighbours.log.publish()
    record = stop_grant(wallet, given)
    assert neighbours.log.grants[0].revoked is not None
    assert record.stop is not None
    assert record.stop.receipt is not None


def test_promise_is_not_a_confirmation(wallet: OpenWallet, neighbours: Neighbours, given: str) -> None:
    neighbours.log.publish_stops = False
    record = stop_grant(wallet, given)
    assert record.stop is not None
    assert record.stop.receipt is not None
    assert state_of_stop(record) == "not yet confirmed"
    neighbours.log.publish()
    synchronise(wallet)
    assert state_of_stop(wallet.grant(given)) == "confirmed"


@pytest.mark.parametrize("lie", ["unsigned", "other lock"])
def test_promise_that_is_not_the_logs_counts_for_nothing(
    wallet: OpenWallet, neighbours: Neighbours, given: str, lie: str
) -> None:
    lock = wallet.grant(given).body.terms.lock

    def change(answer: RevocationAnswer) -> RevocationAnswer:
        text = answer.receipt.split("\n\n")[0] + "\n\n— nobody AAAAAAAA\n" if lie == "unsigned" else answer.receipt
        return replace(answer, receipt=text.replace(lock, "A" * 43))

    neighbours.log.change_promise = change
    record = stop_grant(wallet, given)
    assert record.stop is not None
    assert record.stop.receipt is None
    assert state_of_stop(record) == "not yet confirmed"


def test_log_that_hides_the_stop_is_not_believed(wallet: OpenWallet, neighbours: Neighbours, given: str) -> None:
    neighbours.log.change_events = lambda answer: replace(answer, events=answer.events[:1])
    record = stop_grant(wallet, given)
    assert state_of_stop(record) == "not yet confirmed"
    assert record.problem == "missing_event"


def test_nothing_is_presented_after_a_stop(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.down = {AGENCY_HOST}
    link = neighbours.agency.ask()
    neighbours.down = set()

    def fall(name: str) -> None:
        if name.startswith("before POST") and "/responses/" in name:
            neighbours.down = {AGENCY_HOST}

    neighbours.on_call = fall
    with pytest.raises(Unavailable):
        grant(wallet, link, Choice())
    neighbours.on_call, neighbours.down = None, {LOG_HOST, COSIGNER_HOST}
    stop_grant(wallet, "1")
    neighbours.down = set()
    carry_on(wallet, "1")
    synchronise(wallet)
    assert neighbours.agency.grants == []
    assert state_of_stop(wallet.grant("1")) == "confirmed"
    assert (wallet.grant("1").sealed, wallet.grant("1").share_a) == ([], "")


def test_grant_that_never_reached_the_log_is_stopped_for_good_after_its_ticket(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    neighbours.down = {LOG_HOST}
    with pytest.raises(Unavailable):
        grant(wallet, neighbours.agency.ask(), Choice())
    neighbours.down = set()
    record = stop_grant(wallet, "1")
    assert state_of_stop(record) == "not yet confirmed"  # the request may still be under way
    neighbours.clock.time = wallet.grant("1").ticket_exp + 61
    assert state_of_stop(deliver_stop(wallet, "1")) == "never made"


def test_grant_that_the_log_refused_need_not_be_stopped(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.log.refuse_grants = "bad_terms"
    with pytest.raises(Rejected):
        grant(wallet, neighbours.agency.ask(), Choice())
    with pytest.raises(Rejected, match="nothing to stop"):
        stop_grant(wallet, "1")


def test_grant_whose_receipt_got_lost_can_be_stopped(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.lost = {LOG_HOST}
    with pytest.raises(Unavailable):
        grant(wallet, neighbours.agency.ask(), Choice())
    neighbours.lost = set()
    record = stop_grant(wallet, "1")
    assert state_of_stop(record) == "confirmed"
    assert (record.index, record.slot) == (neighbours.log.grants[0].index, neighbours.log.grants[0].slot)


def test_wallet_waits_for_witnesses_before_it_gives_up(
    wallet: OpenWallet, neighbours: Neighbours, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errand_revoke, "CONFIRM_TRIES", 4)
    neighbours.log.publish_stops = False
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            neighbours.log.publish()

    wallet.update_grant(given, stop=errand_revoke.begin_stop(wallet.grant(given), wallet.now()))
    assert state_of_stop(deliver_stop(wallet, given, pause=pause)) == "confirmed"
    assert len(pauses) == 2


# --- by paper ---


def paper(wallet: OpenWallet, grant_id: str) -> bytes:
    return parse_code(format_code(wallet.code(wallet.grant(grant_id))))


def test_paper_code_stops_from_any_wallet(
    wallet: OpenWallet, neighbours: Neighbours, given: str, library: Surroundings
) -> None:
    stop = stop_by_code(library, paper(wallet, given))
    assert (stop.state, stop.at_log) == ("confirmed", True)
    assert neighbours.log.grants[0].revoked is not None
    assert synchronise(wallet).stopped == [given]
    assert state_of_stop(wallet.grant(given)) == "confirmed"


def test_paper_code_stops_twice_without_an_error(wallet: OpenWallet, given: str, library: Surroundings) -> None:
    code = paper(wallet, given)
    assert stop_by_code(library, code) == stop_by_code(library, code)


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_paper_code_is_confirmed_also_after_messages(
    wallet: OpenWallet, neighbours: Neighbours, given: str, library: Surroundings, page: int
) -> None:
    ask(wallet, given, "erasure")
    neighbours.log.page = page
    assert stop_by_code(library, paper(wallet, given)).state == "confirmed"


def test_paper_code_that_the_log_only_promised_is_not_confirmed(
    wallet: OpenWallet, neighbours: Neighbours, given: str, library: Surroundings
) -> None:
    neighbours.log.publish_stops = False
    stop = stop_by_code(library, paper(wallet, given))
    assert (stop.state, stop.at_log) == ("not yet confirmed", True)
    assert not library.home.has(OUTBOX)
    neighbours.log.publish()
    assert stop_by_code(library, paper(wallet, given)).state == "confirmed"


def test_paper_code_with_the_address_of_the_log(wallet: OpenWallet, given: str, library: Surroundings) -> None:
    with pytest.raises(Rejected) as refusal:
        stop_by_code(library, paper(wallet, given), log_url="https://evil.example")
    assert refusal.value.code == "unknown_log"
    assert stop_by_code(library, paper(wallet, given), log_url=f"https://{LOG_HOST}").state == "confirmed"


def test_code_of_no_grant_is_told_so(library: Surroundings) -> None:
    with pytest.raises(Rejected) as refusal:
        stop_by_code(library, bytes(16))
    assert refusal.value.code == "unknown_code"
    assert not library.home.has(OUTBOX)


def test_paper_code_stops_every_version(
    wallet: OpenWallet, neighbours: Neighbours, given: str, library: Surroundings
) -> None:
    """A grant that was refreshed: r_1 is known and spent, r_2 ends what runs now."""
    code = paper(wallet, given)
    first = neighbours.log.grants[0]
    stop_by_code(library, code)
    lock = errand_revoke.lock_of(revocation_secret(code, 2))
    second_terms = replace(first.terms, lock=b64u_encode(lock), version=2)
    index, slot = neighbours.log.log.grant(second_terms, first.opening_key)
    neighbours.log.publish()
    kept = type(first)(second_terms, index, slot, b"", b"", first.view_hash, first.opening_key, first.b)
    neighbours.log.grants.append(kept)
    stop_by_code(library, code)
    assert kept.revoked is not None


def test_paper_code_waits_in_the_outbox(
    wallet: OpenWallet, neighbours: Neighbours, given: str, library: Surroundings
) -> None:
    neighbours.down = {LOG_HOST, COSIGNER_HOST}
    assert stop_by_code(library, paper(wallet, given)).state == "not yet confirmed"
    stop_by_code(library, paper(wallet, given))
    stored = library.home.read_secret(OUTBOX)
    assert format_code(paper(wallet, given)).replace(" ", "").encode() not in stored
    assert deliver_outbox(library) == (0, 1)
    neighbours.down = set()
    assert deliver_outbox(library) == (1, 0)
    assert neighbours.log.grants[0].revoked is not None
    assert deliver_outbox(library) == (0, 0)


def test_paper_code_reaches_the_cosigner_while_the_log_is_down(
    wallet: OpenWallet, neighbours: Neighbours, given: str, library: Surroundings
) -> None:
    neighbours.down = {LOG_HOST}
    stop = stop_by_code(library, paper(wallet, given))
    assert (stop.state, stop.at_log, stop.cosigners) == ("not yet confirmed", False, (builders.AUDITOR_NAME,))
    assert neighbours.cosigner.kept == [revocation_secret(paper(wallet, given), 1)]
    neighbours.down = set()
    assert deliver_outbox(library) == (1, 0)


def test_lock_of_the_paper_is_the_grants(wallet: OpenWallet, given: str) -> None:
    r = revocation_secret(paper(wallet, given), 1)
    assert errand_revoke.lock_of(r) == b64u_decode(wallet.grant(given).body.terms.lock)
