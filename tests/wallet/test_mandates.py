"""Acting for somebody else in the wallet: what it refuses by itself, and that others can stop what it makes."""

from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.canonical import b64u_decode, b64u_encode, sha256
from protocol.errors import Rejected
from protocol.mandate import lock_digests
from protocol.mandate_api import MandateAnswer
from protocol.revocation_code import lock_for
from protocol.terms import places_of
from tests.protocol import builders, mandates
from tests.protocol.builders import ADRES, AGENCY_ID, DAY, ISSUER_ID, NOW, PERSOON
from tests.wallet import delegates
from tests.wallet.neighbours import SECOND_ID, Neighbours
from wallet.choose import choose_copies
from wallet.errand_acting import acting_of
from wallet.errand_grant import grant
from wallet.errand_intend import intend
from wallet.errand_mandate import _verified, represented
from wallet.errand_request import read_request, share_once
from wallet.grant import decide_grant, draft_grant, presented_query
from wallet.mandated import check_proposed
from wallet.opened import OpenWallet
from wallet.records import Choice
from wallet.seed import mandate_code

SERVICE = "parkeervergunning"


def refuses(
    wallet: OpenWallet, neighbours: Neighbours, link: str, code: str, mandate: str = "1", **choice: Any
) -> None:
    """The wallet alone: nothing is kept, spent or sent."""
    before = wallet.vault.counter
    with pytest.raises(Rejected) as refusal:
        grant(wallet, link, Choice(**choice), mandate="1")
    assert refusal.value.code == code
    assert wallet.vault.counter == before
    assert wallet.grants() == {}
    assert neighbours.log.grants == []
    assert neighbours.agency.answers == 0
    assert delegates.NAME not in refusal.value.detail


def drafted(wallet: OpenWallet, link: str, number: int = 0, **choice: Any) -> Any:
    """The terms that would go to the log."""
    request = read_request(wallet, link)
    acting = acting_of(wallet, "1")
    decision = decide_grant(request, Choice(**choice))
    query = presented_query(request, decision)
    chosen = choose_copies(wallet.copies(), query, decision.agency.id, wallet.now(), mandate=acting.hash)
    log = wallet.trust_list().log(decision.element.log.origin)
    code = mandate_code(acting.record, number)
    return draft_grant(
        request, decision, chosen, log, code=code, now=NOW, random=wallet.random, mandate=acting.verified
    )


# Stretching: each refused by the wallet alone.


def test_wider_service_is_refused(wallet: OpenWallet, neighbours: Neighbours) -> None:
    delegates.hold(wallet, mandates.token(services=[{"recipient": SECOND_ID, "service": SERVICE}]))
    refuses(wallet, neighbours, neighbours.agency.ask(), "mandate_widened")


def test_wider_attribute_is_refused(wallet: OpenWallet, neighbours: Neighbours) -> None:
    claims = [{"vct": ADRES, "names": ["postcode"]}]
    delegates.hold(wallet, mandates.token(claims=claims))
    refuses(wallet, neighbours, neighbours.agency.ask(), "mandate_widened")
    refuses(wallet, neighbours, neighbours.agency.ask(), "mandate_widened", without=("huisnummer",))


def test_what_is_named_may_be_given_when_the_rest_is_left_out(wallet: OpenWallet, neighbours: Neighbours) -> None:
    delegates.hold(wallet, mandates.token(claims=[{"vct": ADRES, "names": ["postcode"]}]))
    draft = drafted(wallet, neighbours.agency.ask(), without=("huisnummer", "persoon.geslachtsnaam"))
    names = {place.name for place in places_of(draft.body.terms)}
    assert names == {"postcode", "geheimhouding", "inOnderzoek", "opschorting"}


def test_longer_term_is_cut_off_and_a_later_day_refused(wallet: OpenWallet, neighbours: Neighbours) -> None:
    until = NOW + 40 * DAY
    delegates.hold(wallet, mandates.token(until=until))
    assert drafted(wallet, neighbours.agency.ask()).body.terms.not_after == until
    last = date.fromtimestamp(NOW + 200 * DAY)
    refuses(wallet, neighbours, neighbours.agency.ask(), "too_long", until=last)


