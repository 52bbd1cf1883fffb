"""Granting: what the terms hold, what is refused, and that a refusal leaves nothing behind."""

import re
from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes
from protocol.consent_api import GrantAnswer
from protocol.errors import Rejected, Unavailable
from protocol.receipt import make_tlog_proof
from protocol.request_object import sign_request_object
from protocol.revocation_code import lock_for
from protocol.terms import Context, ElementClaim, LogReference, Terms, places_of
from protocol.trust_list import ServiceClaim
from tests.protocol import builders
from tests.protocol.builders import ADRES, AGENCY, AGENCY_HOST, AGENCY_ID, DAY, LOG_ORIGIN, NOW, PERSOON
from tests.protocol.granting import terms
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import LOG_HOST, SECOND_ID, Neighbours
from wallet.errand_grant import Granted, carry_on, grant
from wallet.opened import OpenWallet
from wallet.records import Choice
from wallet.seed import grant_code

FLAGS = {"geheimhouding", "inOnderzoek", "opschorting"}
ASKED = [
    ElementClaim("adres", ["postcode"], True),
    ElementClaim("adres", ["huisnummer"], False),
    ElementClaim("persoon", ["geslachtsnaam"], False),
]


def names(terms: Terms) -> set[str]:
    return {f"{place.credential}.{place.name}" for place in places_of(terms)}


def refuses(wallet: OpenWallet, neighbours: Neighbours, link: str, code: str, **choice: Any) -> str:
    """The text of the refusal; nothing is kept, spent or sent."""
    before = wallet.vault.counter
    with pytest.raises(Rejected) as refusal:
        grant(wallet, link, Choice(**choice))
    assert refusal.value.code == code
    assert wallet.vault.counter == before
    assert wallet.grants() == {}
    assert {copy.agency for copy in wallet.copies().values()} == {None}
    assert neighbours.log.grants == []
    assert neighbours.agency.answers == 0
    assert "Dorpsstraat" not in refusal.value.detail
    assert "1234AB" not in refusal.value.detail
    return refusal.value.detail


def give(wallet: OpenWallet, link: str, **choice: Any) -> Granted:
    given = grant(wallet, link, Choice(**choice))
    assert given.record.state == "active"
    return given


def test_resident_grants_what_is_asked(wallet: OpenWallet, neighbours: Neighbours) -> None:
    given = give(wallet, neighbours.agency.ask())
    granted = given.record.body.terms
    assert names(granted) == {"adres.postcode", "adres.huisnummer", "persoon.geslachtsnaam"} | {
        f"{card}.{flag}" for card in ("adres", "persoon") for flag in FLAGS
    }
    (stored,) = neighbours.agency.grants
    assert stored.grant_index == given.record.index
    assert (granted.recipient, granted.log, granted.version, granted.basis) == (
        AGENCY_ID,
        LOG_ORIGIN,
        1,
        "consent",
    )
    assert given.redirect == f"https://{AGENCY_HOST}/done?response_code=1"


def test_agency_gets_no_disclosure_in_the_clear(wallet: OpenWallet, neighbours: Neighbours) -> None:
    give(wallet, neighbours.agency.ask())
    (stored,) = neighbours.agency.grants
    for text in stored.answer.vp_token.values():
        assert text.count("~") == 1
    sent = canonical_bytes(stored.answer.sealed) + neighbours.log.grants[0].body
    for copy in wallet.copies().values():
        for disclosure in copy.credential.split("~")[1:-1]:
            assert disclosure.encode() not in sent


def test_secrets_of_two_grants_have_nothing_in_common(wallet: OpenWallet, neighbours: Neighbours) -> None:
    first = give(wallet, neighbours.agency.ask()).record
    second = give(wallet, neighbours.second.ask()).record
    for name in ("lock", "tag_key"):
        assert getattr(first.body.terms, name) != getattr(second.body.terms, name)
    assert first.body.opening_key != second.body.opening_key
    assert first.body.view_hash != second.body.view_hash
    digests = [{claim.digest for claim in record.body.terms.claims} for record in (first, second)]
    assert not digests[0] & digests[1]


