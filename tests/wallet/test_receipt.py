"""The receipt of a grant for programs: what it says of each ground, and what it never holds."""

import pytest

from protocol.canonical import canonical_bytes
from tests.protocol import builders
from tests.protocol.builders import DAY
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import Neighbours
from wallet.errand_grant import grant
from wallet.errand_revoke import stop_grant
from wallet.opened import OpenWallet
from wallet.receipt import consent_receipt
from wallet.records import Choice, GrantRecord


def given(wallet: OpenWallet, neighbours: Neighbours) -> GrantRecord:
    return grant(wallet, neighbours.agency.ask(max_reads=4), Choice()).record


def statuses(record: GrantRecord, now: int) -> list[str]:
    found = consent_receipt(record, now)["dpv:hasRecordOfActivity"].get("dpv:hasConsentStatus", [])
    return [event["@type"] for event in found]


def test_receipt_says_who_what_why_and_how_long(wallet: OpenWallet, neighbours: Neighbours) -> None:
    record = given(wallet, neighbours)
    receipt = consent_receipt(record, wallet.now())
    made = receipt["dpv:hasRecordOfActivity"]
    assert receipt["@type"] == "dpv:ConsentReceipt"
    assert made["dpv:hasDataController"]["dct:identifier"] == builders.AGENCY_ID
    assert made["dpv:hasLegalBasis"] == {"@id": "eu-gdpr:A6-1-a"}
    assert {"@id": "eu-gdpr:A7-3"} in made["dpv:hasRight"]
    process = made["dpv:hasProcess"]
    assert process["dpv:hasPurpose"]["dct:title"][0] == {"@language": "nl", "@value": "Parkeervergunning"}
    necessity = {item["@id"]: item["dpv:hasNecessity"]["@id"] for item in process["dpv:hasPersonalData"]}
    assert necessity[f"{builders.ADRES}#postcode"] == "dpv:Required"
    assert necessity[f"{builders.ADRES}#huisnummer"] == "dpv:Optional"
    assert {"@value": "P1Y", "@type": "xsd:duration"} in [
        each.get("dpv:hasDuration") for each in process["dpv:hasStorageCondition"]
    ]


def test_receipt_holds_no_value_no_code_and_is_the_same_each_time(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    record = given(wallet, neighbours)
    body = canonical_bytes(consent_receipt(record, wallet.now()))
    assert body == canonical_bytes(consent_receipt(record, wallet.now()))
    for secret in ("1234AB", record.body.opening_key, record.body.view_hash, record.body.terms.tag_key):
        assert secret.encode() not in body


def test_receipt_follows_the_agreement_to_its_end(wallet: OpenWallet, neighbours: Neighbours) -> None:
    record = given(wallet, neighbours)
    assert statuses(record, wallet.now()) == ["dpv:ConsentGiven"]
    assert statuses(record, record.body.terms.not_after + DAY) == ["dpv:ConsentGiven", "dpv:ConsentExpired"]
    stopped = stop_grant(wallet, "1")
    assert statuses(stopped, wallet.now()) == ["dpv:ConsentGiven", "dpv:ConsentWithdrawn"]


@pytest.mark.parametrize(("basis", "article"), [("public_task", "A6-1-e"), ("legal_obligation", "A6-1-c")])
def test_task_of_the_law_is_no_consent_on_its_receipt(
    wallet: OpenWallet, holder: Resident, neighbours: Neighbours, basis: str, article: str
) -> None:
    service = builders.service(version=2, basis=basis, law="Wet BRP, artikel 3.2")
    holder.write_trust(agencies=[builders.agency(services=[service])], version=2)
    receipt = consent_receipt(given(wallet, neighbours), wallet.now())
    made = receipt["dpv:hasRecordOfActivity"]
    assert receipt["@type"] == "dpv:DataProcessingRecord"
    assert made["dpv:hasLegalBasis"] == {"@id": f"eu-gdpr:{article}"}
    assert "dpv:hasConsentStatus" not in made
    assert ({"@id": "eu-gdpr:A21"} in made["dpv:hasRight"]) == (basis == "public_task")
