"""Remarks on what is allowed: one for each, none for a good list."""

from typing import Any

import pytest

from protocol.trust_list import ServiceClaim, WalletProvider, Words
from registrar.draft import Draft, new_draft
from registrar.lint import remarks_on
from registrar.providers import add_wallet_provider
from registrar.register import add_agency, add_issuer, add_log, add_witness
from tests.protocol import builders
from tests.protocol.builders import ADRES, DAY, NOW
from tests.registrar.test_register import log, witness


def town(**service: Any) -> Draft:
    draft = add_agency(new_draft("R"), builders.agency(services=[builders.service(**service)]), NOW)
    draft = add_log(add_issuer(draft, builders.issuer(), NOW), log())
    return add_witness(add_witness(draft, witness()), witness("a.example", auditing=True))


def codes(draft: Draft) -> list[str]:
    return [remark.code for remark in remarks_on(draft)]


def test_good_list_gets_no_remark() -> None:
    assert codes(town()) == []


CLAIMS = [
    ServiceClaim(vct=ADRES, path=[name], needed=True) for name in ("straat", "huisnummer", "postcode", "land")
]
MANY = ["straat", "huisnummer", "huisletter", "toevoeging", "postcode", "woonplaats", "gemeente"]
MANY += ["adresregel1", "adresregel2", "adresregel3", "land", "datumVan", "soort"]
CLAIMS = [ServiceClaim(vct=ADRES, path=[name], needed=True) for name in MANY[:4]]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": Words(nl="Parking", en="Parking")}, "same_text"),
        ({"purpose": Words(nl="woord " * 20 + "woord", en="Short.")}, "long_sentence"),
        ({"longest_term": 367 * DAY}, "long_consent"),
        ({"claims": [ServiceClaim(vct=ADRES, path=[name], needed=False) for name in MANY[:1]]}, "nothing_needed"),
        ({"claims": CLAIMS}, "all_needed"),
    ],
)
def test_service_gets_a_remark(changes: dict[str, Any], expected: str) -> None:
    draft = town(**changes)
    assert codes(draft) == [expected]
    (remark,) = remarks_on(draft)
    assert remark.place == f"{builders.AGENCY_ID}/{builders.SERVICE_ID}@1"


def test_thirteenth_attribute_is_remarked() -> None:
    for count, expected in ((12, []), (13, ["many_attributes"])):
        claims = [ServiceClaim(vct=ADRES, path=[name], needed=n == 0) for n, name in enumerate(MANY[:count])]
        assert codes(town(claims=claims)) == expected


def test_log_that_nobody_watches_is_remarked() -> None:
    assert codes(add_log(new_draft("R"), log())) == ["no_witness", "no_auditor"]
    assert codes(add_witness(add_log(new_draft("R"), log()), witness())) == ["no_auditor"]


def test_agency_without_service_and_plain_http_are_remarked() -> None:
    draft = add_agency(new_draft("R"), builders.agency(services=[]), NOW)
    draft = add_issuer(draft, builders.issuer(id="http://127.0.0.1:8001"), NOW)
    assert codes(draft) == ["no_service", "no_tls"]


def test_agencies_whose_names_look_alike_are_remarked() -> None:
    other = builders.party("look-alike", san_dns="look.example")
    entry = builders.agency(id="00000099000000002000", name="Gemeente V00rbeeld", roots=other.roots)
    draft = add_agency(town(), entry, NOW)
    assert codes(draft) == ["look_alike", "look_alike"]


def test_wallet_provider_without_tls_is_remarked() -> None:
    entry = WalletProvider(id="http://localhost:8083", name="Wallets", roots=builders.STRANGER.roots)
    assert codes(add_wallet_provider(town(), entry, NOW)) == ["no_tls"]
