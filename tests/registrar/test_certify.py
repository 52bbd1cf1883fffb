"""Which registration certificates there are: whatever a registrar lists and takes off, in whatever order."""

from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.registration_certificate import intended_use_id
from protocol.status_list import decode_list
from protocol.trust_list import Agency, Service, TrustList
from registrar.certify import LIST_SIZE, RENEW, TERM, Book, Issued, certify
from tests.protocol import builders as b
from tests.protocol.builders import DAY, NOW

NAMES = ("Gemeente", "Gemeente met een nieuwe naam")
OINS = ("00000099000000001000", "00000099000000002000")


def trust(parts: Sequence[tuple[str, str, int]], now: int) -> TrustList:
    """A list of agencies (OIN, name, how many versions of one service)."""
    agencies = [
        b.agency(id=oin, name=name, services=[b.service(version=n + 1) for n in range(count)])
        for oin, name, count in parts
    ]
    return TrustList(version=1, iat=now, exp=now + DAY, agencies=agencies)


def sign(agency: Agency, service: Service, position: int, exp: int) -> str:
    return f"{agency.id}/{service.version}@{position}"


lists = st.lists(
    st.tuples(st.sampled_from(OINS), st.sampled_from(NAMES), st.integers(0, 3)),
    max_size=2,
    unique_by=lambda x: x[0],
)
steps = st.lists(st.tuples(lists, st.integers(0, TERM), st.sampled_from("ab")), min_size=1, max_size=8)


@settings(max_examples=60)
@given(steps)
def test_book_after_any_history(history: list[tuple[list[tuple[str, str, int]], int, str]]) -> None:
    book, now = Book(), NOW
    for parts, passed, place in history:
        now += passed
        listed = trust(parts, now)
        before, book = book, certify(book, listed, now=now, until=now + TERM, sign=sign, place=place)
        check_history(before, book, now)
        check_listed(book, listed, now)
        assert all(book.current(use, now).place == place for use in uses_of(listed))  # type: ignore[union-attr]
        statuses = decode_list(book.statuses())
        for position, entry in enumerate(book.certificates, book.first):
            assert statuses[position // 8] >> position % 8 & 1 == (entry.revoked is not None)
        again = certify(book, listed, now=now, until=now + TERM, sign=sign, place=place)
        assert again == book  # signing again changes nothing


def positions(book: Book) -> dict[int, Issued]:
    return dict(enumerate(book.certificates, book.first))


def check_history(before: Book, after: Book, now: int) -> None:
    """Positions are never given twice, a revocation is for ever, and only what has expired goes."""
    old, new = positions(before), positions(after)
    for position, entry in old.items():
        if position not in new:
            assert entry.exp <= now
            continue
        assert msgspec.structs.replace(new[position], revoked=entry.revoked) == entry
        assert entry.revoked is None or new[position].revoked == entry.revoked
    assert after.first >= before.first
    assert after.first + len(after.certificates) >= before.first + len(before.certificates)


def uses_of(listed: TrustList) -> dict[str, Agency]:
    return {intended_use_id(a.id, s.id, s.version): a for a in listed.agencies for s in a.services}


def check_listed(book: Book, listed: TrustList, now: int) -> None:
    """Each listed service version has one that says what the list says, for a while; nothing else is valid."""
    uses = uses_of(listed)
    for use in uses:
        found = book.current(use, now)
        assert found is not None
        assert found.exp - now > RENEW
        assert found.token.startswith(f"{uses[use].id}/")
        assert found.token.endswith(f"@{book.first + book.certificates.index(found)}")
    for entry in book.certificates:
        if entry.revoked is None:
            assert entry.use in uses
    assert not book.certificates or book.certificates[0].exp > now


def test_list_has_room_so_that_its_length_tells_little() -> None:
    assert len(decode_list(Book().statuses())) * 8 == LIST_SIZE


def test_certificate_ends_with_the_leaf_that_signs_it_and_is_issued_anew_under_the_next() -> None:
    parts = [(OINS[0], NAMES[0], 1)]

    def issue(book: Book, now: int, until: int) -> Book:
        return certify(book, trust(parts, now), now=now, until=until, sign=sign, place="a")

    first = issue(Book(), NOW, NOW + 10 * DAY)
    assert [entry.exp for entry in first.certificates] == [NOW + 10 * DAY]
    assert issue(first, NOW + DAY, NOW + 10 * DAY) == first  # the same leaf: another would not last longer
    renewed = issue(first, NOW + DAY, NOW + 400 * DAY)
    assert [entry.exp for entry in renewed.certificates] == [NOW + 10 * DAY, NOW + DAY + TERM]
