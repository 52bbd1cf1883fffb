"""What the page of a request shows, of real requests of an agency and a shop, before a browser is near."""

from typing import Any

import pytest
from msgspec.structs import replace

from protocol.terms import ElementClaim
from tests.protocol import builders
from tests.protocol.builders import ADRES, DAY, NOW
from tests.protocol.test_service_law import free_consent
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import Neighbours
from wallet.errand_request import read_request
from wallet.opened import OpenWallet
from wallet.ui import lawful as lawful_view
from wallet.ui.asked import RequestView, view_request
from wallet.ui.wish import Wish, only_needed, read_wish

NOTHING = Wish()
LAW = "Besluit basisregistratie personen, artikel 39"


def show(wallet: OpenWallet, link: str, wish: Wish = NOTHING, language: str = "nl", **known: Any) -> RequestView:
    request = read_request(wallet, link)
    return view_request(request, wallet.copies(), wish, wallet.now(), language, **known)


def relist(holder: Resident, **changes: Any) -> None:
    """The agency's one service, otherwise."""
    holder.write_trust(agencies=[builders.agency(services=[builders.service(version=2, **changes)])], version=2)


def needs(view: RequestView) -> dict[str, str]:
    return {datum.name: datum.need for group in view.groups for datum in group.data}


def test_consent_page_says_who_what_why_and_how_long(wallet: OpenWallet, neighbours: Neighbours) -> None:
    view = show(wallet, neighbours.agency.ask(max_reads=12))
    assert (view.kind, view.can_give, view.too_much) == ("consent", True, ())
    assert view.organisation.name == "Gemeente Voorbeeld"
    assert view.organisation.checked_by == "register"
    assert (view.why.service, view.why.purpose) == ("Parkeervergunning", "Nagaan of u hier woont")
    assert needs(view) == {"adres.postcode": "needed", "adres.huisnummer": "free", "persoon.geslachtsnaam": "free"}
    assert [group.title for group in view.groups] == ["Adres", "Persoonsgegevens"]
    assert "Geheimhouding van gegevens" in view.groups[0].flags
    assert view.term is not None
    assert (view.term.until, view.term.reads) == (NOW + 300 * DAY, 12)
    assert (view.why.retention, view.why.mode) == ("P1Y", "store")


def test_page_speaks_english(wallet: OpenWallet, neighbours: Neighbours) -> None:
    view = show(wallet, neighbours.agency.ask(), language="en")
    assert view.why.service == "Parking permit"
    assert view.groups[0].data[0].label == "Postal code"


