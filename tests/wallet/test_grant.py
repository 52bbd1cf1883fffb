"""Granting: what the terms hold, what is refused, and what every step leaves behind."""

from protocol.terms import places_of
from tests.wallet.neighbours import Neighbours
from wallet.errand_grant import grant
from wallet.opened import OpenWallet
from wallet.records import Choice


def test_resident_grants_what_is_asked(wallet: OpenWallet, neighbours: Neighbours) -> None:
    given = grant(wallet, neighbours.agency.ask(), Choice())
    assert given.record.state == "active"
    names = {place.name for place in places_of(given.record.body.terms)}
    assert {"postcode", "huisnummer", "geslachtsnaam", "geheimhouding", "inOnderzoek", "opschorting"} == names
    (stored,) = neighbours.agency.grants
    assert stored.grant_index == given.record.index