def test_mandate_that_is_over_gives_nothing(wallet: OpenWallet, neighbours: Neighbours) -> None:
    key = delegates.hold(wallet, mandates.token(until=NOW + DAY))
    neighbours.clock.advance(DAY)
    refuses(wallet, neighbours, neighbours.agency.ask(), "mandate_ended")
    neighbours.clock.advance(-DAY)
    wallet.keep_mandate(key, replace(wallet.mandate(key)[1], ended_at=NOW))
    refuses(wallet, neighbours, neighbours.agency.ask(), "mandate_ended")


def test_who_is_no_signer_cannot_use_it(wallet: OpenWallet, neighbours: Neighbours) -> None:
    delegates.hold(wallet, mandates.token(signers=[[1]]), party=0)
    refuses(wallet, neighbours, neighbours.agency.ask(), "not_a_signer")


def test_used_up_mandate_gives_nothing_with_a_lock_of_ones_own(wallet: OpenWallet, neighbours: Neighbours) -> None:
    token = mandates.token(locks=lock_digests(mandates.SEED, codes=1))
    key = delegates.hold(wallet, token)
    wallet.keep_mandate(key, replace(wallet.mandate(key)[1], next_code=1))
    refuses(wallet, neighbours, neighbours.agency.ask(), "no_codes_left")
    with pytest.raises(Rejected) as refusal:
        drafted(wallet, neighbours.agency.ask(), number=1)
    assert refusal.value.code == "mandate_widened"


def test_card_of_somebody_else_is_never_given_as_a_copy(wallet: OpenWallet, neighbours: Neighbours) -> None:
    delegates.hold(wallet, mandates.token())
    with wallet.vault.transaction():
        for name, copy in wallet.copies().items():
            if copy.mandate is None:
                wallet.vault.delete("copies", name)
    with pytest.raises(Rejected) as refusal:
        share_once(wallet, neighbours.agency.ask(once=True, query=neighbours.agency.copy_query("postcode")))
    assert refusal.value.code == "no_card"
    assert neighbours.agency.copies == []


def test_own_request_never_takes_a_card_of_somebody_else(wallet: OpenWallet, neighbours: Neighbours) -> None:
    delegates.hold(wallet, mandates.token(), iat=NOW + 1)
    given = grant(wallet, neighbours.agency.ask(), Choice())
    assert {wallet.copies()[name].mandate for name in given.record.copies.values()} == {None}
    assert given.record.body.terms.on_behalf_of is None


def test_chain_is_not_signed(wallet: OpenWallet, neighbours: Neighbours) -> None:
    """A wish, or a question whom one may act for, is never signed with a card that is held for somebody."""
    delegates.hold(wallet, mandates.token())
    with wallet.vault.transaction():
        for name, copy in wallet.copies().items():
            if copy.mandate is None and copy.vct == PERSOON:
                wallet.vault.delete("copies", name)
    with pytest.raises(Rejected) as refusal:
        represented(wallet)
    assert refusal.value.code == "no_card"


# What an issuer hands over is judged before it is kept.


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({}, {"seed": b64u_encode(sha256(b"another seed"))}),
        ({"locks": lock_digests(sha256(b"another seed"))}, {}),
        ({}, {"party": 3}),
        ({"locks": lock_digests(mandates.SEED)[1:5]}, {}),
    ],
)
def test_mandate_that_we_could_not_stop_is_not_kept(
    wallet: OpenWallet, changes: dict[str, Any], answer: dict[str, Any]
) -> None:
    token = mandates.token(**changes)
    before = wallet.vault.counter
    with pytest.raises(Rejected) as refusal:
        _verified(wallet, ISSUER_ID, answer_of(token, **answer))
    assert refusal.value.code == "bad_mandate"
    assert wallet.vault.counter == before