def test_code_of_the_receipt_makes_the_lock(wallet: OpenWallet, neighbours: Neighbours) -> None:
    given = give(wallet, neighbours.agency.ask())
    code = grant_code(wallet.secrets(), given.record.code_number)
    assert lock_for(code, 1) == b64u_decode(given.record.body.terms.lock)


# --- per attribute ---


def test_resident_leaves_out_what_is_not_needed(wallet: OpenWallet, neighbours: Neighbours) -> None:
    given = give(wallet, neighbours.agency.ask(), without=("huisnummer", "persoon.geslachtsnaam"))
    assert names(given.record.body.terms) == {"adres.postcode"} | {f"adres.{flag}" for flag in FLAGS}
    assert set(neighbours.agency.grants[0].answer.vp_token) == {"adres"}


def test_resident_cannot_leave_out_what_is_needed(wallet: OpenWallet, neighbours: Neighbours) -> None:
    text = refuses(wallet, neighbours, neighbours.agency.ask(), "needed_missing", without=("postcode",))
    assert "adres.postcode" in text
    assert "decline" in text


@pytest.mark.parametrize("flag", sorted(FLAGS))
def test_register_flags_cannot_be_left_out(wallet: OpenWallet, neighbours: Neighbours, flag: str) -> None:
    refuses(wallet, neighbours, neighbours.agency.ask(), "flag_needed", without=(f"adres.{flag}",))


@pytest.mark.parametrize(
    ("name", "code"), [("postcodes", "unknown_attribute"), ("opschorting", "ambiguous_attribute")]
)
def test_resident_is_told_when_a_name_means_nothing_or_two_things(
    wallet: OpenWallet, neighbours: Neighbours, name: str, code: str
) -> None:
    refuses(wallet, neighbours, neighbours.agency.ask(), code, without=(name,))


def test_nothing_left_is_a_no(wallet: OpenWallet, neighbours: Neighbours) -> None:
    claims = [replace(claim, needed=False) for claim in ASKED]
    link = neighbours.agency.ask(claims=claims)
    refuses(wallet, neighbours, link, "nothing_left", without=("postcode", "huisnummer", "geslachtsnaam"))


def test_flags_that_are_asked_for_go_only_with_their_card(wallet: OpenWallet, neighbours: Neighbours) -> None:
    flags = [ElementClaim("persoon", [flag], False) for flag in sorted(FLAGS)]
    link = neighbours.agency.ask(claims=[*ASKED, *flags])
    assert names(give(wallet, link, without=("geslachtsnaam",)).record.body.terms) == {
        "adres.postcode",
        "adres.huisnummer",
        *(f"adres.{flag}" for flag in FLAGS),
    }


# --- how long, how often ---


@pytest.mark.parametrize("days", [300, 10, 1])
def test_grant_ends_when_the_agency_asked(wallet: OpenWallet, neighbours: Neighbours, days: int) -> None:
    given = give(wallet, neighbours.agency.ask(max_not_after=NOW + days * DAY))
    assert given.record.body.terms.not_after == NOW + days * DAY


def test_grant_never_lasts_longer_than_registered(
    wallet: OpenWallet, neighbours: Neighbours, holder: Resident
) -> None:
    holder.write_trust(
        agencies=[builders.agency(services=[builders.service(version=2, longest_term=9 * DAY)])], version=2
    )
    granted = give(wallet, neighbours.agency.ask()).record.body.terms
    assert granted.not_after - granted.not_before == 9 * DAY


def test_grant_never_outlives_a_card(wallet: OpenWallet, neighbours: Neighbours, holder: Resident) -> None:
    holder.write_trust(
        agencies=[builders.agency(services=[builders.service(version=2, longest_term=900 * DAY)])], version=2
    )
    granted = give(wallet, neighbours.agency.ask(max_not_after=NOW + 800 * DAY)).record.body.terms
    assert granted.not_after == min(copy.exp for copy in wallet.copies().values())


