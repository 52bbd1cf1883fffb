"""Looking back: every event is proven, and a log that lies about one is found."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol.canonical import b64u_encode
from protocol.checkpoint import VerifiedCheckpoint
from protocol.consent_api import EventsAnswer
from protocol.errors import Rejected
from protocol.leaf import LeafType, Read
from protocol.merkle import leaf_hash, node_hash, root
from protocol.reading import NUMBERS_AHEAD, refusal_opening
from protocol.revocation_code import revocation_secret
from protocol.status_tree import StatusTree
from tests.protocol import builders
from tests.protocol.builders import DAY, NOW
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import Log, Neighbours
from wallet.errand_grant import grant
from wallet.errand_history import look_back
from wallet.errand_leaves import search_hidden
from wallet.errand_message import ask
from wallet.errand_revoke import stop_grant
from wallet.opened import OpenWallet
from wallet.records import Choice, Seen
from wallet.search import verify_leaves
from wallet.state import state_of_stop


@pytest.fixture
def slot(wallet: OpenWallet, neighbours: Neighbours) -> int:
    """Of a grant that is active."""
    record = grant(wallet, neighbours.agency.ask(max_reads=5), Choice()).record
    assert record.slot is not None
    return record.slot


def kinds(wallet: OpenWallet) -> list[tuple[str, int | None]]:
    return [(event.kind, event.n) for event in look_back(wallet, "1").history.events]


def refuses(wallet: OpenWallet, code: str) -> str:
    """The text of the refusal; what was seen before stays."""
    before = wallet.grant("1")
    with pytest.raises(Rejected) as refusal:
        look_back(wallet, "1")
    assert refusal.value.code == code
    assert wallet.grant("1") == before
    return refusal.value.detail


def test_history_names_every_read_and_refusal(wallet: OpenWallet, neighbours: Neighbours, slot: int) -> None:
    neighbours.log.read(slot, "postcode")
    neighbours.clock.time += 60
    neighbours.log.read(slot, "huisnummer", "postcode", reason="out_of_context", zone="remote")
    found = look_back(wallet, "1")
    given, read, refusal = found.history.events
    assert (given.kind, given.index) == ("grant", found.record.index)
    assert "persoon.geslachtsnaam" in given.attributes
    assert (read.kind, read.n, read.time, read.reason) == ("read", 0, NOW, None)
    assert set(read.attributes) == {
        "adres.postcode",
        *(f"adres.{flag}" for flag in builders.flags(builders.ADRES)),
    }
    assert (read.channel, read.zone) == ("desk", "office")
    assert len(read.officer or "") == len(read.case or "") == 43
    assert (refusal.kind, refusal.n, refusal.reason, refusal.time) == ("refusal", 0, "out_of_context", NOW + 60)
    assert found.record.seen == Seen(reads=1, refusals=1)


def test_history_shows_messages_of_both_sides(wallet: OpenWallet, neighbours: Neighbours, slot: int) -> None:
    ask(wallet, "1", "erasure")
    neighbours.log.agency_message(slot, kind="erasure_acknowledged")
    neighbours.log.agency_message(slot, kind="kept", law="Archiefwet 3", until=NOW + DAY)
    messages = [event for event in look_back(wallet, "1").history.events if event.kind == "message"]
    assert [event.reason for event in messages] == ["erasure_asked", "erasure_acknowledged", "kept"]
    assert (messages[2].law, messages[2].until) == ("Archiefwet 3", NOW + DAY)


def test_history_shows_a_stop_and_what_was_refused_after_it(
    wallet: OpenWallet, neighbours: Neighbours, slot: int
) -> None:
    stop_grant(wallet, "1")
    neighbours.log.read(slot, "postcode", reason="revoked")
    assert kinds(wallet) == [("grant", None), ("revocation", None), ("refusal", 0)]


def test_openings_may_be_erased_only_after_the_end(wallet: OpenWallet, neighbours: Neighbours, slot: int) -> None:
    neighbours.log.read(slot, "postcode")
    change = changed(1, opening=None, opening_key=None)
    neighbours.log.change_events = change
    refuses(wallet, "missing_event")
    stop_grant(wallet, "1")
    assert [event.erased for event in look_back(wallet, "1").history.events] == [False, True, False]


def test_reads_stay_verifiable_when_the_agency_leaves_the_list(
    wallet: OpenWallet, neighbours: Neighbours, slot: int, holder: Resident
) -> None:
    neighbours.log.read(slot, "postcode")
    holder.write_trust(agencies=[], version=2)
    assert kinds(wallet) == [("grant", None), ("read", 0)]


def test_history_of_a_grant_that_never_reached_the_log(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.down = {"log.voorbeeld.example"}
    with pytest.raises(Exception, match="sync"):
        grant(wallet, neighbours.agency.ask(), Choice())
    refuses(wallet, "not_logged")


# --- a log that lies ---

Lie = Callable[[EventsAnswer], EventsAnswer]


def changed(place: int, **members: Any) -> Lie:
    """One event with other members."""

    def lie(answer: EventsAnswer) -> EventsAnswer:
        events = list(answer.events)
        if place < len(events):
            events[place] = replace(events[place], **members)
        return replace(answer, events=events)

    return lie


def without(*places: int) -> Lie:
    """Some events left out."""
    return lambda answer: replace(answer, events=[e for i, e in enumerate(answer.events) if i not in places])


def renumbered(answer: EventsAnswer) -> EventsAnswer:
    """The first read hidden, and the second called the first."""
    events = [answer.events[0], replace(answer.events[2], n=0), *answer.events[3:]]
    return replace(answer, events=events)


def swapped(answer: EventsAnswer) -> EventsAnswer:
    events = list(answer.events)
    events[1], events[2] = events[2], events[1]
    return replace(answer, events=events)


def twice(answer: EventsAnswer) -> EventsAnswer:
    return replace(answer, events=[*answer.events[:2], *answer.events[1:]])


def other_opening(answer: EventsAnswer) -> EventsAnswer:
    """The second read's opening under the first read's leaf: another time than the log committed to."""
    return changed(1, opening=answer.events[2].opening)(answer)


def other_checkpoint(answer: EventsAnswer) -> EventsAnswer:
    """Signed by the log, cosigned by nobody."""
    lines = answer.checkpoint.split("\n")
    return replace(answer, checkpoint="\n".join(lines[:5]) + "\n")


def no_bit(answer: EventsAnswer) -> EventsAnswer:
    """A status chunk in which everybody is revoked."""
    return replace(answer, status=replace(answer.status, chunk=b64u_encode(b"\xff" * 256)))


LIES: dict[str, tuple[str, Lie]] = {
    "hidden read": ("missing_event", without(1)),
    "hidden read, renumbered": ("bad_event", renumbered),
    "missing n": ("missing_event", changed(1, n=None)),
    "other n": ("missing_event", changed(2, n=2)),
    "hidden grant": ("missing_event", without(0)),
    "nothing at all": ("missing_event", without(0, 1, 2)),
    "entries in another order": ("bad_event", swapped),
    "an entry twice": ("bad_event", twice),
    "another type": ("bad_event", changed(1, type="refusal")),
    "another opening": ("bad_event", other_opening),
    "another opening key": ("bad_event", changed(1, opening_key=b64u_encode(bytes(32)))),
    "no opening": ("missing_event", changed(1, opening=None)),
    "another index": ("bad_inclusion", changed(1, index=0)),
    "another leaf": ("bad_inclusion", changed(1, leaf=b64u_encode(b"\x03" + bytes(48)))),
    "another slot": ("wrong_grant", lambda answer: replace(answer, slot=answer.slot + 1)),
    "no quorum": ("no_quorum", other_checkpoint),
    "another status": ("bad_inclusion", no_bit),
    "another head": ("bad_head", lambda answer: replace(answer, head=replace(answer.head, index=0))),
}


@pytest.mark.parametrize("lie", LIES)
def test_wallet_finds_the_log_that_shows(wallet: OpenWallet, neighbours: Neighbours, slot: int, lie: str) -> None:
    code, change = LIES[lie]
    neighbours.log.read(slot, "postcode")
    neighbours.clock.time += 1
    neighbours.log.read(slot, "huisnummer")
    neighbours.log.change_events = change
    refuses(wallet, code)


def test_wallet_finds_the_log_that_hides_the_last_read_it_showed_before(
    wallet: OpenWallet, neighbours: Neighbours, slot: int
) -> None:
    neighbours.log.read(slot, "postcode")
    look_back(wallet, "1")
    neighbours.log.change_events = without(1)
    assert "report" in refuses(wallet, "fewer_events")


def test_wallet_finds_a_stale_answer(wallet: OpenWallet, neighbours: Neighbours, slot: int) -> None:
    neighbours.clock.time += 61
    refuses(wallet, "stale_checkpoint")


def test_wallet_finds_a_log_that_rewrites_its_past(wallet: OpenWallet, neighbours: Neighbours, slot: int) -> None:
    look_back(wallet, "1")
    forked = Log(neighbours.clock, neighbours.trust)
    forked.log.append(Read(b"another tag here", bytes(32)))
    kept = neighbours.log.grants[0]
    index, found = forked.log.grant(kept.terms, kept.opening_key)
    forked.publish()
    kept.index, kept.slot = index, found
    kept.events = [(index, *kept.events[0][1:])]
    forked.grants = [kept]
    neighbours.log.log, neighbours.log.note = forked.log, forked.note
    with wallet.vault.transaction():
        wallet.vault.put("grants", "1", replace(wallet.grant("1"), index=index, slot=found))
    refuses(wallet, "bad_consistency")


def test_wallet_finds_a_read_after_the_stop(wallet: OpenWallet, neighbours: Neighbours, slot: int) -> None:
    stop_grant(wallet, "1")
    neighbours.log.read(slot, "postcode")
    assert "report" in refuses(wallet, "read_after_stop")


def test_wallet_finds_a_stop_without_an_entry(wallet: OpenWallet, neighbours: Neighbours, slot: int) -> None:
    neighbours.log.log.status.revoke(slot)
    neighbours.log.publish()
    refuses(wallet, "missing_event")


def test_wallet_finds_an_entry_of_a_stop_without_its_bit(
    wallet: OpenWallet, neighbours: Neighbours, slot: int
) -> None:
    stop_grant(wallet, "1")
    honest = neighbours.log.log.status
    neighbours.log.log.status = StatusTree()
    for _ in range(honest.slots):
        neighbours.log.log.status.append_slot()
    neighbours.log.publish()
    refuses(wallet, "missing_event")


def test_wallet_finds_more_reads_than_it_allowed(wallet: OpenWallet, neighbours: Neighbours, slot: int) -> None:
    for _ in range(5):
        neighbours.log.read(slot, "postcode")
    look_back(wallet, "1")
    neighbours.log.read(slot, "postcode")
    refuses(wallet, "bad_event")


@pytest.mark.parametrize("changes", [{"claims": [b64u_encode(bytes(32))]}, {"aud": "log.other/1"}, {"slot": 7}])
def test_wallet_finds_a_read_that_its_terms_do_not_allow(
    wallet: OpenWallet, neighbours: Neighbours, slot: int, changes: dict[str, Any]
) -> None:
    neighbours.log.read(slot, "postcode", **changes)
    refuses(wallet, "bad_event")


def test_wallet_finds_a_read_that_the_agency_did_not_sign(
    wallet: OpenWallet, neighbours: Neighbours, slot: int
) -> None:
    token = neighbours.log.read(slot, "postcode")
    kept = neighbours.log.grants[0]
    head, payload, signature = token.split(".")
    forged = f"{head}.{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
    kept.events.pop()
    kept.counts[LeafType.READ] = 0
    neighbours.log.append_event(kept, LeafType.READ, forged.encode())
    neighbours.log.publish()
    refuses(wallet, "bad_event")


def test_refused_read_may_name_what_was_never_granted(
    wallet: OpenWallet, neighbours: Neighbours, slot: int
) -> None:
    neighbours.log.read(slot, reason="out_of_scope", claims=[b64u_encode(bytes(32))])
    assert look_back(wallet, "1").history.events[-1].attributes == ("unknown",)


def test_refusal_has_one_form(wallet: OpenWallet, neighbours: Neighbours, slot: int) -> None:
    token = neighbours.log.read(slot, "postcode", reason="expired")
    kept = neighbours.log.grants[0]
    kept.events.pop()
    kept.counts[LeafType.REFUSAL] = 0
    loose = refusal_opening(token, "expired").replace(b'","', b'", "')
    neighbours.log.append_event(kept, LeafType.REFUSAL, loose)
    neighbours.log.publish()
    refuses(wallet, "bad_event")


def test_wallet_finds_a_message_that_it_did_not_sign(
    wallet: OpenWallet, neighbours: Neighbours, slot: int
) -> None:
    neighbours.log.agency_message(slot, kind="complaint")
    refuses(wallet, "bad_event")


# --- an answer in pages ---


@pytest.fixture
def pages(neighbours: Neighbours, slot: int) -> int:
    """How many events there are, two on a page: grant, read, read, refusal, read."""
    for number in range(4):
        neighbours.log.read(slot, "postcode", reason="expired" if number == 2 else None)
        neighbours.clock.time += 1
    neighbours.log.publish()
    neighbours.log.page = 2
    return 5


def nth(page: int, lie: Lie) -> Lie:
    """Only page `page` lies."""
    answers: list[EventsAnswer] = []

    def change(answer: EventsAnswer) -> EventsAnswer:
        answers.append(answer)
        return lie(answer) if len(answers) == page + 1 else answer

    return change


def test_wallet_reads_every_page(wallet: OpenWallet, neighbours: Neighbours, slot: int, pages: int) -> None:
    neighbours.calls.clear()
    assert kinds(wallet) == [("grant", None), ("read", 0), ("read", 1), ("refusal", 0), ("read", 2)]
    assert wallet.grant("1").seen == Seen(reads=3, refusals=1)
    assert sum("/events?from=" in url for _, url in neighbours.calls) == 3


def test_wallet_follows_a_log_that_grows_between_pages(
    wallet: OpenWallet, neighbours: Neighbours, slot: int, pages: int
) -> None:
    neighbours.log.between_pages = neighbours.log.publish
    assert len(kinds(wallet)) == pages
    assert wallet.known_log(wallet.grant("1").body.terms.log).size == len(neighbours.log.log.leaves)


def test_wallet_sees_a_stop_between_pages(
    wallet: OpenWallet, neighbours: Neighbours, slot: int, pages: int
) -> None:
    def stop() -> None:
        neighbours.log.between_pages = lambda: None
        record = wallet.grant("1")
        r = revocation_secret(wallet.code(record), 1)
        wallet.peers.revoke(wallet.known_log(record.body.terms.log).log.url, r)

    neighbours.log.between_pages = stop
    assert kinds(wallet)[-1] == ("revocation", None)
    assert state_of_stop(wallet.grant("1")) == "confirmed"


def forgets_the_rest(answer: EventsAnswer) -> EventsAnswer:
    return replace(answer, next=None)


def goes_back(answer: EventsAnswer) -> EventsAnswer:
    return replace(answer, next=answer.events[-1].index)


PAGE_LIES: dict[str, tuple[str, int, Lie]] = {
    "hidden on a later page": ("missing_event", 1, without(0)),
    "renumbered on a later page": ("missing_event", 1, changed(0, n=0)),
    "the same page again": ("bad_event", 0, goes_back),
    "a page without entries that has a next": ("bad_event", 1, without(0, 1)),
    "a page of another grant": ("wrong_grant", 1, lambda answer: replace(answer, slot=answer.slot + 1)),
    "a later page without witnesses": ("no_quorum", 1, other_checkpoint),
    "a later page with another status": ("bad_inclusion", 2, no_bit),
    "an unsigned entry on the last page": ("bad_event", 2, changed(0, opening="{}")),
}


@pytest.mark.parametrize("lie", PAGE_LIES)
def test_wallet_finds_the_log_that_lies_on_one_page(
    wallet: OpenWallet, neighbours: Neighbours, slot: int, pages: int, lie: str
) -> None:
    code, page, change = PAGE_LIES[lie]
    neighbours.log.change_events = nth(page, change)
    refuses(wallet, code)


def test_wallet_finds_the_log_that_leaves_out_pages_that_it_showed(
    wallet: OpenWallet, neighbours: Neighbours, slot: int, pages: int
) -> None:
    look_back(wallet, "1")
    neighbours.log.change_events = nth(1, forgets_the_rest)
    refuses(wallet, "fewer_events")


def test_wallet_finds_the_log_that_shrinks_between_pages(
    wallet: OpenWallet, neighbours: Neighbours, slot: int, pages: int
) -> None:
    older: list[EventsAnswer] = []

    def keep(answer: EventsAnswer) -> EventsAnswer:
        older.append(answer)
        return answer

    neighbours.log.change_events = keep
    look_back(wallet, "1")
    neighbours.log.publish()
    neighbours.log.change_events = nth(1, lambda answer: older[1])
    assert "report" in refuses(wallet, "bad_consistency")


def test_wallet_finds_the_log_that_forks_between_pages(
    wallet: OpenWallet, neighbours: Neighbours, slot: int, pages: int
) -> None:
    log = neighbours.log

    def fork() -> None:
        log.between_pages = lambda: None
        log.log.leaves[0] = Read(b"another tag here", bytes(32)).to_bytes()
        log.publish()

    log.between_pages = fork
    refuses(wallet, "bad_consistency")


# --- a search through all leaves ---


def test_search_finds_nothing_that_an_honest_log_hides(
    wallet: OpenWallet, neighbours: Neighbours, slot: int
) -> None:
    for number in range(3):
        neighbours.log.read(slot, "postcode", reason="expired" if number == 1 else None)
    assert [event.kind for event in search_hidden(wallet, "1").history.events] == [
        "grant",
        "read",
        "refusal",
        "read",
    ]


@pytest.mark.parametrize("reason", [None, "expired"])
def test_search_finds_the_last_entry_that_was_never_shown(
    wallet: OpenWallet, neighbours: Neighbours, slot: int, reason: str | None
) -> None:
    neighbours.log.read(slot, "postcode")
    neighbours.log.read(slot, "postcode", reason=reason)
    neighbours.log.change_events = without(2)
    look_back(wallet, "1")
    with pytest.raises(Rejected) as refusal:
        search_hidden(wallet, "1")
    assert refusal.value.code == "hidden_event"


def test_search_finds_a_number_that_was_given_twice(wallet: OpenWallet, neighbours: Neighbours, slot: int) -> None:
    neighbours.log.read(slot, "postcode")
    kept = neighbours.log.grants[0]
    kept.counts[LeafType.READ] = 0
    neighbours.log.read(slot, "huisnummer")
    kept.events.pop()
    with pytest.raises(Rejected) as refusal:
        search_hidden(wallet, "1")
    assert refusal.value.code == "hidden_event"


def test_search_finds_a_read_under_a_number_far_ahead(
    wallet: OpenWallet, neighbours: Neighbours, slot: int
) -> None:
    """As far ahead as an honest operator releases."""
    neighbours.log.read(slot, "postcode")
    kept = neighbours.log.grants[0]
    kept.counts[LeafType.READ] = NUMBERS_AHEAD
    neighbours.log.read(slot, "huisnummer")
    kept.events.pop()
    with pytest.raises(Rejected) as refusal:
        search_hidden(wallet, "1")
    assert refusal.value.code == "hidden_event"


def test_search_believes_only_leaves_of_the_witnessed_tree(
    wallet: OpenWallet, neighbours: Neighbours, slot: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbours.log.read(slot, "postcode")
    neighbours.log.read(slot, "postcode")
    neighbours.log.change_events = without(2)
    hidden = neighbours.log.grants[0].events[2][0]
    honest = wallet.peers.entries

    def doctored(log_url: str, first: int, size: int) -> Iterator[tuple[int, list[bytes]]]:
        for start, bundle in honest(log_url, first, size):
            bundle[hidden - start] = Read(bytes(16), bytes(32)).to_bytes()
            yield start, bundle

    monkeypatch.setattr(wallet.peers, "entries", doctored)
    with pytest.raises(Rejected) as refusal:
        search_hidden(wallet, "1")
    assert refusal.value.code == "bad_entries"


@given(size=st.integers(1, 70), data=st.data())
def test_any_window_of_a_tree_is_proven_and_no_other_leaf(size: int, data: st.DataObject) -> None:
    leaves = [number.to_bytes(4, "big") for number in range(size)]

    def node(level: int, index: int) -> bytes:
        if level == 0:
            return leaf_hash(leaves[index])
        return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    checkpoint = VerifiedCheckpoint("log", size, root(size, node), "")
    first = data.draw(st.integers(0, size - 1))
    window = leaves[first : data.draw(st.integers(first + 1, size))]
    verify_leaves(first, window, checkpoint, node)
    place = data.draw(st.integers(0, len(window) - 1))
    with pytest.raises(Rejected):
        verify_leaves(first, [*window[:place], b"another", *window[place + 1 :]], checkpoint, node)
    with pytest.raises(Rejected):
        verify_leaves(size - len(window) + 1, window, checkpoint, node)