def test_nothing_that_the_asker_can_do_without_goes_unless_ticked(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    link = neighbours.agency.ask()
    assert show(wallet, link).going == 1
    ticked = show(wallet, link, Wish(ticked=frozenset({"adres.huisnummer"})))
    assert ticked.going == 2
    labels = [label for seen in ticked.answer.seen for label, _ in seen.rows]
    assert "Huisnummer" in labels
    assert "Achternaam" not in labels


def test_page_shows_the_very_values_that_the_agency_would_see(wallet: OpenWallet, neighbours: Neighbours) -> None:
    (seen,) = show(wallet, neighbours.agency.ask()).answer.seen
    assert seen.card == "Adres"
    assert dict(seen.rows)["Postcode"] == ("1234AB",)


@pytest.mark.parametrize("basis", ["public_task", "legal_obligation"])
def test_task_of_the_law_is_no_consent(
    wallet: OpenWallet, holder: Resident, neighbours: Neighbours, basis: str
) -> None:
    relist(holder, basis=basis, law=LAW)
    view = show(wallet, neighbours.agency.ask())
    assert (view.kind, view.why.basis, view.why.law) == ("task", basis, LAW)
    assert view.organisation.contact == "privacy@agency.voorbeeld.example"


def test_page_names_the_law_its_text_and_why_the_choice_is_free(
    wallet: OpenWallet, holder: Resident, neighbours: Neighbours
) -> None:
    test = free_consent(no_downside=False)
    relist(holder, law=LAW, law_url="https://wetten.overheid.nl/x", free_consent=test, bsn_law="Wabb artikel 10")
    lawful = show(wallet, neighbours.agency.ask()).why.lawful
    assert lawful is not None
    assert (lawful.law, lawful.link, lawful.bsn_law) == (LAW, "https://wetten.overheid.nl/x", "Wabb artikel 10")
    assert [(one.question, one.yes) for one in lawful.reasons] == [
        ("interest", True), ("request", True), ("no_downside", False), ("no_imbalance", True),
    ]  # fmt: skip
    assert {one.text for one in lawful.reasons} == {"Omdat u het vraagt."}
    english = show(wallet, neighbours.agency.ask(), language="en").why.lawful
    assert english is not None
    assert english.reasons[0].text == "Because you ask for it."


def test_page_says_how_surely_the_issuer_knew_who_it_is(wallet: OpenWallet, neighbours: Neighbours) -> None:
    assert {group.sure for group in show(wallet, neighbours.agency.ask()).groups} == {"high"}


def test_least_sure_of_several_cards_counts(wallet: OpenWallet, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = list(wallet.copies().values())[:3]
    levels = iter(["high", "low", None])
    monkeypatch.setattr(lawful_view, "assurance_of", lambda copy: next(levels))
    assert lawful_view.sureness_of(copies) == "low"
    assert lawful_view.sureness_of([]) is None


def test_copy_is_a_page_of_its_own(wallet: OpenWallet, holder: Resident, neighbours: Neighbours) -> None:
    claims = [builders.service().claims[0], *builders.service().claims[3:]]
    relist(holder, claims=claims)
    view = show(wallet, neighbours.agency.ask(once=True, query=neighbours.agency.copy_query("postcode")))
    assert (view.kind, view.term, view.can_give) == ("copy", None, True)
    (group,) = view.groups
    assert [datum.label for datum in group.data] == ["Postcode"]
    assert group.slot is not None
    assert not group.slot.is_choice


def test_over_asking_is_marked_and_left_out(wallet: OpenWallet, neighbours: Neighbours) -> None:
    claims = [ElementClaim("adres", ["postcode"], True), ElementClaim("adres", ["woonplaats"], False)]
    view = show(wallet, neighbours.agency.ask(claims=claims), Wish(ticked=frozenset({"adres.woonplaats"})))
    assert needs(view)["adres.woonplaats"] == "too_much"
    assert view.too_much == ("Woonplaats",)
    assert view.can_give
    assert all(label != "Woonplaats" for seen in view.answer.seen for label, _ in seen.rows)


def test_over_asking_of_what_is_called_needed_stops_everything(wallet: OpenWallet, neighbours: Neighbours) -> None:
    view = show(wallet, neighbours.agency.ask(claims=[ElementClaim("adres", ["woonplaats"], True)]))
    assert (view.can_give, view.answer.obstacle) == (False, "over_asking")
    assert view.answer.seen == ()


def test_request_without_anything_needed_asks_to_choose(wallet: OpenWallet, neighbours: Neighbours) -> None:
    claims = [ElementClaim("adres", ["huisnummer"], False)]
    link = neighbours.agency.ask(claims=claims)
    view = show(wallet, link)
    assert (view.can_give, view.answer.error) == (True, "nothing_left")
    assert show(wallet, link, Wish(ticked=frozenset({"adres.huisnummer"}))).answer.error is None


def test_wallet_without_the_card_says_which_one(resident: Resident, neighbours: Neighbours) -> None:
    with resident.open() as empty:
        view = show(empty, neighbours.agency.ask())
    assert (view.can_give, view.answer.obstacle) == (False, "no_card")
    assert view.missing == ("Adres", "Persoonsgegevens")


def test_term_and_looks_can_be_shortened_and_never_stretched(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask(max_reads=12)
    shorter = show(wallet, link, Wish(until="2026-12-31", reads="3"))
    assert shorter.term is not None
    assert shorter.term.until < shorter.term.latest
    assert shorter.term.reads == 3
    assert [day for day, _, _ in shorter.term.earlier] == ["2026-11-29", "2026-12-22", "2027-02-20", "2027-05-21"]
    assert show(wallet, link, Wish(until="2099-01-01")).answer.error == "too_long"
    assert show(wallet, link, Wish(until="1999-01-01")).answer.error == "bad_date"
    assert show(wallet, link, Wish(until="morgen")).answer.error == "bad_date"
    assert show(wallet, link, Wish(reads="13")).answer.error == "too_many_reads"
    assert show(wallet, link, Wish(reads="-1")).answer.error == "bad_reads"


def test_form_gives_the_wish_that_was_ticked_and_the_way_back(wallet: OpenWallet, neighbours: Neighbours) -> None:
    form = {"give": ["adres.huisnummer"], "until": [" 2026-12-31 "], "reads": ["3"], "answer": ["share"]}
    wish = read_wish(list(form), lambda name: form.get(name, []))
    assert wish == Wish(ticked=frozenset({"adres.huisnummer"}), until="2026-12-31", reads="3")
    assert only_needed(wish) == Wish(until="2026-12-31", reads="3")


def test_spent_copies_are_said_before_the_resident_decides(wallet: OpenWallet, neighbours: Neighbours) -> None:
    with wallet.vault.transaction():
        for name, copy in wallet.copies().items():
            wallet.vault.put("copies", name, replace(copy, agency="00000099000000007777"))
    view = show(wallet, neighbours.agency.ask())
    assert (view.can_give, view.answer.obstacle) == (False, "no_copies_left")


def test_vocabulary_is_the_page_s_and_not_the_asker_s(wallet: OpenWallet, neighbours: Neighbours) -> None:
    """Labels come from the vocabulary and the trust list: nothing in the request is shown."""
    view = show(wallet, neighbours.agency.ask())
    assert {group.title for group in view.groups} == {"Adres", "Persoonsgegevens"}
    assert ADRES not in repr(view.groups)
