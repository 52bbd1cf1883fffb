"""The read part of the GovStack Consent BB API: the shapes of its OpenAPI, no value, and never a stale yes.

`SCHEMAS`: members of consent-openapi.yaml in GovStackWorkingGroup/bb-consent, examples/igrantio, commit 0fbdbbb,
the required ones first.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, parse_object, sha256
from protocol.terms import terms_hash
from protocol.trust_list import ServiceClaim
from service.edge import WsgiApp
from service.ui.front import Front
from tests.protocol import builders
from tests.verifier.agency import PURPOSE, TYPES, Agency, Granted, Wallet
from verifier import cli_export, front, govstack_web
from verifier.desk import Desk
from verifier.reader import read_grant

AGREEMENT = f"{builders.SERVICE_ID}@1"
SCHEMAS: dict[str, tuple[set[str], set[str]]] = {
    "dataAgreement": (
        {"id", "version", "purpose", "lawfulBasis", "dpia"},
        {
            "controller",
            "policy",
            "dataUse",
            "active",
            "forgettable",
            "compatibleWithVersion",
            "lifecycle",
            "signature",
        },
    ),
    "policy": (
        {"id", "name", "version", "url"},
        {"jurisdiction", "industrySector", "dataRetentionPeriodDays", "geographicRestriction", "storageLocation"},
    ),
    "consentRecord": (
        {"id", "dataAgreementRevisionHash", "state"},
        {"dataAgreement", "dataAgreementRevision", "individual", "optIn", "signature"},
    ),
    "revision": (
        {"id", "schemaName", "objectId", "serializedSnapshot", "serializedHash", "timestamp"},
        {
            "signedWithoutObjectId",
            "authorizedByIndividual",
            "authorizedByOther",
            "successor",
            "predecessorHash",
            "predecessorSignature",
        },
    ),
    "signature": (
        {
            "id",
            "payload",
            "signature",
            "verificationMethod",
            "verificationPayload",
            "verificationPayloadHash",
            "verificationSignedBy",
            "timestamp",
        },
        {
            "verificationArtifact",
            "verificationSignedAs",
            "verificationJwsHeader",
            "signedWithoutObjectReference",
            "objectType",
            "objectReference",
        },
    ),
    "individual": ({"id"}, {"externalId", "externalIdType", "identityProviderId"}),
    "controller": ({"id", "name", "url"}, set()),
}


def check(value: Any, name: str) -> None:
    """The members of a schema, in all that lies within."""
    required, optional = SCHEMAS[name]
    assert required <= set(value) <= required | optional, name
    for member, inner in value.items():
        kind = "revision" if member == "dataAgreementRevision" else member
        if kind in SCHEMAS and isinstance(inner, dict):
            check(inner, kind)


@pytest.fixture
def granted(agency: Agency, wallet: Wallet) -> tuple[str, Granted]:
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, made.form()).status_code == 200
    return rid, made


class Caller:
    """A system with the token."""

    def __init__(self, agency: Agency, token: str) -> None:
        self.client: FlaskClient = govstack_web.create(agency.desk).test_client()
        self.token = token

    def get(self, path: str, *, status: int = 200, token: str | None = None, **headers: str) -> Any:
        answer = self.client.get(
            f"/service/{path}",
            headers={
                "Authorization": f"Bearer {token or self.token}",
                **{k.replace("_", "-"): v for k, v in headers.items()},
            },
        )
        assert answer.status_code == status, answer.text
        return json.loads(answer.text)


@pytest.fixture
def caller(agency: Agency, run: Any, monkeypatch: pytest.MonkeyPatch) -> Caller:
    monkeypatch.setattr(cli_export, "Desk", lambda home: Desk(home, agency.desk.parts))
    return Caller(agency, run("govstack-token")["token"])


@pytest.fixture
def run_at() -> Any:
    """A caller of any agency."""

    def call(agency: Agency) -> Caller:
        agency.home.write_secret(govstack_web.TOKEN, b64u_encode(bytes(32)).encode())
        return Caller(agency, b64u_encode(bytes(32)))

    return call


def test_service_version_is_a_data_agreement(agency: Agency, caller: Caller) -> None:
    told = caller.get(f"data-agreement/{AGREEMENT}/")
    check(told["dataAgreement"], "dataAgreement")
    check(told["revision"], "revision")
    assert (told["dataAgreement"]["lawfulBasis"], told["dataAgreement"]["active"]) == ("consent", True)
    assert told["revision"]["serializedHash"] == sha256(told["revision"]["serializedSnapshot"].encode()).hex()
    policy = caller.get(f"policy/{AGREEMENT}/")
    check(policy["policy"], "policy")
    check(policy["revision"], "revision")
    (listed,) = caller.get("verification/data-agreements/")["dataAgreements"]
    assert listed == told["dataAgreement"]
    assert caller.get("data-agreement/other@1/", status=404)["code"] == "unknown_agreement"
    assert caller.get("policy/other@1/", status=404)["code"] == "unknown_agreement"


def test_agreement_of_a_resident_is_a_signed_consent_record(
    agency: Agency, caller: Caller, granted: tuple[str, Granted]
) -> None:
    rid, made = granted
    told = caller.get(f"verification/consent-record/{rid}/")
    check(told["consentRecord"], "consentRecord")
    check(told["revision"], "revision")
    record = told["consentRecord"]
    assert (record["optIn"], record["state"]) == (True, "signed")
    assert record["signature"]["verificationPayload"] == terms_hash(made.sealed.terms).hex()
    assert (
        record["dataAgreementRevisionHash"]
        == caller.get(f"data-agreement/{AGREEMENT}/")["revision"]["serializedHash"]
    )
    assert [item["id"] for item in caller.get("verification/consent-records/")["consentRecords"]] == [rid]
    mine = caller.get("individual/record/consent-record/", X_ConsentBB_IndividualId=rid)
    assert mine["consentRecords"] == [record]
    one = caller.get(f"individual/record/data-agreement/{AGREEMENT}/", X_ConsentBB_IndividualId=rid)
    assert one["consentRecord"] == record


def test_signature_is_of_the_card_that_signed_where_another_one_was_left_out(tmp_path: Path, run_at: Any) -> None:
    claims = [
        ServiceClaim(vct=TYPES["adres"], path=["postcode"], needed=False),
        ServiceClaim(vct=TYPES["persoon"], path=["geslachtsnaam"], needed=True),
    ]
    trust = builders.trust_list(agencies=[builders.agency(services=[builders.service(claims=claims)])])
    agency = Agency(tmp_path, trust=trust)
    rid, link = agency.ask()
    wallet = Wallet(agency.clock, agency.log, trust=trust)
    made = wallet.grant(wallet.open(agency, link), without=["postcode"])
    assert agency.post(rid, made.form()).status_code == 200
    told = run_at(agency).get("verification/consent-records/")["consentRecords"]
    payload = told[0]["signature"]["payload"].partition(".")[2]
    said = parse_object(b64u_decode(payload, max_bytes=1 << 16))
    assert said["consent"] == b64u_encode(terms_hash(made.sealed.terms))


def test_record_under_an_older_version_does_not_say_that_it_is_still_asked_for(
    agency: Agency, caller: Caller, granted: tuple[str, Granted]
) -> None:
    rid, _ = granted

    def told() -> list[dict[str, Any]]:
        return [
            caller.get(f"verification/consent-record/{rid}/")["consentRecord"],
            *caller.get("verification/consent-records/")["consentRecords"],
            *caller.get("individual/record/consent-record/", X_ConsentBB_IndividualId=rid)["consentRecords"],
            caller.get(f"individual/record/data-agreement/{AGREEMENT}/", X_ConsentBB_IndividualId=rid)[
                "consentRecord"
            ],
        ]

    assert [record["dataAgreement"]["active"] for record in told()] == [True] * 4
    services = [builders.service(), builders.service(version=2)]
    agency.enlist(builders.trust_list(version=2, agencies=[builders.agency(services=services)]))
    for record in told():
        assert (record["dataAgreement"]["id"], record["dataAgreement"]["active"]) == (AGREEMENT, False)
        assert record["dataAgreement"] == caller.get(f"data-agreement/{AGREEMENT}/")["dataAgreement"]
        assert record["optIn"] is True


def test_what_the_log_says_now_counts_and_not_what_was_known(
    agency: Agency, caller: Caller, granted: tuple[str, Granted]
) -> None:
    rid, made = granted
    agency.log.stop(made.sealed.slot, made.secret)
    assert agency.desk.store.grants.get(rid).state == "active"
    assert caller.get(f"verification/consent-record/{rid}/")["consentRecord"]["optIn"] is False
    assert caller.get("verification/consent-records/")["consentRecords"] == []


def test_nobody_says_yes_while_the_log_is_down(
    agency: Agency, caller: Caller, granted: tuple[str, Granted]
) -> None:
    agency.log.down = True
    assert caller.get(f"verification/consent-record/{granted[0]}/", status=503)["code"] == "unreachable"


def test_agreement_that_is_over_is_no_consent(
    agency: Agency, caller: Caller, granted: tuple[str, Granted]
) -> None:
    agency.clock.time = granted[1].sealed.terms.not_after
    agency.enlist(builders.trust_list(version=2, iat=agency.clock.time, exp=agency.clock.time + 600))
    assert caller.get("verification/consent-records/")["consentRecords"] == []
    record = caller.get("individual/record/consent-record/", X_ConsentBB_IndividualId=granted[0])
    assert record["consentRecords"][0]["optIn"] is False


def test_no_value_and_no_key_of_the_log_is_handed_out(
    agency: Agency, caller: Caller, granted: tuple[str, Granted]
) -> None:
    rid, made = granted
    read_grant(agency.desk, rid, [], PURPOSE)
    told = json.dumps(
        [
            caller.get(f"verification/consent-record/{rid}/"),
            caller.get("verification/consent-records/"),
            caller.get("individual/record/consent-record/", X_ConsentBB_IndividualId=rid),
        ]
    )
    terms = made.sealed.terms
    for secret in (
        "1234AB",
        "Voorbeeldstraat",
        terms.tag_key,
        made.sealed.opening_key,
        PURPOSE.officer,
        PURPOSE.case,
    ):
        assert secret not in told
    assert terms.tag_key in canonical_bytes(terms).decode()


@pytest.mark.parametrize(
    "path",
    [
        f"data-agreement/{AGREEMENT}/",
        f"policy/{AGREEMENT}/",
        "verification/data-agreements/",
        "verification/consent-records/",
        f"verification/consent-record/{'0' * 32}/",
        "individual/record/consent-record/",
        f"individual/record/data-agreement/{AGREEMENT}/",
    ],
)
def test_stranger_reads_nothing(caller: Caller, path: str) -> None:
    assert caller.get(path, status=401, token="A" * 43)["code"] == "unauthorized"


def test_unknown_and_bad_requests_are_refused(
    agency: Agency, caller: Caller, granted: tuple[str, Granted]
) -> None:
    rid = granted[0]
    assert caller.get(f"verification/consent-record/{'0' * 32}/", status=404)["code"] == "unknown_grant"
    assert caller.get("individual/record/consent-record/", status=400)["code"] == "no_individual"
    path = "individual/record/data-agreement/other@1/"
    assert caller.get(path, status=404, X_ConsentBB_IndividualId=rid)["code"] == "unknown_grant"
    for query in ("offset=x", "offset=-1", "limit=0", "limit=101"):
        assert caller.get(f"verification/consent-records/?{query}", status=400)["code"] == "bad_page"
    assert caller.get("verification/consent-records/?offset=1")["consentRecords"] == []
    for method in ("post", "put", "delete"):
        answer = getattr(caller.client, method)(
            f"/service/individual/record/data-agreement/{AGREEMENT}/",
            headers={"Authorization": f"Bearer {caller.token}"},
        )
        assert answer.status_code == 405


def test_api_is_there_only_where_the_home_has_a_token(
    agency: Agency, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    without: WsgiApp = front.create(agency.home.path)
    assert not isinstance(without, Front)
    monkeypatch.setattr(cli_export, "Desk", lambda home: Desk(home, agency.desk.parts))
    told = run("govstack-token")
    assert told["url"].endswith("/govstack")
    assert isinstance(front.create(agency.home.path), Front)
    assert agency.home.file(govstack_web.TOKEN).stat().st_mode & 0o777 == 0o600
    assert run("govstack-token")["token"] != told["token"]
