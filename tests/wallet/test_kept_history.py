"""What the wallet keeps of a history: it is what was verified, outlives erasure, and is written sparingly."""

import msgspec
import pytest
from msgspec.structs import replace

from protocol.attributes import CREDENTIAL_TYPES, short_name
from protocol.canonical import parse_json
from protocol.errors import Rejected, Unavailable
from tests.protocol.builders import LOG_ORIGIN
from tests.wallet.neighbours import AGENCY_HOST, LOG_HOST, Neighbours
from tests.wallet.test_history import changed
from wallet.errand_grant import grant
from wallet.errand_history import kept_parts, look_back
from wallet.errand_leaves import search_hidden
from wallet.errand_message import deliver_messages, keep_request, note_message, prepare_messages, send
from wallet.errand_revoke import stop_grant
from wallet.errand_sync import synchronise
from wallet.history import VerifiedEvent
from wallet.kept_history import PART, changed_parts, history_of, merge_events, parts_of
from wallet.opened import OpenWallet
from wallet.records import Choice, Evidence, OutgoingMessage
from wallet.rows import MAX_RECORD_BYTES

GRANT = VerifiedEvent("grant", 7, attributes=("adres.postcode",), time=1000)


def reads(count: int) -> list[VerifiedEvent]:
    return [VerifiedEvent("read", 10 + n, n, attributes=("adres.postcode",), time=2000 + n) for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, PART - 2, PART - 1, PART, 3 * PART])