def answer_of(token: str, **changes: Any) -> MandateAnswer:
    mandate = delegates.verified(token).mandate
    made = MandateAnswer(
        id=mandate.id,
        mandate=token,
        seed=b64u_encode(mandates.SEED),
        party=1,
        kind="ouder",
        name=delegates.NAME,
        until=mandate.until,
    )
    return replace(made, **changes)


def test_mandate_of_another_issuer_is_not_kept(wallet: OpenWallet) -> None:
    token = mandates.token()
    with pytest.raises(Rejected) as refusal:
        _verified(wallet, "https://elsewhere.example", answer_of(token))
    assert refusal.value.code == "bad_mandate"


# What is drafted carries its mandate, and can be found by every party.


def test_draft_carries_mandate_and_a_lock_of_its_seed(wallet: OpenWallet, neighbours: Neighbours) -> None:
    token = mandates.token()
    key = delegates.hold(wallet, token)
    request = read_request(wallet, neighbours.agency.ask())
    acting = acting_of(wallet, key)
    decision = decide_grant(request, Choice())
    query = presented_query(request, decision)
    chosen = choose_copies(wallet.copies(), query, decision.agency.id, NOW, mandate=key)
    grant_id = intend(wallet, request, Choice(), chosen, acting)
    record = wallet.grant(grant_id)
    assert record.mandate == key
    assert record.joint is None
    assert record.body.terms.on_behalf_of == key
    assert record.body.mandate == mandates.shown(token)
    assert b64u_decode(record.body.terms.lock) == lock_for(mandate_code(acting.record, 0), 1)
    assert wallet.code(record) == mandates.CODE
    assert wallet.mandate(key)[1].next_code == 1
    assert wallet.secrets().next_code == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"services": [{"recipient": SECOND_ID, "service": SERVICE}]}, "mandate_widened"),
        ({"claims": [{"vct": ADRES, "names": ["postcode"]}]}, "mandate_widened"),
        ({"until": NOW + 2 * DAY}, "mandate_widened"),
        ({"locks": lock_digests(sha256(b"another seed"))}, "bad_mandate"),
    ],
)
def test_proposal_that_stretches_a_mandate_is_not_signed(
    wallet: OpenWallet, neighbours: Neighbours, changes: dict[str, Any], code: str
) -> None:
    """Terms made under a wide mandate are shown to a wallet that holds a narrower one."""
    delegates.hold(wallet, mandates.token())
    terms = drafted(wallet, neighbours.agency.ask()).body.terms
    narrow = mandates.token(**changes)
    key = delegates.hold(wallet, narrow, party=2, copies=0)
    acting = acting_of(wallet, key)
    if code == "mandate_widened":
        terms = replace(terms, on_behalf_of=key)
    with pytest.raises(Rejected) as refusal:
        check_proposed(acting, terms, b64u_decode(terms.request_hash))
    assert refusal.value.code == code


def test_proposal_with_a_lock_of_the_proposer_alone_is_not_signed(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    key = delegates.hold(wallet, mandates.token())
    terms = drafted(wallet, neighbours.agency.ask()).body.terms
    acting = acting_of(wallet, key)
    check_proposed(acting, terms, b64u_decode(terms.request_hash))
    foreign = replace(terms, lock=b64u_encode(lock_for(bytes(16), 1)))
    for bad, code in ((foreign, "mandate_widened"), (terms, "no_match")):
        with pytest.raises(Rejected) as refusal:
            check_proposed(acting, bad, b64u_decode(terms.request_hash) if bad is foreign else bytes(32))
        assert refusal.value.code == code


def test_mandate_lists_who_it_is_for(wallet: OpenWallet) -> None:
    key = delegates.hold(wallet, mandates.token(services=[{"recipient": AGENCY_ID, "service": SERVICE}]))
    assert wallet.mandate("1")[0] == wallet.mandate(key)[0] == key
    with pytest.raises(Rejected) as refusal:
        wallet.mandate("2")
    assert refusal.value.code == "unknown_mandate"
    assert builders.TRUST.agency(AGENCY_ID)
