"""What an agency asks: only what a service of the trust list registers, and nothing that a wallet must refuse."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from protocol.canonical import b64u_decode
from protocol.case_reference import MAX_CASE_CHARACTERS
from protocol.errors import Rejected, Unavailable
from protocol.reading import verify_ticket
from protocol.terms import Context, salted_hash
from tests.protocol import builders
from tests.protocol.builders import ADRES, AGENCY_ID, DAY, LOG_ORIGIN, LOG_URL, NOW, PERSOON
from tests.verifier.agency import Agency, Wallet, service_of
from verifier.ask import REQUEST_SECONDS
from verifier.requests import MAX_OBJECTS


def refused(agency: Agency, code: str, **wish: Any) -> None:
    before = agency.stored()
    with pytest.raises(Rejected) as info:
        agency.ask(**wish)
    assert info.value.code == code
    assert agency.stored() == before


def test_agency_asks_all_that_the_service_registers_and_the_flags(agency: Agency, wallet: Wallet) -> None:
    request = wallet.open(agency, agency.ask()[1])
    consent = request.consent
    assert consent is not None
    asked = [(claim.credential, claim.path[0], claim.needed) for claim in consent.claims]
    flags = [(name, flag, name == "adres") for name in ("adres", "persoon") for flag in builders.flags(ADRES)]
    assert asked[:3] == [
        ("adres", "postcode", True), ("adres", "huisnummer", False), ("persoon", "geslachtsnaam", False),
    ]  # fmt: skip
    assert sorted(asked[3:]) == sorted(flags)
    assert (consent.recipient, consent.service, consent.service_version) == (AGENCY_ID, builders.SERVICE_ID, 1)
    assert (consent.log.origin, consent.log.url) == (LOG_ORIGIN, LOG_URL)
    assert consent.max_not_after == NOW + 365 * DAY
    assert (consent.retention, consent.mode) == ("P1Y", "store")
    assert (consent.max_reads, consent.case, consent.context) == (None, None, None)
    assert consent.credential_ids == ["adres"]
    assert all(item.claims is UNSET for item in request.query.credentials)
    assert request.exp == NOW + REQUEST_SECONDS


def test_id_of_a_request_is_never_taken_for_an_option_of_a_command(agency: Agency) -> None:
    draw = agency.random
    agency.random = lambda size: b"\xfb" * size if size == 16 else draw(size)  # base64url of this begins with -
    agency.start()
    rid, link = agency.ask()
    assert rid.isalnum()
    assert rid in link


def test_flags_of_an_optional_credential_are_not_needed_so_that_it_can_be_left_out(
    agency: Agency, wallet: Wallet
) -> None:
    services = [service_of("adres.postcode", "persoon.geslachtsnaam")]
    agency.enlist(builders.trust_list(version=2, agencies=[builders.agency(services=services)]))
    wallet.trust = agency.trust
    consent = wallet.open(agency, agency.ask()[1]).consent
    assert consent is not None
    needed = {(claim.credential, claim.path[0]) for claim in consent.claims if claim.needed}
    assert needed == {("adres", "postcode"), *(("adres", flag) for flag in builders.flags(ADRES))}


def test_signing_credential_is_one_that_cannot_be_left_out(agency: Agency, wallet: Wallet) -> None:
    claims = [*service_of("persoon.geslachtsnaam").claims, *service_of("adres.postcode").claims]
    optional = [builders.ServiceClaim(vct=PERSOON, path=["geslachtsnaam"], needed=False), claims[1]]
    services = [builders.service(claims=optional)]
    agency.enlist(builders.trust_list(version=2, agencies=[builders.agency(services=services)]))
    wallet.trust = agency.trust
    consent = wallet.open(agency, agency.ask()[1]).consent
    assert consent is not None
    assert consent.credential_ids == ["adres"]


def test_ticket_lets_one_grant_into_the_log_for_as_long_as_the_request_lives(
    agency: Agency, wallet: Wallet
) -> None:
    request = wallet.open(agency, agency.ask()[1])
    granted = wallet.grant(request)
    assert request.consent is not None
    ticket = verify_ticket(request.consent.ticket, builders.agency(), granted.sealed.terms, NOW).ticket
    assert ticket.exp == request.exp
    other = wallet.open(agency, agency.ask()[1])
    assert other.consent is not None
    assert (
        verify_ticket(other.consent.ticket, builders.agency(), granted.sealed.terms, NOW).ticket.jti != ticket.jti
    )


def test_desk_narrows_term_reads_case_and_context(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(
        case="Z-1", max_reads=3, days=10, context=Context(days=[1, 2], hours=[8, 18], zone="office")
    )
    consent = wallet.open(agency, link).consent
    assert consent is not None
    assert consent.max_not_after == NOW + 10 * DAY
    assert consent.max_reads == 3
    assert consent.context == Context(days=[1, 2], hours=[8, 18], zone="office")
    salt = agency.desk.store.requests.get(rid).request.case_salt
    assert salt is not None
    assert consent.case == salted_hash(salt, "Z-1")
    assert b"Z-1" not in json.dumps(link).encode()


def test_term_is_never_longer_than_registered(agency: Agency, wallet: Wallet) -> None:
    consent = wallet.open(agency, agency.ask(days=4000)[1]).consent
    assert consent is not None
    assert consent.max_not_after == NOW + 365 * DAY


def test_case_number_is_not_in_the_request_and_not_in_the_store(agency: Agency) -> None:
    _, link = agency.ask(case="ZAAK-CANARY-77")
    token = agency.web.get(link.rpartition("%2F")[2].join(["/requests/", ""]).split("&")[0]).text
    assert b"CANARY" not in token.encode()
    assert b"CANARY" not in b"".join(b64u_decode(part) for part in token.split(".")[:2])
    assert b"CANARY" not in agency.files()


def test_copy_asks_the_registered_claims_by_query(agency: Agency, wallet: Wallet) -> None:
    request = wallet.open(agency, agency.ask(once=True)[1])
    assert request.consent is None
    asked = {item.id: [claim.path[0] for claim in item.claims or ()] for item in request.query.credentials}
    assert asked["adres"][:2] == ["postcode", "huisnummer"]
    assert set(asked["adres"][2:]) == set(builders.flags(ADRES))
    assert set(asked["persoon"]) == {"geslachtsnaam", *builders.flags(PERSOON)}


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"service": "onbekend"}, "not_listed"),
        ({"service": f"{builders.SERVICE_ID}@2"}, "not_listed"),
        ({"case": ""}, "bad_wish"),
        ({"case": "x" * (MAX_CASE_CHARACTERS + 1)}, "bad_wish"),
        ({"max_reads": 0}, "bad_wish"),
        ({"days": 0}, "bad_wish"),
        ({"once": True, "days": 5}, "bad_wish"),
        ({"once": True, "max_reads": 5}, "bad_wish"),
        ({"once": True, "context": Context(zone="office")}, "bad_wish"),
        ({"max_reads": 10**6 + 1}, "bad_form"),
    ],
)
def test_desk_refuses_wish(agency: Agency, wish: dict[str, Any], code: str) -> None:
    refused(agency, code, **wish)


def test_longest_case_number_is_taken(agency: Agency) -> None:
    agency.ask(case="x" * MAX_CASE_CHARACTERS)
    agency.ask(service=f"{builders.SERVICE_ID}@1")


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize(("allowed", "law"), [(False, "Wabb artikel 10"), (True, None)])
def test_agency_alone_does_not_send_a_request_for_a_bsn_that_no_law_allows(
    agency: Agency, once: bool, allowed: bool, law: str | None
) -> None:
    service = msgspec.structs.replace(service_of("persoon.burgerservicenummer"), bsn_law=law)
    listed = builders.agency(services=[service], bsn_allowed=allowed)
    agency.enlist(builders.trust_list(version=2, agencies=[listed]))
    refused(agency, "over_asking", once=once)


def test_agency_asks_the_bsn_where_the_service_names_the_law(agency: Agency) -> None:
    service = msgspec.structs.replace(service_of("persoon.burgerservicenummer"), bsn_law="Wabb artikel 10")
    agency.enlist(builders.trust_list(version=2, agencies=[builders.agency(services=[service])]))
    agency.ask()
    agency.ask(once=True)


def test_newest_version_of_a_service_is_asked(agency: Agency, wallet: Wallet) -> None:
    services = [builders.service(), service_of("adres.postcode", version=2)]
    agency.enlist(builders.trust_list(version=2, agencies=[builders.agency(services=services)]))
    wallet.trust = agency.trust
    consent = wallet.open(agency, agency.ask()[1]).consent
    assert consent is not None
    assert consent.service_version == 2


def test_agency_that_is_not_listed_asks_nothing(tmp_path: Path) -> None:
    agency = Agency(tmp_path, trust=builders.trust_list(agencies=[]))
    refused(agency, "not_listed")


def test_agency_with_another_root_than_listed_asks_nothing(tmp_path: Path) -> None:
    """A wallet would refuse the request, so it is not sent."""
    agency = Agency(tmp_path, trust=builders.trust_list(agencies=[builders.agency(roots=builders.STRANGER.roots)]))
    refused(agency, "not_listed")


def test_agency_without_a_listed_log_asks_nothing(tmp_path: Path) -> None:
    refused(Agency(tmp_path, log="other.example/2026"), "not_listed")


def test_without_a_trust_list_in_force_nothing_is_asked(agency: Agency) -> None:
    agency.clock.time = builders.TRUST.exp
    with pytest.raises(Unavailable, match="trust_list"):
        agency.ask()


def test_request_that_has_ended_is_not_served(agency: Agency) -> None:
    rid, _ = agency.ask()
    agency.clock.time += REQUEST_SECONDS - 1
    assert agency.web.get(f"/requests/{rid}").status_code == 200
    agency.clock.time += 1
    assert agency.web.get(f"/requests/{rid}").status_code == 410
    assert agency.web.get("/requests/none").status_code == 404


def test_one_request_is_signed_for_a_bounded_number_of_wallet_nonces(agency: Agency) -> None:
    rid, _ = agency.ask()
    for number in range(MAX_OBJECTS - 1):
        assert agency.web.post(f"/requests/{rid}", data={"wallet_nonce": f"n{number}"}).status_code == 200
    assert agency.web.post(f"/requests/{rid}", data={"wallet_nonce": "one more"}).status_code == 429
    assert agency.web.post(f"/requests/{rid}", data={"wallet_nonce": "n3"}).status_code == 200
    assert agency.web.get(f"/requests/{rid}").status_code == 200


def test_request_that_was_answered_is_not_served_again(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask()
    granted = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, granted.form()).status_code == 200
    assert agency.web.get(f"/requests/{rid}").status_code == 410


@pytest.mark.parametrize("policy", ["", "quorum nobody\n", "garbage"])
def test_log_without_a_policy_that_can_be_met_is_not_relied_on(
    agency: Agency, wallet: Wallet, policy: str
) -> None:
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link))
    log = builders.TRUST.logs[0]
    agency.enlist(builders.trust_list(version=2, logs=[msgspec.structs.replace(log, policy=policy)]))
    before = agency.stored()
    answer = agency.post(rid, made.form())
    assert (answer.status_code, answer.get_json()["code"]) == (503, "log_policy")
    assert agency.stored() == before


def test_agency_asks_for_nothing_in_a_log_that_is_closed(agency: Agency) -> None:
    (log,) = agency.trust.logs
    for until, code in ((NOW + 1, None), (NOW, "log_closed")):
        closed = msgspec.structs.replace(log, until=until)
        version = agency.trust.version + 1
        agency.enlist(msgspec.structs.replace(agency.trust, version=version, logs=[closed]))
        before = len(agency.desk.store.requests.all())
        if code is None:
            agency.ask()
            continue
        with pytest.raises(Rejected) as refused:
            agency.ask()
        assert refused.value.code == code
        assert len(agency.desk.store.requests.all()) == before
