"""Sharing once: exactly what was asked, one set for each agency, and a no that tells nothing."""

from typing import Any

import pytest

from protocol.credential import split_sd_jwt, verify_presentation
from protocol.dcql import Card, check_answer, parse_query
from protocol.disclosure import parse_disclosure
from protocol.errors import Rejected, Unavailable
from protocol.terms import BSN_ATTRIBUTE
from tests.protocol import builders
from tests.protocol.builders import ADRES, AGENCY, AGENCY_ID, GEZIN, PERSOON
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import AGENCY_HOST, Neighbours
from wallet.errand_request import decline, share_once
from wallet.opened import OpenWallet
from wallet.present import NO_WAY_BACK
from wallet.records import Activity


@pytest.fixture(autouse=True)
def registered(holder: Resident) -> None:
    """The agency may ask postcode and town."""
    claim = type(builders.service().claims[0])
    claims = [
        claim(vct=ADRES, path=[name], needed=True) for name in ("postcode", "woonplaats", *builders.flags(ADRES))
    ]
    moved = builders.service(id="verhuisbericht", claims=claims)
    holder.write_trust(agencies=[builders.agency(services=[builders.service(), moved])], version=2)


def activities(wallet: OpenWallet) -> list[Activity]:
    return list(wallet.vault.all("activities", Activity).values())


def refuses(wallet: OpenWallet, neighbours: Neighbours, link: str, code: str) -> str:
    with pytest.raises(Rejected) as refusal:
        share_once(wallet, link)
    assert refusal.value.code == code
    assert activities(wallet) == []
    assert neighbours.agency.answers == 0
    assert {copy.agency for copy in wallet.copies().values()} == {None}
    return refusal.value.detail


def test_agency_gets_exactly_what_it_asked(wallet: OpenWallet, neighbours: Neighbours) -> None:
    shared = share_once(wallet, neighbours.agency.ask(once=True))
    assert shared.attributes == ["adres.postcode", "adres.woonplaats"]
    ((text,),) = (token["adres"] for token in neighbours.agency.copies)
    request = neighbours.agency.requests["1"]["payload"]
    presented = verify_presentation(
        text, neighbours.trust(), now=neighbours.clock.time, audience=AGENCY.client_id, nonce=request["nonce"]
    )
    assert dict(presented.credential.claims) == {"postcode": "1234AB", "woonplaats": "Ons Dorp"}
    assert {parse_disclosure(d).name for d in split_sd_jwt(text).disclosures} == {"postcode", "woonplaats"}
    answer = {"adres": [Card(ADRES, presented.credential.claims)]}
    assert check_answer(parse_query(neighbours.agency.copy_query()), answer)
    assert presented.key_binding.consent is None


def test_copy_is_remembered_without_its_values(wallet: OpenWallet, neighbours: Neighbours) -> None:
    share_once(wallet, neighbours.agency.ask(once=True))
    (activity,) = activities(wallet)
    assert (activity.kind, activity.agency, activity.service) == ("shared", AGENCY_ID, "Parking permit")
    assert activity.given == activity.asked == ["adres.postcode", "adres.woonplaats"]
    assert "1234AB" not in repr(activity)


def test_wallet_says_that_a_copy_cannot_be_taken_back() -> None:
    assert "cannot be taken back" in NO_WAY_BACK


def test_each_copy_comes_from_a_fresh_set(wallet: OpenWallet, neighbours: Neighbours) -> None:
    for _ in range(3):
        share_once(wallet, neighbours.agency.ask(once=True))
    sets = [verified.split("~")[0] for token in neighbours.agency.copies for verified in token["adres"]]
    assert len(set(sets)) == 3
    spent = {copy.set_id for copy in wallet.copies().values() if copy.agency == AGENCY_ID}
    assert len(spent) == 3