def test_resident_chooses_an_earlier_day(wallet: OpenWallet, neighbours: Neighbours) -> None:
    granted = give(wallet, neighbours.agency.ask(), until=date(2026, 12, 24)).record.body.terms
    assert granted.not_after == 1798153200  # 2026-12-25T00:00 in Amsterdam


def test_last_day_that_was_asked_may_be_named(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask(max_not_after=NOW + 10 * DAY)  # 2026-12-02T01:00 in Amsterdam
    assert give(wallet, link, until=date(2026, 12, 2)).record.body.terms.not_after == NOW + 10 * DAY


@pytest.mark.parametrize(
    ("day", "code"),
    [(date(2026, 12, 3), "too_long"), (date(2026, 11, 21), "bad_date"), (date(9999, 12, 31), "bad_date")],
)
def test_wallet_refuses_a_day_that_cannot_be(
    wallet: OpenWallet, neighbours: Neighbours, day: date, code: str
) -> None:
    link = neighbours.agency.ask(max_not_after=NOW + 10 * DAY)
    refuses(wallet, neighbours, link, code, until=day)


@pytest.mark.parametrize(
    ("asked", "chosen", "result"), [(None, None, None), (None, 3, 3), (5, None, 5), (5, 5, 5)]
)
def test_resident_chooses_how_often(
    wallet: OpenWallet, neighbours: Neighbours, asked: int | None, chosen: int | None, result: int | None
) -> None:
    given = give(wallet, neighbours.agency.ask(max_reads=asked), max_reads=chosen)
    assert given.record.body.terms.max_reads == result


@pytest.mark.parametrize(("chosen", "code"), [(6, "too_many_reads"), (0, "bad_reads"), (-1, "bad_reads")])
def test_wallet_refuses_more_reads_than_asked(
    wallet: OpenWallet, neighbours: Neighbours, chosen: int, code: str
) -> None:
    refuses(wallet, neighbours, neighbours.agency.ask(max_reads=5), code, max_reads=chosen)


def test_case_and_context_come_from_the_request(wallet: OpenWallet, neighbours: Neighbours) -> None:
    context = Context(days=[1, 2], hours=[9, 17], zone="office")
    granted = give(wallet, neighbours.agency.ask(context=context, case=b64u_encode(bytes(32)))).record.body.terms
    assert (granted.context, granted.case) == (context, b64u_encode(bytes(32)))


def test_resident_chooses_when_and_from_where(wallet: OpenWallet, neighbours: Neighbours) -> None:
    asked, wish = Context(hours=[8, 18]), Context(days=[1, 2, 3], hours=[7, 12], zone="office")
    granted = give(wallet, neighbours.agency.ask(context=asked), context=wish).record.body.terms
    assert granted.context == Context(days=[1, 2, 3], hours=[8, 12], zone="office")
    free = give(wallet, neighbours.agency.ask(), context=Context(zone="office")).record.body.terms
    assert free.context == Context(zone="office")


def test_wallet_refuses_a_time_that_the_agency_cannot_use(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask(context=Context(days=[1, 2, 3, 4, 5]))
    refuses(wallet, neighbours, link, "no_moment_left", context=Context(days=[6, 7]))


# --- over-asking ---


def test_wallet_refuses_over_asking_and_says_what(wallet: OpenWallet, neighbours: Neighbours) -> None:
    claims = [*ASKED, ElementClaim("adres", ["straat"], False)]
    text = refuses(wallet, neighbours, neighbours.agency.ask(claims=claims), "over_asking")
    assert "adres.straat" in text
    assert "Gemeente Voorbeeld" in text
    assert "--without" in text


def test_resident_leaves_out_what_is_asked_too_much(wallet: OpenWallet, neighbours: Neighbours) -> None:
    claims = [*ASKED, ElementClaim("adres", ["straat"], False)]
    given = give(wallet, neighbours.agency.ask(claims=claims), without=("straat",))
    assert "adres.straat" not in names(given.record.body.terms)


def test_needed_over_asking_can_only_be_declined(wallet: OpenWallet, neighbours: Neighbours) -> None:
    claims = [*ASKED, ElementClaim("adres", ["straat"], True)]
    text = refuses(wallet, neighbours, neighbours.agency.ask(claims=claims), "over_asking")
    assert "decline the request and report it" in text


def test_wallet_refuses_bsn_for_an_agency_without_the_right(
    wallet: OpenWallet, neighbours: Neighbours, holder: Resident
) -> None:
    service = builders.service(
        version=2,
        claims=[
            *builders.service().claims,
            type(builders.service().claims[0])(vct=PERSOON, path=["burgerservicenummer"], needed=False),
        ],
    )
    holder.write_trust(agencies=[builders.agency(bsn_allowed=False, services=[service])], version=2)
    claims = [*ASKED, ElementClaim("persoon", ["burgerservicenummer"], False)]
    refuses(wallet, neighbours, neighbours.agency.ask(claims=claims), "over_asking")


def test_wallet_alone_refuses_the_bsn_for_a_service_that_names_no_law(
    wallet: OpenWallet, neighbours: Neighbours, holder: Resident
) -> None:
    asked = [*builders.service().claims, ServiceClaim(vct=PERSOON, path=["burgerservicenummer"], needed=False)]
    claims = [*ASKED, ElementClaim("persoon", ["burgerservicenummer"], False)]
    lawless = builders.service(version=2, claims=asked)
    holder.write_trust(agencies=[builders.agency(bsn_allowed=True, services=[lawless])], version=2)
    refuses(wallet, neighbours, neighbours.agency.ask(claims=claims), "over_asking")
    assert not wallet.grants()
    lawful = builders.service(version=3, claims=asked, bsn_law="Wabb artikel 10")
    holder.write_trust(agencies=[builders.agency(bsn_allowed=True, services=[lawful])], version=3)
    given = give(wallet, neighbours.agency.ask(claims=claims), without=frozenset())
    assert "persoon.burgerservicenummer" in names(given.record.body.terms)


@pytest.mark.parametrize("changes", [{"retention": "P2Y"}, {"mode": "store"}])
def test_wallet_refuses_a_request_wider_than_registered(
    wallet: OpenWallet, neighbours: Neighbours, holder: Resident, changes: dict[str, Any]
) -> None:
    holder.write_trust(agencies=[builders.agency(services=[builders.service(version=2, mode="view")])], version=2)
    refuses(wallet, neighbours, neighbours.agency.ask(**changes), "over_asking")


# --- whom the wallet trusts ---


def test_wallet_refuses_request_of_unlisted_agency(
    wallet: OpenWallet, neighbours: Neighbours, holder: Resident
) -> None:
    link = neighbours.agency.ask()
    holder.write_trust(agencies=[builders.agency(roots=builders.STRANGER.roots)], version=2)
    refuses(wallet, neighbours, link, "not_listed")


def test_wallet_refuses_request_that_names_another_recipient(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask(recipient=SECOND_ID)
    refuses(wallet, neighbours, link, "invalid_transaction_data")


def test_wallet_refuses_unlisted_log_and_listed_log_at_another_address(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    url = f"https://{LOG_HOST}"
    refuses(wallet, neighbours, neighbours.agency.ask(log=LogReference("evil.example/1", url)), "not_listed")
    link = neighbours.agency.ask(log=LogReference(LOG_ORIGIN, "https://evil.example"))
    refuses(wallet, neighbours, link, "invalid_transaction_data")


def test_wallet_refuses_service_version_that_is_not_listed(wallet: OpenWallet, neighbours: Neighbours) -> None:
    refuses(wallet, neighbours, neighbours.agency.ask(service_version=2), "not_listed")


def test_wallet_does_nothing_under_an_expired_trust_list(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask()
    neighbours.clock.time += 40 * DAY
    with pytest.raises(Unavailable) as failure:
        grant(wallet, link, Choice())
    assert failure.value.code == "trust_list"
    assert wallet.grants() == {}


def test_wallet_refuses_altered_request(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.agency.spoil_request = lambda token: token[:-4] + "AAAA"
    refuses(wallet, neighbours, neighbours.agency.ask(), "bad_signature")


def test_wallet_refuses_request_without_its_nonce(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask()
    payload = neighbours.agency.requests["1"]["payload"]
    replayed = sign_request_object(payload, AGENCY.key, [AGENCY.leaf], wallet_nonce="of an earlier fetch")
    neighbours.agency.spoil_request = lambda token: replayed
    refuses(wallet, neighbours, link, "invalid_request")


def test_wallet_takes_a_request_fetched_by_get(wallet: OpenWallet, neighbours: Neighbours) -> None:
    give(wallet, neighbours.agency.ask(post=False))


def test_wallet_refuses_link_with_another_client_id(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask()
    other = re.sub(r"x509_hash%3A[^&]+", "x509_hash%3A" + "A" * 43, link)
    refuses(wallet, neighbours, other, "invalid_client")


def test_wallet_refuses_expired_request(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask(exp=300)
    neighbours.clock.time += 300
    refuses(wallet, neighbours, link, "expired")


@pytest.mark.parametrize("ticket", ["service", "stale", "foreign"])
def test_wallet_refuses_ticket_that_is_not_for_this(
    wallet: OpenWallet, neighbours: Neighbours, ticket: str
) -> None:
    own = neighbours.agency.element("1").ticket
    if ticket == "foreign":
        own = neighbours.second.element("1").ticket
    if ticket == "stale":
        neighbours.clock.time += 3601
    if ticket == "service":
        own = neighbours.agency.element("1", service="anders").ticket[:-8] + "AAAAAAAA"
    refuses(wallet, neighbours, neighbours.agency.ask(ticket=own), "bad_ticket")


def test_request_for_a_copy_is_no_grant(wallet: OpenWallet, neighbours: Neighbours) -> None:
    text = refuses(wallet, neighbours, neighbours.agency.ask(once=True), "not_standing")
    assert "present" in text


# --- copies ---


def test_each_agency_gets_a_set_of_its_own(wallet: OpenWallet, neighbours: Neighbours) -> None:
    first = give(wallet, neighbours.agency.ask()).record
    second = give(wallet, neighbours.second.ask()).record
    copies = wallet.copies()
    sets = [{copies[name].set_id for name in record.copies.values()} for record in (first, second)]
    assert [len(found) for found in sets] == [1, 1]
    assert sets[0] != sets[1]


def test_set_is_spent_as_a_whole(wallet: OpenWallet, neighbours: Neighbours) -> None:
    record = give(wallet, neighbours.agency.ask(), without=("geslachtsnaam",)).record
    assert set(record.copies) == {"adres"}
    copies = wallet.copies()
    spent = [copy for copy in copies.values() if copy.agency == AGENCY_ID]
    assert {copy.vct for copy in spent} == {ADRES, PERSOON, builders.GEZIN}
    assert len({copy.set_id for copy in spent}) == 1


def test_known_agency_gets_its_old_set_when_fresh_ones_are_gone(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    for _ in range(3):
        give(wallet, neighbours.agency.ask())
    give(wallet, neighbours.second.ask())
    again = give(wallet, neighbours.agency.ask()).record
    assert {wallet.copies()[name].agency for name in again.copies.values()} == {AGENCY_ID}


def test_wallet_says_when_every_copy_is_in_use(wallet: OpenWallet, neighbours: Neighbours) -> None:
    for _ in range(4):
        give(wallet, neighbours.agency.ask())
    with pytest.raises(Rejected) as refusal:
        grant(wallet, neighbours.second.ask(), Choice())
    assert refusal.value.code == "no_copies_left"
    assert "issuer" in refusal.value.detail


def test_wallet_says_when_a_card_is_missing_but_not_to_the_agency(
    resident: Resident, neighbours: Neighbours
) -> None:
    resident.receive("persoon")
    with resident.open() as wallet:
        refuses(wallet, neighbours, neighbours.agency.ask(), "no_card")


def test_card_that_is_left_out_need_not_be_there(resident: Resident, neighbours: Neighbours) -> None:
    resident.receive("adres")
    with resident.open() as wallet:
        give(wallet, neighbours.agency.ask(), without=("geslachtsnaam",))


def test_expired_cards_are_not_used(wallet: OpenWallet, neighbours: Neighbours, holder: Resident) -> None:
    neighbours.clock.time += 366 * DAY
    holder.write_trust(exp=NOW + 500 * DAY, version=2)
    refuses(wallet, neighbours, neighbours.agency.ask(), "no_card")


# --- the log ---


def test_lock_that_is_taken_leads_to_the_next_code(wallet: OpenWallet, neighbours: Neighbours) -> None:
    for _ in range(2):
        give(wallet, neighbours.agency.ask())
    with wallet.vault.transaction():  # a wallet put back to its state before the two grants
        wallet.keep_secrets(replace(wallet.secrets(), next_code=0))
        for name in list(wallet.grants()):
            wallet.vault.delete("grants", name)
    given = give(wallet, neighbours.agency.ask())
    assert given.record.code_number == 2
    assert wallet.secrets().next_code == 3
    code = grant_code(wallet.secrets(), 2)
    assert lock_for(code, 1) == b64u_decode(given.record.body.terms.lock)


def test_log_that_knows_every_lock_is_not_believed(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.log.refuse_grants = "lock_used"
    with pytest.raises(Rejected) as refusal:
        grant(wallet, neighbours.agency.ask(), Choice())
    assert refusal.value.code == "lock_used"
    assert wallet.grant("1").state == "intended"
    assert wallet.secrets().next_code == 17
    assert neighbours.agency.answers == 0


def test_grant_that_the_log_refuses_was_never_made(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.log.refuse_grants = "bad_ticket"
    with pytest.raises(Rejected) as refusal:
        grant(wallet, neighbours.agency.ask(), Choice())
    assert refusal.value.code == "bad_ticket"
    assert "nothing was given" in refusal.value.detail
    (record,) = wallet.grants().values()
    assert (record.state, record.sealed, record.share_a) == ("failed", [], "")
    assert neighbours.agency.answers == 0


def test_refused_grant_does_not_bar_the_same_request(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask()
    neighbours.log.refuse_grants = "widened"
    with pytest.raises(Rejected):
        grant(wallet, link, Choice())
    neighbours.log.refuse_grants = None
    assert give(wallet, link).id == "2"


def other_index(neighbours: Neighbours, answer: GrantAnswer) -> GrantAnswer:
    return replace(answer, index=answer.index + 1)


def other_slot(neighbours: Neighbours, answer: GrantAnswer) -> GrantAnswer:
    return replace(answer, slot=answer.slot + 1)


def other_terms(neighbours: Neighbours, answer: GrantAnswer) -> GrantAnswer:
    """A receipt for a grant with other terms: everything else about it is right."""
    log = neighbours.log.log
    index, slot = log.grant(terms())
    neighbours.log.publish()
    return GrantAnswer(index, slot, make_tlog_proof(index, log.proof(index), neighbours.log.note))


def no_quorum(neighbours: Neighbours, answer: GrantAnswer) -> GrantAnswer:
    return replace(answer, proof="\n".join(answer.proof.split("\n")[:-2]) + "\n")


def no_proof(neighbours: Neighbours, answer: GrantAnswer) -> GrantAnswer:
    return replace(answer, proof="trust me")


@pytest.mark.parametrize("lie", [other_index, other_slot, other_terms, no_quorum, no_proof])
def test_agency_gets_nothing_on_a_lying_receipt(wallet: OpenWallet, neighbours: Neighbours, lie: Any) -> None:
    neighbours.log.change_grant = lambda answer: lie(neighbours, answer)
    with pytest.raises(Rejected) as refusal:
        grant(wallet, neighbours.agency.ask(), Choice())
    assert "revoke 1" in refusal.value.detail
    assert neighbours.agency.answers == 0
    record = wallet.grant("1")
    assert (record.state, record.index, record.slot) == ("intended", None, None)


def test_log_that_is_down_leaves_an_intent(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.down = {LOG_HOST}
    with pytest.raises(Unavailable) as failure:
        grant(wallet, neighbours.agency.ask(), Choice())
    assert "sync" in failure.value.detail
    assert wallet.grant("1").state == "intended"
    neighbours.down = set()
    assert carry_on(wallet, "1").record.state == "active"


def test_same_bytes_go_to_the_log_again(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.lost = {LOG_HOST}
    with pytest.raises(Unavailable):
        grant(wallet, neighbours.agency.ask(), Choice())
    neighbours.lost = set()
    neighbours.clock.time += 600
    carry_on(wallet, "1")
    assert len(neighbours.log.grants) == 1
    assert len(neighbours.agency.grants) == 1


def test_same_link_again_goes_on_with_the_same_grant(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask()
    neighbours.down = {LOG_HOST}
    with pytest.raises(Unavailable):
        grant(wallet, link, Choice())
    neighbours.down = set()
    assert give(wallet, link).id == "1"
    assert len(wallet.grants()) == 1


def test_request_is_answered_once(wallet: OpenWallet, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask()
    give(wallet, link)
    with pytest.raises(Rejected) as refusal:
        grant(wallet, link, Choice())
    assert refusal.value.code == "already_granted"
    assert len(wallet.grants()) == 1


# --- the agency ---


def test_agency_that_is_down_is_told_later(wallet: OpenWallet, neighbours: Neighbours) -> None:
    def fall(name: str) -> None:
        if name.startswith("before POST") and "/responses/" in name:
            neighbours.down = {AGENCY_HOST}

    neighbours.on_call = fall
    with pytest.raises(Unavailable):
        grant(wallet, neighbours.agency.ask(), Choice())
    assert wallet.grant("1").state == "delivering"
    neighbours.on_call, neighbours.down = None, set()
    assert carry_on(wallet, "1").record.state == "active"


def test_grant_that_the_agency_refuses_is_stopped_again(wallet: OpenWallet, neighbours: Neighbours) -> None:
    neighbours.agency.refuse = Rejected("invalid_request", "no")
    with pytest.raises(Rejected) as refusal:
        grant(wallet, neighbours.agency.ask(), Choice())
    assert "stopped again" in refusal.value.detail
    record = wallet.grant("1")
    assert record.stop is not None
    assert record.stop.confirmed == neighbours.log.grants[0].revoked
    assert len(neighbours.cosigner.kept) <= 1


def test_second_delivery_that_is_refused_leaves_a_grant_of_uncertain_state(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    neighbours.lost = {AGENCY_HOST}

    def lose(name: str) -> None:
        neighbours.lost = {AGENCY_HOST} if "/responses/" in name else set()

    neighbours.on_call = lose
    with pytest.raises(Unavailable):
        grant(wallet, neighbours.agency.ask(), Choice())
    assert len(neighbours.agency.grants) == 1  # it has the grant, we do not know
    neighbours.on_call, neighbours.lost = None, set()
    assert carry_on(wallet, "1").record.state == "uncertain"
    assert wallet.grant("1").stop is None


def test_grant_whose_request_has_expired_undelivered_is_stopped(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    neighbours.lost = {LOG_HOST}
    with pytest.raises(Unavailable):
        grant(wallet, neighbours.agency.ask(exp=300), Choice())
    neighbours.lost = set()
    neighbours.clock.time += 301
    with pytest.raises(Rejected) as refusal:
        carry_on(wallet, "1")
    assert refusal.value.code == "expired"
    stop = wallet.grant("1").stop
    assert stop is not None
    assert stop.confirmed is not None
    assert neighbours.agency.grants == []


def test_sealed_parts_leave_the_wallet_with_the_delivery(wallet: OpenWallet, neighbours: Neighbours) -> None:
    record = give(wallet, neighbours.agency.ask()).record
    assert (record.sealed, record.share_a) == ([], "")
