"""What leaves the wallet for others to read: the transaction log of EUDI TS10 and the file of a complaint (TS8).

The tables are those of TS10 1.2 (sections 3.1, 3.2, 3.5, 3.13, 3.14, 3.15 and 3.19): member, whether it must be
there, and its JSON type. https://github.com/eu-digital-identity-wallet/eudi-doc-standards-and-technical-specifications
"""

import json
import re
from typing import Any

import pytest

from tests.protocol import builders
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import Neighbours
from wallet.complaint import REASONS
from wallet.errand_grant import grant
from wallet.errand_message import ask
from wallet.errand_report import complain, note_deletion
from wallet.errand_request import decline, share_once
from wallet.errand_revoke import stop_grant
from wallet.errand_transactions import transaction_log
from wallet.letters import way_to
from wallet.opened import OpenWallet
from wallet.records import Choice

MUST, MAY = True, False
HEAD = {"transactionIdentifier": str, "time": str, "transactionType": str, "transactionResult": str}
CLASSES: dict[str, tuple[str, dict[str, tuple[bool, type]]]] = {
    "Presentation": (
        "presentation",
        {
            "interactingPartyIdentifier": (MUST, dict),
            "interactingPartyType": (MUST, str),
            "interactingPartyName": (MUST, dict),
            "interactingPartyContact": (MUST, list),
            "isIntermediary": (MUST, bool),
            "registrarURL": (MUST, str),
            "purpose": (MUST, list),
            "privacyPolicy": (MUST, list),
            "dpaName": (MUST, dict),
            "dpaCountry": (MUST, dict),
            "dpaContact": (MUST, list),
            "listOfClaimsRequested": (MUST, list),
            "listOfClaimsPresented": (MUST, list),
            "reasonOfNoncompletion": (MAY, str),
        },
    ),
    "CredentialIssuance": (
        "credentialIssuance",
        {
            "interactingPartyIdentifier": (MUST, dict),
            "interactingPartyType": (MUST, str),
            "interactingPartyName": (MUST, dict),
            "interactingPartyContact": (MUST, list),
            "credentialNumberRequested": (MUST, int),
            "credentialNumberIssued": (MUST, int),
            "credentialIdentifier": (MUST, list),
            "isUserTriggered": (MUST, bool),
        },
    ),
    "DataDeletionRequest": (
        "dataDeletionRequest",
        {
            "interactingPartyIdentifier": (MUST, dict),
            "interactingPartyName": (MUST, dict),
            "listOfClaims": (MUST, list),
        },
    ),
    "DPAReport": ("dpaReport", {"dpaName": (MUST, dict), "dpaCountry": (MUST, dict)}),
    "OtherTransaction": (
        "otherTransaction",
        {"description": (MUST, list), "interactingPartyIdentifier": (MAY, dict)},
    ),
}
NESTED = {
    "interactingPartyIdentifier": {"type", "identifier"},
    "interactingPartyName": {"lang", "content"},
    "dpaName": {"lang", "content"},
    "dpaCountry": {"lang", "content"},
    "purpose": {"lang", "content"},
    "privacyPolicy": {"type", "policyURI"},
    "listOfClaimsRequested": {"credentialIdentifier", "claims"},
    "listOfClaimsPresented": {"credentialIdentifier", "claims"},
    "listOfClaims": {"credentialIdentifier", "claims"},
}


def check(transaction: dict[str, Any]) -> None:
    """One transaction against the tables."""
    name, members = CLASSES[transaction["transactionType"]]
    assert set(transaction) == {*HEAD, name}  # 3.1: exactly one class
    assert all(isinstance(transaction[member], kind) for member, kind in HEAD.items())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", transaction["time"])
    assert transaction["transactionResult"] in ("Completed", "NotCompleted")
    found = transaction[name]
    assert set(found) <= set(members)
    for member, (is_needed, kind) in members.items():
        assert member in found or not is_needed, member
        assert member not in found or isinstance(found[member], kind), member
    for member, names in NESTED.items():
        values = found.get(member, [])
        for value in values if isinstance(values, list) else [values]:
            assert set(value) == names, member
    if name == "presentation":
        is_done = transaction["transactionResult"] == "Completed"
        assert ("reasonOfNoncompletion" in found) != is_done