def test_answer_that_got_lost_leaves_a_copy_that_may_be_out(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask(once=True)

    def lose(name: str) -> None:
        neighbours.lost = {AGENCY_HOST} if "/responses/" in name else set()

    neighbours.on_call = lose
    with pytest.raises(Unavailable):
        share_once(wallet, link)
    assert [activity.kind for activity in activities(wallet)] == ["maybe_shared"]
    assert AGENCY_ID in {copy.agency for copy in wallet.copies().values()}


def test_copy_that_the_agency_refuses_may_still_be_out(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.agency.refuse = Rejected("invalid_request", "no")
    with pytest.raises(Rejected):
        share_once(wallet, neighbours.agency.ask(once=True))
    assert [activity.kind for activity in activities(wallet)] == ["maybe_shared"]


def query(*names: str, vct: str = ADRES, **claim: Any) -> dict[str, Any]:
    claims = [{"path": [name], **claim} for name in names]
    return {"credentials": [{"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, "claims": claims}]}


def test_wallet_refuses_over_asking(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask(once=True, query=query("postcode", "straat"))
    assert "adres.straat" in refuses(wallet, neighbours, link, "over_asking")


def test_wallet_refuses_attributes_of_two_services_in_one_request(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    link = neighbours.agency.ask(once=True, query=query("huisnummer", "woonplaats"))
    refuses(wallet, neighbours, link, "over_asking")


def test_wallet_refuses_bsn_that_is_not_registered(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask(once=True, query=query(BSN_ATTRIBUTE, vct=PERSOON))
    refuses(wallet, neighbours, link, "over_asking")


def test_wallet_refuses_attribute_and_type_that_nobody_registered(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    link = neighbours.agency.ask(once=True, query=query("schoenmaat"))
    assert "adres.schoenmaat" in refuses(wallet, neighbours, link, "over_asking")
    link = neighbours.agency.ask(once=True, query=query("x", vct="urn:eudi:pid:1"))
    assert "q.x" in refuses(wallet, neighbours, link, "over_asking")
    bare = {"credentials": [{"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:eudi:pid:1"]}}]}
    refuses(wallet, neighbours, neighbours.agency.ask(once=True, query=bare), "over_asking")


@pytest.mark.parametrize("value", ["9999ZZ", "1234ab"])
def test_probing_for_a_value_looks_like_a_missing_card(
    wallet: OpenWallet, neighbours: Neighbours, value: str
) -> None:
    link = neighbours.agency.ask(once=True, query=query("postcode", values=[value]))
    refuses(wallet, neighbours, link, "not_satisfiable")


def test_value_that_fits_is_answered(wallet: OpenWallet, neighbours: Neighbours) -> None:
    share_once(wallet, neighbours.agency.ask(once=True, query=query("postcode", values=["1234AB"])))


def test_request_for_standing_access_is_no_copy(wallet: OpenWallet, neighbours: Neighbours) -> None:
    assert "grant" in refuses(wallet, neighbours, neighbours.agency.ask(), "not_once")


def test_card_that_is_not_there_is_not_named_to_the_agency(wallet: OpenWallet, neighbours: Neighbours) -> None:
    with wallet.vault.transaction():
        for name, copy in wallet.copies().items():
            if copy.vct == ADRES:
                wallet.vault.delete("copies", name)
    refuses(wallet, neighbours, neighbours.agency.ask(once=True), "no_card")


def test_resident_says_no_and_the_agency_hears_only_that(wallet: OpenWallet, neighbours: Neighbours) -> None:
    decline(wallet, neighbours.agency.ask())
    decline(wallet, neighbours.agency.ask(once=True, query=query("burgerlijkeStaat", vct=GEZIN)))
    assert neighbours.agency.declined == ["access_denied", "access_denied"]
    assert [activity.kind for activity in activities(wallet)] == ["declined", "declined"]
    assert [activity.given for activity in activities(wallet)] == [[], []]


def test_no_is_kept_when_the_agency_cannot_be_told(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask()

    def fall(name: str) -> None:
        neighbours.down = {AGENCY_HOST} if "/responses/" in name else set()

    neighbours.on_call = fall
    decline(wallet, link)
    assert [activity.kind for activity in activities(wallet)] == ["declined"]
