"""Consent per attribute: whatever is asked and chosen, nothing wider leaves, and what is needed is there."""

from dataclasses import replace as change
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol.attributes import credential_type
from protocol.dcql import parse_query
from protocol.errors import Rejected
from protocol.keys import Es256Public
from protocol.narrowing import check_within
from protocol.openid4vp import VerifiedRequest, check_registration
from protocol.registration_certificate import verify_registration_certificate
from protocol.terms import ElementClaim, with_flags
from tests.protocol import strangers
from tests.protocol.builders import ADRES, AGENCY_ID, DAY, NOW, PERSOON
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import VCTS, Neighbours
from wallet.choose import choose_copies
from wallet.consent import asked_attributes, decide_end, decide_places, decide_reads
from wallet.errand_request import read_request
from wallet.grant import decide_grant, draft_grant, presented_query
from wallet.records import Choice, Copy, Secrets
from wallet.seed import grant_code, holder_key

REGISTERED = {("adres", "postcode"), ("adres", "huisnummer"), ("persoon", "geslachtsnaam")}
SECRETS = Secrets("A" * 43)


@pytest.fixture(scope="module")
def known(
    template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[VerifiedRequest, dict[str, Copy], object]:
    """A verified request for all types, the copies of a holder, and the log's entry."""
    neighbours = Neighbours()
    resident = Resident(tmp_path_factory.mktemp("consent"), neighbours).copy_of(template)
    with resident.open() as wallet:
        request = read_request(wallet, neighbours.agency.ask())
        return request, wallet.copies(), wallet.trust_list().logs[0]


names = st.sampled_from(
    [
        *sorted(REGISTERED),
        *sorted(REGISTERED),
        ("adres", "opschorting"),
        ("persoon", "geheimhouding"),
        ("adres", "straat"),
    ]
)
"""Mostly registered ones, so that most examples lead to terms."""
asked_claims = st.dictionaries(names, st.booleans(), min_size=1, max_size=4)


@given(
    claims=asked_claims,
    without=st.lists(names, max_size=1),
    days=st.integers(1, 800),
    reads=st.one_of(st.none(), st.integers(10, 50)),
    fewer=st.one_of(st.none(), st.integers(0, 20)),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_terms_are_never_wider_than_asked_registered_and_chosen(  # type: ignore[no-untyped-def]
    known, claims, without, days, reads, fewer
) -> None:
    base, copies, log = known
    ids = {card for card, _ in claims}
    element = replace(
        base.consent,
        claims=[ElementClaim(card, [name], needed) for (card, name), needed in claims.items()],
        credential_ids=[min(ids)],
        max_not_after=NOW + days * DAY,
        max_reads=reads,
    )
    query = parse_query(
        {
            "credentials": [
                {"id": name, "format": "dc+sd-jwt", "meta": {"vct_values": [VCTS[name]]}} for name in sorted(ids)
            ]
        }
    )
    request = change(base, consent=element, query=query)
    choice = Choice(without=tuple(f"{card}.{name}" for card, name in without), max_reads=fewer)
    try:
        decision = decide_grant(request, choice)
        chosen = choose_copies(copies, presented_query(request, decision), request.agency.id, NOW)
        code = grant_code(SECRETS, 0)
        terms = draft_grant(
            request, decision, chosen, log, code=code, now=NOW, random=lambda n: bytes(n)
        ).body.terms
    except Rejected:
        return
    granted = {(place.credential, place.name) for place in decision.places}
    flags = set(credential_type(ADRES).flags)
    assert {pair for pair in granted if pair[1] not in flags} <= set(claims) & REGISTERED
    assert not granted & set(without)
    assert {pair for pair, needed in claims.items() if needed} <= granted
    assert {(card, flag) for card, _ in granted for flag in flags} <= granted
    assert terms.not_after <= min(element.max_not_after, *(item.copy.exp for item in chosen.values()))
    if reads is not None or fewer is not None:
        assert terms.max_reads is not None
        assert 1 <= terms.max_reads <= min(value for value in (reads, fewer) if value is not None)
    assert len({item.copy.set_id for item in chosen.values()}) == 1
    check_within(terms, element, request.service)


def test_inspect_marks_what_is_needed_registered_and_a_flag(known) -> None:  # type: ignore[no-untyped-def]
    base, _, _ = known
    claims = [*base.consent.claims, ElementClaim("adres", ["straat"], False)]
    asked = {
        item.name: item for item in asked_attributes(change(base, consent=replace(base.consent, claims=claims)))
    }
    assert (asked["adres.postcode"].needed, asked["adres.postcode"].registered) == (True, True)
    assert (asked["adres.straat"].needed, asked["adres.straat"].registered) == (False, False)
    assert asked["persoon.geheimhouding"].flag
    assert asked["adres.postcode"].label == "Postal code"


def test_registration_certificate_narrows_standing_access_too(known) -> None:  # type: ignore[no-untyped-def]
    """Attribute by attribute; the register's flags go along whatever the certificate says of them."""
    base, _, _ = known
    credentials = [
        {"format": "dc+sd-jwt", "meta": {"vct_values": [ADRES]}, "claim": [{"path": ["postcode"]}]},
        {"format": "dc+sd-jwt", "meta": {"vct_values": [PERSOON]}, "claim": [{"path": ["geslachtsnaam"]}]},
    ]
    token = strangers.registration(sub=AGENCY_ID, credentials=credentials)
    roots = [strangers.SECTOR_REGISTRAR.root]
    registration = verify_registration_certificate(token, roots=roots, asker=[AGENCY_ID], now=NOW)
    request = change(base, asker=change(base.asker, registration=registration))
    asked = {item.name: item.registered for item in asked_attributes(request)}
    assert [name for name, registered in asked.items() if not registered] == ["adres.huisnummer"]
    with pytest.raises(Rejected, match="over_asking"):
        decide_grant(request, Choice())
    with pytest.raises(Rejected, match="over_asking"):
        check_registration(request)
    places = decide_grant(request, Choice(without=("huisnummer",))).places
    assert {place.name for place in places} >= {"postcode", "geslachtsnaam", *credential_type(ADRES).flags}
    assert decide_grant(base, Choice()).places


def test_flags_follow_their_card(known) -> None:  # type: ignore[no-untyped-def]
    base, _, _ = known
    places = decide_places(base, Choice())
    assert with_flags(places) == places


def test_end_and_reads_without_a_choice(known) -> None:  # type: ignore[no-untyped-def]
    base, _, _ = known
    assert decide_end(base.consent, base.service, Choice(), NOW, NOW + DAY) == NOW + DAY
    assert decide_reads(base.consent, Choice()) is None


def test_seed_makes_the_same_keys_again_and_different_ones_for_each_batch() -> None:
    keys: set[Es256Public] = set()
    for batch in ("A" * 22, "B" * 21 + "A"):
        for number in range(3):
            keys.add(holder_key(SECRETS, batch, number).public)
            assert holder_key(SECRETS, batch, number).public == holder_key(SECRETS, batch, number).public
    assert len(keys) == 6
    assert holder_key(Secrets("B" * 42 + "A"), "A" * 22, 0).public not in keys
