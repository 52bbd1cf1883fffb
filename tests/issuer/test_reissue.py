"""Issuing again: new data in the set of the copy that it replaces, for the same resident only (section 9)."""

import pytest

from issuer.brp import Bsn
from issuer.offer import Offer
from protocol.credential import verify_credential
from protocol.errors import Rejected
from tests.issuer.desk import KARIM, NOOR, PERSONS, PRE_AUTHORIZED, Desk, jwt_parts


def fetch(desk: Desk, offer: tuple[Offer, str]) -> str:
    """An access token for an offer."""
    made, tx_code = offer
    grant = desk.client.get(f"/offers/{made.id}").json["grants"][PRE_AUTHORIZED]
    return str(desk.post_token(grant["pre-authorized_code"], tx_code).json["access_token"])


def sets_of(texts: list[str]) -> list[str]:
    return [jwt_parts(text.partition("~")[0])[1]["set"] for text in texts]


def test_resident_who_moved_gets_the_new_address_in_the_old_sets(desk: Desk) -> None:
    first = desk.office.offer(NOOR, ("persoon", "adres"))
    token = fetch(desk, first)
    old = desk.fetch(token, "adres", 4)
    desk.office.import_persons([PERSONS.read_bytes().splitlines()[0].replace(b"Kersenlaan", b"Pruimenlaan")])

    token = fetch(desk, desk.office.offer(NOOR, ("adres",), replaces=first[0].id))
    new = desk.fetch(token, "adres", 3) + desk.fetch(token, "adres", 1)
    assert sets_of(new) == sets_of(old)
    streets = {str(verify_credential(text, desk.trust, desk.clock.now()).claims["straat"]) for text in new}
    assert streets == {"Pruimenlaan"}
    indexes = [jwt_parts(text.partition("~")[0])[1]["status"]["status_list"]["idx"] for text in old + new]
    assert len(set(indexes)) == 8


def test_old_copies_are_revoked_apart_from_the_new(desk: Desk) -> None:
    first = desk.office.offer(NOOR, ("adres",))
    desk.fetch(fetch(desk, first), "adres", 2)
    second = desk.office.offer(NOOR, ("adres",), replaces=first[0].id)
    desk.fetch(fetch(desk, second), "adres", 2)
    assert desk.office.revoke(first[0].id, "verhuisd") == (2, 2)
    assert [(item.copies, item.revoked) for item in desk.office.issued(NOOR)] == [(2, 2), (2, 0)]


def test_no_more_is_issued_again_than_was_issued(desk: Desk) -> None:
    first = desk.office.offer(NOOR, ("persoon", "adres"))
    desk.fetch(fetch(desk, first), "adres", 2)
    token = fetch(desk, desk.office.offer(NOOR, ("persoon", "adres"), replaces=first[0].id))
    for name, count in (("adres", 3), ("persoon", 1)):
        answer = desk.post_credential(token, name, desk.proofs(count))
        assert answer.json["error"] == "credential_request_denied"
    assert len(desk.fetch(token, "adres", 2)) == 2


def test_sets_of_one_resident_never_come_to_another(desk: Desk) -> None:
    first = desk.office.offer(NOOR, ("persoon",))
    desk.fetch(fetch(desk, first), "persoon", 2)
    before = desk.rows()
    for bsn, replaced in ((KARIM, first[0].id), (NOOR, "unknown"), (NOOR, "")):
        with pytest.raises(Rejected) as caught:
            desk.office.offer(Bsn(bsn), ("persoon",), replaces=replaced)
        assert caught.value.code == "unknown_id"
    assert desk.rows() == before


def test_reissued_copies_can_be_reissued_and_new_ones_start_beyond(desk: Desk) -> None:
    first = desk.office.offer(NOOR, ("persoon",))
    sets = sets_of(desk.fetch(fetch(desk, first), "persoon", 2))
    second = desk.office.offer(NOOR, ("persoon",), replaces=first[0].id)
    assert sets_of(desk.fetch(fetch(desk, second), "persoon", 2)) == sets
    third = desk.office.offer(NOOR, ("persoon",), replaces=second[0].id)
    assert sets_of(desk.fetch(fetch(desk, third), "persoon", 1)) == sets[:1]
    fresh = sets_of(desk.fetch(desk.token("persoon"), "persoon", 2))
    assert not set(fresh) & set(sets)
