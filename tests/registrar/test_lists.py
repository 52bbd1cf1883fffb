"""The national lists that services are held against: as published, damaged, and the rows of the examples."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples import services
from protocol.canonical import convert
from protocol.errors import Rejected
from protocol.trust_list import Service
from registrar.lists import MAX_ROWS, Lists, check_listed, is_longer, longest_days, parse_selection_list, parse_upl
from tests.protocol import builders

EXAMPLES = Path(services.__file__).parent
SHARED = Path(__file__).resolve().parents[3] / "shared/data"
OURS = Lists(
    parse_upl((EXAMPLES / "upl.csv").read_bytes()),
    parse_selection_list((EXAMPLES / "selectielijst.csv").read_bytes()),
)
DEMO = [convert(members, Service) for members in (services.PARKING, services.DEBT_HELP)]


def code(service: Service, lists: Lists = OURS) -> str | None:
    try:
        check_listed(service, lists)
    except Rejected as error:
        return error.code
    return None


def whole_lists() -> Lists:
    return Lists(
        parse_upl((SHARED / "upl/UPL-actueel.csv").read_bytes()),
        parse_selection_list((SHARED / "selectielijst/selectielijst-gemeenten.csv").read_bytes()),
    )


@pytest.mark.parametrize("service", DEMO, ids=lambda service: service.id)
def test_services_of_the_demo_town_follow_the_lists(service: Service) -> None:
    assert code(service) is None


@pytest.mark.shared
def test_rows_of_the_examples_are_those_of_the_published_lists() -> None:
    whole = whole_lists()
    assert whole.products is not None
    assert whole.results is not None
    assert OURS.products is not None
    assert OURS.results is not None
    assert OURS.products.items() <= whole.products.items()
    assert OURS.results.items() <= whole.results.items()
    assert (len(whole.products), len(whole.results)) == (1017, 346)
    assert [code(service, whole) for service in DEMO] == [None, None]


def test_specific_result_is_below_its_general_one_however_that_is_spelt() -> None:
    head = "procestypeNummer,resultaatNummer,resultaat,omschrijving,waardering,bewaartermijn\n"
    rows = "8,3,Beëindigd,,vernietigen,P10Y\n8,5,Beeindigd,Schuldhulpverlening,vernietigen,P5Y\n"
    rows += "24,3,Afgebroken,Alleen hier,vernietigen,\n2,1,Vastgesteld,,blijvend_bewaren,\n"
    found = parse_selection_list((head + rows).encode())
    assert {number: result.retention for number, result in found.items()} == {
        "8.3": "P10Y", "8.3.5": "P5Y", "24.3": None, "2.1": None,
    }  # fmt: skip
    assert found["2.1"].for_ever
    assert not found["24.3"].for_ever


def test_laws_of_a_product_are_all_its_rows() -> None:
    head = "UniformeProductnaam,Medebewind,Burger,Grondslaglabel,Grondslaglink,Anders\n"
    rows = 'leerlingenvervoer,X,X,Artikel 4 WEC,https://a.example,"x, y"\nleerlingenvervoer,X,X,Artikel 4 WPO,,\n'
    product = parse_upl(("\ufeff" + head + rows).encode())["leerlingenvervoer"]
    assert [law.label for law in product.laws] == ["Artikel 4 WEC", "Artikel 4 WPO"]
    assert (product.for_residents, product.is_ordered) == (True, True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"upl": "parkeervergunninkje"}, "unknown_upl"),
        ({"selectielijst": "99.1"}, "unknown_result"),
        ({"selectielijst": "11.1", "retention": "P2Y"}, "retention_too_long"),
        ({"selectielijst": "11.1", "retention": "P367D"}, "retention_too_long"),
        ({"selectielijst": "11.1", "retention": "P366D"}, None),
        ({"selectielijst": "11.1", "retention": "P1Y"}, None),
        ({"selectielijst": "11.1", "retention": "P12M"}, None),
        ({"selectielijst": "11.1", "retention": "P1M"}, None),
        ({}, None),
    ],
)
def test_service_is_held_against_the_lists(changes: dict[str, Any], expected: str | None) -> None:
    assert code(builders.service(**changes)) == expected
    assert code(builders.service(**changes), Lists()) is None


@pytest.mark.parametrize("parse", [parse_upl, parse_selection_list])
@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", b"\xff\xfe", b'UniformeProductnaam\n"open'])
def test_damaged_list_is_refused(parse: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(Rejected, match="bad_list"):
        parse(data)


def test_list_without_end_or_with_a_strange_period_is_refused() -> None:
    head = b"procestypeNummer,resultaatNummer,resultaat,omschrijving,waardering,bewaartermijn\n"
    for rows in (b"1,1,x,,vernietigen,een jaar\n", b"1,1,x,,vernietigen,P1Y\n" * (MAX_ROWS + 1)):
        with pytest.raises(Rejected, match="bad_list"):
            parse_selection_list(head + rows)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("P2Y", "P1Y", True),
        ("P1Y", "P365D", False),
        ("P13M", "P1Y", True),
        ("P24M", "P2Y", False),
        ("P5W", "P1M", True),
        ("P4W", "P1M", False),
        ("PT25H", "P1D", True),
        ("P99Y", "P110Y", False),
    ],
)
def test_duration_is_longer_only_where_it_surely_is(one: str, other: str, expected: bool) -> None:
    assert is_longer(one, other) is expected
    assert not (is_longer(one, other) and is_longer(other, one))


def test_longest_days_of_a_duration() -> None:
    assert longest_days("P1Y1M2W1DT12H") == 366 + 31 + 14 + 1.5
    with pytest.raises(ValueError, match="ISO 8601"):
        longest_days("one year")