def test_history_comes_back_from_its_parts(count: int) -> None:
    events = [GRANT, *reads(count)]
    parts = parts_of("1", events, 5000, 99)
    assert len(parts) == -(-len(events) // PART)
    history = history_of(list(reversed(parts)))
    assert history is not None
    assert (history.checked_at, history.size, list(history.events)) == (5000, 99, events)


def test_nothing_kept_is_no_history() -> None:
    assert history_of([]) is None


def test_only_what_changed_is_written_and_the_last_part_says_how_fresh_all_is() -> None:
    before = parts_of("1", [GRANT, *reads(PART + 5)], 5000, 99)
    after = parts_of("1", [GRANT, *reads(PART + 6)], 6000, 120)
    assert [part.number for part in changed_parts(before, after)] == [1]
    again = parts_of("1", [GRANT, *reads(PART + 6)], 7000, 130)
    assert [part.number for part in changed_parts(after, again)] == [1]
    history = history_of([before[0], again[1]])
    assert history is not None
    assert history.checked_at == 7000


def test_largest_part_fits_into_a_record_of_the_vault() -> None:
    names = tuple(f"{short_name(vct)}.{name}" for vct, kind in CREDENTIAL_TYPES.items() for name in kind.names)
    long = "x" * 43
    events = [
        VerifiedEvent(
            "refusal", 10**15 + n, n, "out_of_context", (*names, str(n)), long, long, "batch", "remote", 10**11
        )
        for n in range(PART)
    ]
    assert len(msgspec.json.encode(parts_of("1", events, 1, 1)[0])) < MAX_RECORD_BYTES - 1024


def test_details_that_the_log_has_erased_stay_known() -> None:
    read = reads(1)[0]
    gone = VerifiedEvent("read", 10, 0, erased=True)
    assert merge_events([GRANT, read], [GRANT, gone]) == [GRANT, replace(read, erased=True)]
    assert merge_events([GRANT], [GRANT, gone]) == [GRANT, gone]
    other = VerifiedEvent("refusal", 10, 0, "revoked")
    assert merge_events([GRANT, other], [GRANT, gone]) == [GRANT, gone]


# --- the errand ---


@pytest.fixture
def slot(wallet: OpenWallet, neighbours: Neighbours) -> int:
    record = grant(wallet, neighbours.agency.ask(), Choice()).record
    assert record.slot is not None
    return record.slot


def test_what_was_looked_at_stays_without_the_log(wallet: OpenWallet, neighbours: Neighbours, slot: int) -> None:
    neighbours.log.read(slot, "postcode")
    events = look_back(wallet, "1").history.events
    neighbours.down = {LOG_HOST}
    with pytest.raises(Unavailable):
        look_back(wallet, "1")
    history = history_of(kept_parts(wallet, "1"))
    assert history is not None
    assert history.events == events
    assert history.checked_at == wallet.now()


def test_log_that_erases_details_after_the_end_takes_nothing_from_the_resident(
    wallet: OpenWallet, neighbours: Neighbours, slot: int
) -> None:
    neighbours.log.read(slot, "postcode")
    read = look_back(wallet, "1").history.events[1]
    stop_grant(wallet, "1")
    neighbours.log.change_events = changed(1, opening=None, opening_key=None)
    assert look_back(wallet, "1").history.events[1].erased
    history = history_of(kept_parts(wallet, "1"))
    assert history is not None
    assert history.events[1] == replace(read, erased=True)


def test_log_that_hides_a_read_leaves_evidence_and_changes_nothing_else(
    wallet: OpenWallet, neighbours: Neighbours, slot: int
) -> None:
    neighbours.log.read(slot, "postcode")
    neighbours.log.read(slot, "postcode")
    look_back(wallet, "1")
    before = kept_parts(wallet, "1")
    neighbours.log.change_events = lambda answer: msgspec.structs.replace(
        answer, events=[answer.events[0], answer.events[2]]
    )
    for _ in range(2):  # twice: one piece of evidence
        with pytest.raises(Rejected, match="missing"):
            look_back(wallet, "1")
    assert kept_parts(wallet, "1") == before
    (found,) = wallet.vault.all("evidence", Evidence).values()
    assert (found.grant, found.code, found.log) == ("1", "missing_event", LOG_ORIGIN)
    signed = parse_json(found.answer)
    assert len(signed["events"]) == 2
    assert signed["checkpoint"] == neighbours.log.note


def test_log_that_is_away_leaves_no_evidence(wallet: OpenWallet, neighbours: Neighbours, slot: int) -> None:
    neighbours.clock.time += 7200  # nobody has cosigned for two hours
    with pytest.raises(Rejected):
        look_back(wallet, "1")
    neighbours.down = {LOG_HOST}
    with pytest.raises(Unavailable):
        look_back(wallet, "1")
    assert wallet.vault.is_empty("evidence")


def test_search_that_finds_a_hidden_read_leaves_evidence(
    wallet: OpenWallet, neighbours: Neighbours, slot: int
) -> None:
    neighbours.log.read(slot, "postcode")
    neighbours.log.change_events = lambda answer: msgspec.structs.replace(answer, events=answer.events[:1])
    with pytest.raises(Rejected) as refusal:
        search_hidden(wallet, "1")
    assert refusal.value.code == "hidden_event"
    (found,) = wallet.vault.all("evidence", Evidence).values()
    assert found.code == "hidden_event"


def test_sync_asks_a_log_that_is_away_once(wallet: OpenWallet, neighbours: Neighbours) -> None:
    for _ in range(3):
        grant(wallet, neighbours.agency.ask(), Choice())
    neighbours.down = {LOG_HOST}
    neighbours.calls.clear()
    assert synchronise(wallet).unreachable
    assert sum(LOG_HOST in url for _, url in neighbours.calls) == 1


def test_message_that_two_send_at_once_stays_delivered(
    wallet: OpenWallet, neighbours: Neighbours, slot: int
) -> None:
    neighbours.down = {LOG_HOST, AGENCY_HOST}
    name = keep_request(wallet, "1", "erasure")
    (delivery,) = prepare_messages(wallet)
    failed = send(wallet.peers, delivery)
    neighbours.down = set()
    assert deliver_messages(wallet) == 0
    note_message(wallet, delivery, failed)
    kept = wallet.vault.get("messages", name, OutgoingMessage)
    assert kept is not None
    assert (kept.at_log, kept.at_agency) == (True, True)