@pytest.fixture
def busy(wallet: OpenWallet, holder: Resident, neighbours: Neighbours) -> OpenWallet:
    """A wallet that granted, asked everything, stopped, gave a copy, said no, and complained."""
    grant(wallet, neighbours.agency.ask(), Choice())
    for right in ("erasure", "access"):
        ask(wallet, "1", right)  # type: ignore[arg-type]
    ask(wallet, "1", "rectification", ["postcode"])
    stop_grant(wallet, "1")
    claim = type(builders.service().claims[0])
    names = ("postcode", "woonplaats", *builders.flags(builders.ADRES))
    claims = [claim(vct=builders.ADRES, path=[name], needed=True) for name in names]
    moved = builders.service(id="verhuisbericht", claims=claims)
    holder.write_trust(agencies=[builders.agency(services=[builders.service(), moved])], version=2)
    share_once(wallet, neighbours.agency.ask(once=True))
    decline(wallet, neighbours.agency.ask(once=True))
    complain(wallet, wallet.grant("1"), "no_answer")
    note_deletion(wallet, wallet.activities()[0])
    return wallet


def test_every_transaction_follows_the_tables_of_ts10(busy: OpenWallet) -> None:
    log = transaction_log(busy)
    for transaction in log:
        check(transaction)
    kinds = [each["transactionType"] for each in log]
    assert {kind: kinds.count(kind) for kind in set(kinds) - {"CredentialIssuance"}} == {
        "Presentation": 3,
        "DataDeletionRequest": 2,
        "OtherTransaction": 3,
        "DPAReport": 1,
    }
    assert len({each["transactionIdentifier"] for each in log}) == len(log)
    assert [each["time"] for each in log] == sorted(each["time"] for each in log)


def test_transaction_log_holds_no_value_and_no_secret(busy: OpenWallet) -> None:
    text = json.dumps(transaction_log(busy))
    terms = busy.grant("1").body.terms
    values = (str(builders.attributes_of(vct)[name]) for vct, name in (
        (builders.ADRES, "postcode"), (builders.ADRES, "woonplaats"), (builders.PERSOON, "burgerservicenummer"),
    ))  # fmt: skip
    for secret in (*values, terms.tag_key, busy.grant("1").body.opening_key, busy.grant("1").body.view_hash):
        assert secret not in text


@pytest.mark.parametrize("reason", REASONS)
def test_complaint_names_who_asked_what_and_holds_what_was_signed(busy: OpenWallet, reason: Any) -> None:
    made = complain(busy, busy.grant("1"), reason).file
    assert set(made) == {
        "format", "madeAt", "reason", "dpaReport", "dpaContact", "party", "transaction", "request",
        "rightsExercised", "logEvidence", "logEntry",
    }  # fmt: skip
    check(made["transaction"])  # RPT_DPA_04: an excerpt of the log
    assert made["party"]["commonName"] == made["transaction"]["presentation"]["interactingPartyName"]["content"]
    assert made["dpaContact"]  # RPT_DPA_06: at least one
    assert made["request"] == busy.grant("1").request
    assert {each["right"]: each["article"] for each in made["rightsExercised"]} == {
        "erasure": 17,
        "access": 15,
        "rectification": 16,
    }


def test_complaint_about_a_copy_has_no_entry_of_a_log(busy: OpenWallet) -> None:
    made = complain(busy, busy.activities()[0], "suspicious").file
    assert "logEntry" not in made
    assert made["rightsExercised"] == []
    check(made["transaction"])


@pytest.mark.parametrize(
    ("contact", "kind"),
    [
        ("privacy@voorbeeld.example", "mail"),
        ("https://voorbeeld.example/privacy", "web"),
        ("088 123 4567", "phone"),
        ("Postbus 1, Voorbeeld", None),
        ("javascript:alert(1)", None),
        ("http://voorbeeld.example", None),
        ("a@b.example?bcc=c@d.example", None),
        ("https://voorbeeld.example/a b", None),
    ],
)
def test_way_to_an_organisation_is_one_that_a_program_can_open(contact: str, kind: str | None) -> None:
    way = way_to(contact)
    assert (way.kind if way else None) == kind
