"""Never wider: over-asking, widened terms, refresh, context (sections 3, 4 and 9)."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import b64u_encode, sha256, to_builtins
from protocol.narrowing import check_element, check_refresh, check_within, is_context_within, is_registered
from protocol.terms import Claim, Context, ElementClaim, Place, Terms, check_terms, in_context, salted_hash
from protocol.trust_list import ServiceClaim
from tests.protocol import builders, granting
from tests.protocol.builders import ADRES, DAY, NOW, PERSOON
from tests.protocol.granting import HUISNUMMER, POSTCODE, SURNAME, change, element, outcome, terms

TERMS = terms()
PLAIN: dict[str, Any] = to_builtins(TERMS)
OTHER = b64u_encode(sha256(b"other"))
SERVICE = builders.service()


def check(asked: Any, **agency: Any) -> None:
    check_element(asked, granting.VCTS, builders.agency(**agency), SERVICE)


def test_request_within_its_registration_passes() -> None:
    check(element())
    check(element(mode="view"))
    check(element(claims=[*element().claims, ElementClaim("adres", ["geheimhouding"], True)]))


@pytest.mark.parametrize(
    "changes",
    [
        {"recipient": "00000099000000002000"},
        {"service": "iets-anders"},
        {"service_version": 2},
        {"retention": "P10Y"},
        {"claims": [ElementClaim("adres", ["straat"], True)]},
        {"claims": [ElementClaim("persoon", ["burgerservicenummer"], True)]},
        {"claims": [ElementClaim("gezin", ["kinderen"], True)]},
        {"claims": [ElementClaim("persoon", ["postcode"], True)]},
    ],
)
def test_over_asking_is_refused_by_wallet_and_verifier(changes: dict[str, Any]) -> None:
    assert outcome(check, element(**changes)) == "over_asking"


def test_request_to_store_what_is_registered_for_viewing_is_over_asking() -> None:
    service = builders.service(mode="view")
    assert outcome(check_element, element(), granting.VCTS, builders.agency(), service) == "over_asking"


def test_viewing_is_within_a_registration_for_viewing() -> None:
    service = builders.service(mode="view")
    check_element(element(mode="view"), granting.VCTS, builders.agency(), service)
    within(terms(mode="view"), service, mode="view")
    within(terms(mode="view"), mode="view")


def test_agency_without_the_right_to_the_bsn_may_ask_the_rest() -> None:
    check(element(), bsn_allowed=False)


def test_agency_without_the_right_to_the_bsn_cannot_ask_it() -> None:
    asked = element(claims=[ElementClaim("persoon", ["burgerservicenummer"], True)])
    claims = [ServiceClaim(vct=PERSOON, path=["burgerservicenummer"], needed=True)]
    service = builders.service(claims=claims, bsn_law="Wabb artikel 10")
    check_element(asked, granting.VCTS, builders.agency(bsn_allowed=True), service)
    agency = builders.agency(bsn_allowed=False)
    assert outcome(check_element, asked, granting.VCTS, agency, service) == "over_asking"


def test_service_that_names_no_law_for_the_bsn_cannot_ask_it() -> None:
    asked = element(claims=[ElementClaim("persoon", ["burgerservicenummer"], True)])
    service = builders.service(claims=[ServiceClaim(vct=PERSOON, path=["burgerservicenummer"], needed=True)])
    allowed = builders.agency(bsn_allowed=True)
    assert outcome(check_element, asked, granting.VCTS, allowed, service) == "over_asking"


def test_registration_of_an_attribute_is_of_one_type_only() -> None:
    assert is_registered(POSTCODE, SERVICE)
    assert is_registered(Place("adres", ADRES, "geheimhouding"), builders.service(claims=[SERVICE.claims[0]]))
    assert not is_registered(Place("adres", ADRES, "straat"), SERVICE)
    only_persoon = builders.service(claims=[SERVICE.claims[0]])
    assert not is_registered(Place("gezin", builders.GEZIN, "geheimhouding"), only_persoon)


def within(granted: Terms, service: Any = SERVICE, **changes: Any) -> None:
    check_terms(granted)
    check_within(granted, element(**changes), service)


def test_resident_may_narrow_everything() -> None:
    within(TERMS)
    within(terms([POSTCODE]))
    within(terms(not_after=NOW + 1))
    within(terms(mode="view"))
    within(terms(max_reads=1))
    within(terms(max_reads=3), max_reads=3)
    within(terms(context=Context(days=[1], hours=[9, 12], zone="office")))
    within(terms(case=OTHER), case=OTHER)


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"recipient": "00000099000000002000"}, {}),
        ({"service": "iets-anders"}, {}),
        ({"service_version": 2}, {}),
        ({"retention": "P10Y"}, {}),
        ({"log": "log.elders.example"}, {}),
        ({}, {"mode": "view"}),
        ({"not_after": NOW + 300 * DAY + 1}, {}),
        ({}, {"max_reads": 3}),
        ({"max_reads": 4}, {"max_reads": 3}),
        ({"case": OTHER}, {}),
        ({}, {"case": OTHER}),
        ({}, {"context": Context(zone="office")}),
        ({"context": Context(days=[1, 6])}, {"context": Context(days=[1, 2])}),
        ({"context": Context(hours=[8, 17])}, {"context": Context(hours=[9, 17])}),
        ({"context": Context(zone="remote")}, {"context": Context(zone="office")}),
    ],
)
def test_widened_terms_are_outcome(changes: dict[str, Any], asked: dict[str, Any]) -> None:
    assert outcome(lambda: within(terms(**changes), **asked)) == "widened"


def test_attribute_that_was_not_asked_is_refused_even_if_registered() -> None:
    asked = [claim for claim in element().claims if claim.path != ["huisnummer"]]
    assert outcome(lambda: within(TERMS, claims=asked)) == "widened"


def test_flags_of_a_credential_that_was_not_asked_are_outcome() -> None:
    asked = [claim for claim in element().claims if claim.credential == "adres"]
    flags_only = terms([POSTCODE, Place("persoon", PERSOON, "geheimhouding")])
    assert outcome(lambda: within(flags_only, claims=asked)) == "widened"


def test_attribute_that_is_not_registered_is_refused_even_if_asked() -> None:
    claims = [*element().claims, ElementClaim("adres", ["straat"], False)]
    granted = terms([POSTCODE, Place("adres", ADRES, "straat")])
    assert outcome(lambda: within(granted, claims=claims)) == "over_asking"


def test_ground_is_the_registered_one() -> None:
    assert outcome(lambda: within(terms(basis="public_task"))) == "over_asking"


def test_grant_is_never_longer_than_registered() -> None:
    service = builders.service(longest_term=200 * DAY)
    within(TERMS, service)
    assert outcome(lambda: within(terms(not_after=NOW + 200 * DAY + 1), service)) == "over_asking"


def test_needed_attribute_must_be_there() -> None:
    assert outcome(lambda: within(terms([HUISNUMMER, SURNAME]))) == "needed_missing"


def test_last_second_of_the_asked_term_is_within() -> None:
    within(terms(not_after=NOW + 300 * DAY))


NEW_LOCK = b64u_encode(sha256(b"r of version 2"))


def refreshed(**changes: Any) -> Terms:
    """Version 2 with fresh digests."""
    claims = [
        change(claim, digest=b64u_encode(sha256(claim.digest.encode())), share=OTHER) for claim in TERMS.claims
    ]
    members = {"version": 2, "lock": NEW_LOCK, "not_before": NOW + DAY, "claims": claims}
    return change(TERMS, **{**members, **changes})


def test_refresh_may_renew_and_narrow() -> None:
    check_refresh(TERMS, refreshed())
    check_refresh(TERMS, refreshed(not_before=TERMS.not_before))
    check_refresh(TERMS, refreshed(not_after=TERMS.not_after - 1, max_reads=5))
    fewer = [claim for claim in refreshed().claims if claim.path != ["huisnummer"]]
    check_refresh(TERMS, refreshed(claims=fewer))
    check_refresh(change(TERMS, max_reads=5), refreshed(max_reads=5))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1},
        {"version": 3},
        {"lock": TERMS.lock},
        {"not_before": TERMS.not_before - 1},
        {"not_after": TERMS.not_after + 1},
        {"recipient": "00000099000000002000"},
        {"service_version": 2},
        {"basis": "public_task"},
        {"retention": "P2Y"},
        {"mode": "view"},
        {"request_hash": OTHER},
        {"tag_key": OTHER},
        {"log": "log.elders.example"},
        {"case": OTHER},
        {"context": Context(days=[1])},
        {"on_behalf_of": OTHER},
        {"claims": [*refreshed().claims, Claim("adres", ADRES, ["straat"], OTHER, 256, OTHER)]},
        {"claims": [change(claim, credential="elders") for claim in refreshed().claims]},
    ],
)
def test_refresh_that_changes_more_is_widened(changes: dict[str, Any]) -> None:
    assert outcome(check_refresh, TERMS, refreshed(**changes)) == "widened"


def test_refresh_cannot_raise_or_drop_the_number_of_reads() -> None:
    limited = change(TERMS, max_reads=5)
    check_refresh(limited, refreshed(max_reads=4))
    assert outcome(check_refresh, limited, refreshed(max_reads=6)) == "widened"
    assert outcome(check_refresh, limited, refreshed()) == "widened"


_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_BITS = st.builds(
    Context,
    days=st.none() | st.sets(st.integers(1, 7), min_size=1).map(sorted),
    hours=st.none() | st.sets(st.integers(0, 24), min_size=2, max_size=2).map(sorted),
    zone=st.none() | st.sampled_from(["office", "remote"]),
)


def at(*moment: int, fold: int = 0) -> int:
    """POSIX seconds of a wall-clock time in Amsterdam."""
    return int(datetime(*moment, tzinfo=_AMSTERDAM, fold=fold).timestamp())  # type: ignore[arg-type, misc]


def test_no_context_admits_always() -> None:
    assert in_context(None, 0, "remote")
    assert in_context(None, NOW, "office")


def test_hours_begin_and_end_on_the_second() -> None:
    office = Context(days=[1, 2, 3, 4, 5], hours=[9, 17])
    assert not in_context(office, at(2026, 11, 23, 8, 59, 59), "office")
    assert in_context(office, at(2026, 11, 23, 9), "office")
    assert in_context(office, at(2026, 11, 23, 16, 59, 59), "office")
    assert not in_context(office, at(2026, 11, 23, 17), "office")
    assert not in_context(office, at(2026, 11, 22, 12), "office")  # a Sunday


def test_hours_are_those_of_the_wall_clock_in_summer_and_winter() -> None:
    morning = Context(hours=[9, 10])
    assert in_context(morning, at(2026, 7, 1, 9, 30), "office")
    assert in_context(morning, at(2026, 1, 1, 9, 30), "office")
    summer, winter = at(2026, 10, 25, 2, 30), at(2026, 10, 25, 2, 30, fold=1)
    assert winter - summer == 3600
    night = Context(hours=[2, 3])
    assert in_context(night, summer, "office")
    assert in_context(night, winter, "office")
    assert not in_context(night, at(2026, 3, 29, 3), "office")  # 2 o'clock does not exist that day


def test_zone_is_the_one_that_is_named() -> None:
    assert in_context(Context(zone="office"), NOW, "office")
    assert not in_context(Context(zone="office"), NOW, "remote")


@given(_BITS, _BITS, st.integers(NOW - DAY, NOW + 10 * DAY), st.sampled_from(["office", "remote"]))
def test_narrower_context_never_admits_more(inner: Context, outer: Context, now: int, zone: Any) -> None:
    if is_context_within(inner, outer) and in_context(inner, now, zone):
        assert in_context(outer, now, zone)


@given(_BITS)
def test_context_is_within_itself_and_within_none(context: Context) -> None:
    assert is_context_within(context, context)
    assert is_context_within(context, None)


def test_salted_hash_tells_nothing_without_its_salt() -> None:
    assert salted_hash(bytes(32), "Z-1") != salted_hash(b"\x01" + bytes(31), "Z-1")
    assert salted_hash(bytes(32), "Z-1") != salted_hash(bytes(32), "Z-2")
    with pytest.raises(ValueError):
        salted_hash(b"short", "Z-1")
