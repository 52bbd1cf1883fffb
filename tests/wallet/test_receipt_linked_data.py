"""The receipt as linked data, read by rdflib: every field that ISO/IEC TS 27560 and the GDPR want of it is there.

The table is that of the W3C guide "Consent Records and Receipts as per ISO/IEC TS 27560:2023 using DPV" (DPVCG),
section "terms"; the terms are those of DPV 2 (https://w3id.org/dpv#), the schema those of `dpv-27560`. Its context
stands in the receipt itself, so that nothing is fetched.
"""

import json

import pytest
from rdflib import DCTERMS, RDF, Graph, Namespace, URIRef
from rdflib.term import Node

from protocol.canonical import canonical_bytes
from tests.wallet.neighbours import Neighbours
from wallet.errand_grant import grant
from wallet.errand_revoke import stop_grant
from wallet.opened import OpenWallet
from wallet.receipt import consent_receipt
from wallet.records import Choice

DPV = Namespace("https://w3id.org/dpv#")
GDPR = Namespace("https://w3id.org/dpv/legal/eu/gdpr#")
SCHEMA = Namespace("https://w3id.org/dpv/schema/dpv-27560#")
RECORD_FIELDS: dict[str, tuple[URIRef, ...]] = {
    "schema version": (DCTERMS.conformsTo,),
    "record id": (DCTERMS.identifier,),
    "pii principal id": (DPV.hasDataSubject, DCTERMS.identifier),
    "privacy notice": (DPV.hasNotice,),
    "language": (DPV.hasNotice, DCTERMS.language),
    "purpose": (DPV.hasProcess, DPV.hasPurpose),
    "lawful basis": (DPV.hasLegalBasis,),
    "pii information": (DPV.hasProcess, DPV.hasPersonalData),
    "pii controllers": (DPV.hasDataController,),
    "collection method": (DPV.hasProcess, DPV.hasPersonalData, DPV.hasDataSource),
    "processing method": (DPV.hasProcess, DPV.hasProcessing),
    "storage locations": (DPV.hasProcess, DPV.hasStorageCondition, DPV.hasLocation),
    "retention period": (DPV.hasProcess, DPV.hasStorageCondition, DPV.hasDuration),
    "processing location": (DPV.hasProcess, DPV.hasLocation),
    "jurisdiction": (DPV.hasJurisdiction,),
    "recipient third parties": (DPV.hasProcess, DPV.hasRecipient),
    "withdrawal method": (DPV.hasConsentControl,),
    "privacy rights": (DPV.hasRight,),
    "authority party": (DPV.hasAuthority, DPV.hasName),
    "pii optional": (DPV.hasProcess, DPV.hasPersonalData, DPV.hasNecessity),
    "party id": (DPV.hasDataController, DCTERMS.identifier),
    "party address": (DPV.hasDataController, DPV.hasAddress),
    "party name": (DPV.hasDataController, DPV.hasName),
    "party contact": (DPV.hasDataController, DPV.hasContact),
    "party type": (DPV.hasDataController, RDF.type),
    "event time": (DPV.hasConsentStatus, DCTERMS.date),
    "validity duration": (DPV.hasConsentStatus, DCTERMS.valid),
    "entity id": (DPV.hasConsentStatus, DPV.isIndicatedBy, DCTERMS.identifier),
    "event state": (DPV.hasConsentStatus, RDF.type),
}
"""What is mandatory for ISO or for the GDPR, and the relations that lead to it from the record."""


@pytest.fixture
def graph(wallet: OpenWallet, neighbours: Neighbours) -> Graph:
    record = grant(wallet, neighbours.agency.ask(max_reads=4), Choice()).record
    return read(json.loads(canonical_bytes(consent_receipt(record, wallet.now()))))


def read(receipt: object) -> Graph:
    return Graph().parse(data=json.dumps(receipt), format="json-ld")


def the_record(graph: Graph) -> Node:
    (receipt,) = graph.subjects(RDF.type, DPV.ConsentReceipt)
    assert (receipt, DCTERMS.created, None) in graph
    assert (receipt, DCTERMS.identifier, None) in graph
    (record,) = graph.objects(receipt, DPV.hasRecordOfActivity)
    return record


def test_receipt_has_every_field_that_standard_and_law_want(graph: Graph) -> None:
    missing = []
    for field, relations in RECORD_FIELDS.items():
        found = [the_record(graph)]
        for relation in relations:
            found = [each for one in found for each in graph.objects(one, relation)]
        if not found:
            missing.append(field)
    assert missing == []


def test_receipt_names_its_schema_its_ground_and_the_way_back(graph: Graph) -> None:
    record = the_record(graph)
    assert set(graph.objects(record, DCTERMS.conformsTo)) == {SCHEMA.record, SCHEMA["record-eu-gdpr"]}
    assert (record, DPV.hasLegalBasis, GDPR["A6-1-a"]) in graph
    assert (record, DPV.hasRight, GDPR["A7-3"]) in graph
    (control,) = graph.objects(record, DPV.hasConsentControl)
    assert (control, RDF.type, DPV.WithdrawConsent) in graph


def test_every_term_of_ours_stands_in_a_vocabulary_that_is_named(graph: Graph) -> None:
    """A term that the context does not know would be dropped, or become an address of nowhere."""
    known = ("https://w3id.org/dpv", str(DCTERMS), str(RDF))
    for relation in set(graph.predicates()):
        assert str(relation).startswith(known), relation
    kinds = {str(kind) for kind in graph.objects(None, RDF.type)}
    assert all(kind.startswith("https://w3id.org/dpv#") for kind in kinds), kinds


def test_stop_stands_on_the_receipt_with_its_time(wallet: OpenWallet, neighbours: Neighbours) -> None:
    grant(wallet, neighbours.agency.ask(max_reads=4), Choice())
    found = read(consent_receipt(stop_grant(wallet, "1"), wallet.now()))
    events = list(found.objects(None, DPV.hasConsentStatus))
    states = {state for event in events for state in found.objects(event, RDF.type)}
    assert states == {DPV.ConsentGiven, DPV.ConsentWithdrawn}
