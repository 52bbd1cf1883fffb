"""The registrar's server: what it says is signed, can be checked by anybody, and cannot be changed through it."""

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.client_attestation import sign_attestation_pop, verify_client_attestation
from protocol.errors import Rejected
from protocol.keys import parse_jwk
from protocol.registration_certificate import is_registered, verify_registration_certificate
from protocol.status_list import verify_status_token
from protocol.trust_list import verify_trust_list
from protocol.wallet_attestation import ATTESTATIONS_PATH, sign_wallet_key
from protocol.x509 import parse_der_base64
from registrar.certify import RENEW, TERM
from registrar.draft import new_draft
from registrar.published import Published
from registrar.register import add_agency, add_service
from registrar.store import RegistrarStore
from service.home import Home
from tests.protocol import builders as b
from tests.protocol.builders import DAY, NOW
from tests.registrar.open_registrar import SECOND_ID, URL, USE, OpenRegistrar, claims_of, refused


@pytest.fixture
def registrar(tmp_path: Path) -> OpenRegistrar:
    return OpenRegistrar(tmp_path)


@pytest.fixture
def signed(registrar: OpenRegistrar) -> OpenRegistrar:
    registrar.sign()
    return registrar


def roots_of(registrar: OpenRegistrar) -> list[bytes]:
    published = registrar.store.published()
    assert published is not None
    return [parse_der_base64(root) for root in published.registration_roots]


# The trust list.


def test_list_is_served_as_it_was_signed(signed: OpenRegistrar) -> None:
    answer = signed.client().get("/v1/trust-list")
    assert answer.status_code == 200
    assert answer.mimetype == "application/jwt"
    trust = verify_trust_list(answer.text, parse_jwk(signed.jwk()), NOW)
    assert trust == signed.store.published()
    assert trust.wallet_provider(URL).name == "Registrar van Voorbeeldland"
    assert len(trust.registration_roots) == 1
    assert trust.registration_roots != trust.wallet_provider(URL).roots


def test_new_list_is_served_at_once(signed: OpenRegistrar) -> None:
    client = signed.client()
    before = client.get("/v1/trust-list").text
    signed.add_second()
    assert client.get("/v1/trust-list").text == before
    assert signed.statement(client.get("/v1/wrp"))["data"][-1]["tradeName"] != "Waterschap"
    signed.sign()
    assert verify_trust_list(client.get("/v1/trust-list").text, parse_jwk(signed.jwk()), NOW).version == 2
    assert len(signed.statement(client.get("/v1/wrp"))["data"]) == 2


def test_nothing_is_served_before_a_list_is_signed(registrar: OpenRegistrar) -> None:
    client = registrar.client()
    for path in ("/v1/trust-list", "/v1/wrp", f"/v1/wrp/{b.AGENCY_ID}", "/healthz"):
        refused(client.get(path), 503, "no_list")


def test_register_is_silent_when_its_list_has_expired_and_the_list_is_still_shown(signed: OpenRegistrar) -> None:
    signed.clock.time = NOW + 30 * DAY
    client = signed.client()
    for path in ("/v1/wrp", f"/v1/wrp/{b.AGENCY_ID}", "/healthz"):
        refused(client.get(path), 503, "expired_trust_list")
    assert client.get("/v1/trust-list").status_code == 200
    signed.sign()
    assert client.get("/healthz").get_json()["version"] == 2


def test_server_needs_neither_the_key_of_the_list_nor_the_roots_nor_the_draft(signed: OpenRegistrar) -> None:
    for name in ("registrar-key.pem", "draft.json", "registration-root-key.pem", "wallets-root-key.pem"):
        signed.home.remove(name)
    client = signed.client()
    for path in ("/v1/trust-list", "/v1/wrp", "/v1/status-lists/1", f"/v1/registration-certificates/{USE}"):
        assert client.get(path).status_code == 200, path
    assert attest(signed, client=client).status_code == 201


def test_registrar_without_an_address_serves_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "quiet")
    RegistrarStore(home).create(new_draft("R"))
    with pytest.raises(Rejected) as caught:
        Published(home)
    assert caught.value.code == "not_published"


@pytest.mark.parametrize("damage", ["", "a.b.c", "é", "x" * 100])
def test_damaged_list_is_not_served(signed: OpenRegistrar, damage: str) -> None:
    signed.home.write_public("trust-list.jwt", damage.encode())
    refused(signed.client().get("/v1/trust-list"), 503, "no_list")


# The register.


def test_relying_party_is_shown_with_services_purposes_and_attributes(signed: OpenRegistrar) -> None:
    response = signed.client().get(f"/v1/wrp/{b.AGENCY_ID}")
    assert response.headers["x-jku-url"] == f"{URL}/v1/jwks"
    party = signed.statement(response)["data"]
    assert party["identifier"] == [{"type": "urn:regie:nl:oin", "identifier": b.AGENCY_ID}]
    assert party["legalPerson"] == {"legalName": ["Gemeente Voorbeeld"]}
    assert party["isPSB"] is True
    assert party["registryURI"] == f"{URL}/v1"
    assert party["supervisoryAuthority"]["country"] == "NL"
    (service,) = party["walletRelyingPartyService"]
    assert service["serviceIdentifier"] == b.SERVICE_ID
    assert service["entitlements"] == ["https://uri.etsi.org/19475/Entitlement/Service_Provider"]
    (use,) = service["intendedUse"]
    assert use["intendedUseIdentifier"] == USE
    assert use["createdAt"] == "2026-11-22"
    assert {"lang": "en", "content": b.service().purpose.en} in use["purpose"]
    by_type = {entry["meta"]["vct_values"][0]: entry for entry in use["credentials"]}
    assert {"path": ["postcode"]} in by_type[b.ADRES]["claims"]
    assert all(entry["format"] == "dc+sd-jwt" for entry in by_type.values())


def test_keys_of_the_register_are_served(signed: OpenRegistrar) -> None:
    (key,) = signed.client().get("/v1/jwks").get_json()["keys"]
    assert "d" not in key
    assert parse_jwk({name: key[name] for name in ("kty", "crv", "x", "y")})
    assert Published(signed.home).registrations(NOW).x5c == key["x5c"]


def data(registrar: OpenRegistrar, **query: str) -> list[str]:
    found = registrar.statement(registrar.client().get("/v1/wrp", query_string=query))
    return [party["identifier"][0]["identifier"] for party in found["data"]]


@pytest.fixture
def two(registrar: OpenRegistrar) -> OpenRegistrar:
    registrar.add_second()
    registrar.sign()
    return registrar


@pytest.fixture(scope="module")
def readable(tmp_path_factory: pytest.TempPathFactory) -> OpenRegistrar:
    """Two agencies, for tests that only read."""
    made = OpenRegistrar(tmp_path_factory.mktemp("readable"))
    made.add_second()
    made.sign()
    return made


BOTH = [b.AGENCY_ID, SECOND_ID]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, BOTH),
        ({"identifier": SECOND_ID}, [SECOND_ID]),
        ({"identifier": "1"}, []),
        ({"legalname": "waterSCHAP"}, [SECOND_ID]),
        ({"tradename": "gemeente"}, [b.AGENCY_ID]),
        ({"legalname": "gemeente", "identifier": SECOND_ID}, []),
        ({"serviceidentifier": "heffing"}, [SECOND_ID]),
        ({"intendeduseidentifier": USE}, [b.AGENCY_ID]),
        ({"policy": "https://agency.voorbeeld.example/privacy"}, BOTH),
        ({"policy": "https://other.example"}, []),
        ({"entitlement": "https://uri.etsi.org/19475/Entitlement/Service_Provider"}, BOTH),
        ({"entitlement": "https://uri.etsi.org/19475/Entitlement/PID_Provider"}, []),
        ({"credentialformat": "dc+sd-jwt"}, BOTH),
        ({"credentialformat": "mso_mdoc"}, []),
        ({"credentialmeta": b.ADRES, "claimpath": "postcode"}, BOTH),
        ({"credentialmeta": b.PERSOON, "claimpath": "postcode"}, []),
        ({"claimpath": '["postcode"]'}, BOTH),
        ({"claimpath": '["postcode", null]'}, []),
        ({"claimpath": "burgerservicenummer"}, []),
        ({"isintermediary": "false"}, BOTH),
        ({"isintermediary": "true"}, []),
        ({"usesintermediary": "x"}, []),
        ({"providesattestation": b.ADRES}, []),
    ],
)
def test_relying_parties_are_looked_up(readable: OpenRegistrar, query: dict[str, str], found: list[str]) -> None:
    assert data(readable, **query) == found


def test_service_is_shown_alone_when_asked(two: OpenRegistrar) -> None:
    def extra(draft: Any) -> Any:
        return add_service(draft, SECOND_ID, b.service(id="tweede"))

    two.store.change(extra)
    two.sign()
    client = two.client()
    whole = two.statement(client.get(f"/v1/wrp/{SECOND_ID}"))["data"]
    assert [s["serviceIdentifier"] for s in whole["walletRelyingPartyService"]] == ["heffing", "tweede"]
    for path in (
        f"/v1/wrp/{SECOND_ID}/services/tweede",
        "/v1/wrp?serviceidentifier=tweede&isolateService=true",
    ):
        found = two.statement(client.get(path))["data"]
        (party,) = found if isinstance(found, list) else [found]
        assert [s["serviceIdentifier"] for s in party["walletRelyingPartyService"]] == ["tweede"]


def test_pages_follow_one_another_and_hold_everybody_once(registrar: OpenRegistrar) -> None:
    ids = [f"0000009900000000{number:04d}" for number in range(7)]
    for number, oin in enumerate(ids):
        party = b.party(f"agency {number}", san_dns=f"a{number}.example")
        entry = b.agency(id=oin, name=f"Agency {number}", roots=party.roots, services=[])
        registrar.store.change(lambda draft, entry=entry: _add(draft, entry))
    registrar.sign()
    client = registrar.client()
    seen: list[str] = []
    query: dict[str, Any] = {"limit": "3"}
    while True:
        page = registrar.statement(client.get("/v1/wrp", query_string=query))
        seen += [party["identifier"][0]["identifier"] for party in page["data"]]
        if not page["pagination"]["has_next_page"]:
            break
        query["cursor"] = page["pagination"]["next_cursor"]
    assert seen == sorted([*ids, b.AGENCY_ID])


def _add(draft: Any, entry: Any) -> Any:
    return add_agency(draft, entry, NOW)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("name=x", "unknown_filter"),
        ("limit=0", "bad_filter"),
        ("limit=101", "bad_filter"),
        ("limit=-1", "bad_filter"),
        ("limit=%C2%B2", "bad_filter"),
        ("isintermediary=yes", "bad_filter"),
        ("isolateService=1", "bad_filter"),
        ("claimpath=%5B", "bad_filter"),
        ("claimpath=" + "%5B" * 40, "bad_filter"),
        ("identifier=" + "x" * 513, "bad_filter"),
        ("cursor=AAAA", "bad_cursor"),
        ("cursor=%00", "bad_cursor"),
        ("cursor=", "bad_cursor"),
        ("identifier=1&identifier=2", "duplicate_key"),
    ],
)
def test_filter_that_is_none_is_refused(readable: OpenRegistrar, query: str, code: str) -> None:
    refused(readable.client().get(f"/v1/wrp?{query}"), 400, code)


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ({}, True),
        ({"credentialmeta": b.ADRES, "claimpath": "postcode"}, True),
        ({"credentialmeta": b.PERSOON, "claimpath": "postcode"}, False),
        ({"intendeduseidentifier": USE, "credentialformat": "dc+sd-jwt"}, True),
        ({"intendeduseidentifier": f"{USE}0"}, False),
        ({"policyurl": "https://agency.voorbeeld.example/privacy"}, True),
        ({"serviceidentifier": "other"}, False),
    ],
)
def test_wallet_learns_whether_something_is_registered(
    readable: OpenRegistrar, query: dict[str, str], answer: bool
) -> None:
    asked = {"identifier": b.AGENCY_ID, **query}
    found = readable.statement(readable.client().get("/v1/wrp/check-intended-use", query_string=asked))
    assert found["data"]["isRegistered"] is answer


def test_unknown_parties_services_and_uses_are_not_found(readable: OpenRegistrar) -> None:
    client = readable.client()
    for path in (
        "/v1/wrp/00000099000000009999",
        "/v1/wrp/nobody",
        f"/v1/wrp/{b.AGENCY_ID}/services/none",
        "/v1/wrp/check-intended-use?identifier=00000099000000009999",
        "/v1/registration-certificates/none",
    ):
        refused(client.get(path), 404, "not_listed")
    refused(client.get("/v1/wrp/check-intended-use"), 400, "bad_filter")


@pytest.mark.parametrize("method", ["put", "post", "patch", "delete"])
def test_nobody_can_change_the_register_through_the_server(readable: OpenRegistrar, method: str) -> None:
    before = {path.name: path.read_bytes() for path in readable.home.path.iterdir()}
    client = readable.client()
    for path in ("/v1/wrp", f"/v1/wrp/{b.AGENCY_ID}", "/v1/trust-list", f"/v1/registration-certificates/{USE}"):
        assert getattr(client, method)(path, json={}).status_code == 405
    assert {path.name: path.read_bytes() for path in readable.home.path.iterdir()} == before


# Registration certificates.


def certificate(registrar: OpenRegistrar, use: str = USE) -> str:
    answer = registrar.client().get(f"/v1/registration-certificates/{use}")
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "application/jwt"
    return answer.text


def status(registrar: OpenRegistrar, token: str) -> int:
    """Of this certificate, by the list that it names."""
    reference = claims_of(token)["status"]["status_list"]
    assert reference["uri"] == f"{URL}/v1/status-lists/1"
    answer = registrar.client().get("/v1/status-lists/1")
    assert answer.mimetype == "application/statuslist+jwt"
    now = registrar.clock.now()
    listed = verify_status_token(answer.text, uri=reference["uri"], roots=roots_of(registrar), now=now)
    return listed.status(reference["idx"])


def test_certificate_says_what_the_list_says(signed: OpenRegistrar) -> None:
    token = certificate(signed)
    found = verify_registration_certificate(token, roots=roots_of(signed), asker=[b.AGENCY_ID], now=NOW)
    assert found.sub == b.AGENCY_ID
    assert found.purpose == {"nl": b.service().purpose.nl, "en": b.service().purpose.en}
    assert is_registered(found, b.ADRES, ["postcode"])
    assert not is_registered(found, b.ADRES, ["straat"])
    assert found.exp == NOW + TERM
    assert status(signed, token) == 0


def test_certificate_is_kept_while_nothing_changes_and_renewed_in_time(signed: OpenRegistrar) -> None:
    first = certificate(signed)
    signed.clock.time = NOW + TERM - RENEW - 1
    signed.sign()
    assert certificate(signed) == first
    signed.clock.time = NOW + TERM - RENEW
    signed.sign()
    second = certificate(signed)
    assert claims_of(second)["exp"] == signed.clock.time + TERM
    assert status(signed, first) == status(signed, second) == 0
    assert claims_of(first)["status"] != claims_of(second)["status"]
    party = signed.statement(signed.client().get(f"/v1/wrp/{b.AGENCY_ID}"), signed.clock.time)["data"]
    assert party["walletRelyingPartyService"][0]["intendedUse"][0]["createdAt"] == "2026-11-22"


def test_moved_registrar_issues_anew_so_that_no_certificate_names_the_place_that_is_gone(
    signed: OpenRegistrar,
) -> None:
    first = certificate(signed)
    signed.store.publish_at("https://new.voorbeeld.example", NOW)
    signed.sign()
    second = certificate(signed)
    assert claims_of(second)["status"]["status_list"]["uri"].startswith("https://new.voorbeeld.example/")
    assert all(entry.revoked is None for entry in signed.store.book().certificates), first
    signed.sign()
    assert certificate(signed) == second


def test_certificate_of_a_removed_agency_is_revoked_for_ever(signed: OpenRegistrar) -> None:
    token = certificate(signed)
    signed.remove()
    signed.sign()
    assert status(signed, token) == 1
    refused(signed.client().get(f"/v1/registration-certificates/{USE}"), 404, "not_listed")
    signed.store.change(lambda draft: _add(draft, b.agency()))
    signed.sign()
    again = certificate(signed)
    assert again != token
    assert status(signed, token) == 1
    assert status(signed, again) == 0


def test_certificate_with_an_old_name_is_revoked(signed: OpenRegistrar) -> None:
    token = certificate(signed)
    signed.store.change(lambda draft: _add(draft, b.agency(name="Gemeente Nieuwe Naam")))
    signed.sign()
    assert status(signed, token) == 1
    assert claims_of(certificate(signed))["name"] == "Gemeente Nieuwe Naam"


def test_each_version_of_a_service_has_a_certificate(signed: OpenRegistrar) -> None:
    signed.store.change(lambda draft: add_service(draft, b.AGENCY_ID, b.service(version=2, retention="P2Y")))
    signed.sign()
    first, second = certificate(signed), certificate(signed, f"{b.AGENCY_ID}:{b.SERVICE_ID}:2")
    assert claims_of(first)["intended_use_id"] == USE
    assert claims_of(second)["jti"].endswith(":2")
    assert status(signed, first) == status(signed, second) == 0


def test_expired_certificate_is_not_served_and_keeps_its_position(signed: OpenRegistrar) -> None:
    token = certificate(signed)
    signed.clock.time = NOW + TERM
    refused(signed.client().get(f"/v1/registration-certificates/{USE}"), 404, "not_listed")
    signed.sign()
    book = signed.store.book()
    assert (book.first, len(book.certificates)) == (1, 1)
    assert claims_of(certificate(signed))["status"]["status_list"]["idx"] == 1
    with pytest.raises(Rejected) as caught:
        verify_registration_certificate(token, roots=roots_of(signed), asker=[b.AGENCY_ID], now=signed.clock.now())
    assert caught.value.code == "expired_registration"


def test_crash_between_certificates_and_list_loses_nothing(
    signed: OpenRegistrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = certificate(signed)
    signed.remove()
    write = type(signed.home).write_public

    def crash(home: Any, name: str, value: bytes) -> Any:
        if name == "trust-list.jwt":
            raise OSError("power cut")
        return write(home, name, value)

    with monkeypatch.context() as patch:
        patch.setattr(type(signed.home), "write_public", crash)
        with pytest.raises(OSError, match="power cut"):
            signed.sign()
    assert status(signed, token) == 1
    trust = signed.sign()
    assert trust.version == 3
    assert trust.agencies == []
    assert status(signed, token) == 1


# Wallet attestations.


def attest(registrar: OpenRegistrar, body: Any = None, client: Any = None) -> Any:
    proof = sign_wallet_key(b.HOLDER, provider=URL, iat=registrar.clock.now())
    return (client or registrar.client()).post(ATTESTATIONS_PATH, json=body or {"proof": proof})


def test_issuer_believes_an_attested_wallet(signed: OpenRegistrar) -> None:
    answer = attest(signed)
    assert answer.status_code == 201
    made = answer.get_json()
    trust = signed.store.published()
    assert trust is not None
    pop = sign_attestation_pop(
        b.HOLDER, client_id=made["client_id"], audience="https://issuer.example", iat=NOW, jti="1"
    )
    client = verify_client_attestation(
        made["attestation"], pop, trust=trust, audience="https://issuer.example", now=NOW
    )
    assert client.client_id == "regie-wallet"
    assert client.key == b.HOLDER.public
    assert client.provider.id == URL


def test_attestation_names_no_wallet_and_is_short_lived(signed: OpenRegistrar) -> None:
    claims = claims_of(attest(signed).get_json()["attestation"])
    assert set(claims) == {"iss", "sub", "iat", "exp", "cnf"}
    assert claims["sub"] == "regie-wallet"
    assert claims["exp"] - claims["iat"] == 3600


def test_key_that_nobody_proves_to_hold_is_not_attested(signed: OpenRegistrar) -> None:
    good = sign_wallet_key(b.HOLDER, provider=URL, iat=NOW)
    other = sign_wallet_key(b.HOLDER, provider="https://other.example", iat=NOW)
    old = sign_wallet_key(b.HOLDER, provider=URL, iat=NOW - 301)
    head, payload, signature = good.split(".")
    for proof, code in (
        (other, "wrong_audience"),
        (old, "expired_proof"),
        (f"{head}.{payload}.{'A' * len(signature)}", "bad_signature"),
        (f"{head}.{payload}.", "bad_signature"),
        ("x", "bad_jws"),
    ):
        refused(attest(signed, {"proof": proof}), 400, code)
    refused(attest(signed, {"proof": good, "more": 1}), 400, "bad_form")
    refused(signed.client().post(ATTESTATIONS_PATH, data=good), 415, "bad_media_type")


def test_wallet_root_signs_no_registration_certificate_and_the_other_way_round(signed: OpenRegistrar) -> None:
    """A leaf of one part of the registrar counts for nothing in the other."""
    trust = signed.store.published()
    assert trust is not None
    token = certificate(signed)
    wallet_roots = list(trust.wallet_provider(URL).root_certificates)
    with pytest.raises(Rejected) as caught:
        verify_registration_certificate(token, roots=wallet_roots, asker=[b.AGENCY_ID], now=NOW)
    assert caught.value.code == "untrusted_chain"


def test_log_of_the_server_holds_no_key_and_no_proof(
    signed: OpenRegistrar, capsys: pytest.CaptureFixture[str]
) -> None:
    assert attest(signed).status_code == 201
    said = "".join(capsys.readouterr())
    assert b.HOLDER.public.thumbprint() not in said
    assert b.HOLDER.public.jwk()["x"] not in said
    assert json.loads(said.splitlines()[-1])["route"] == ATTESTATIONS_PATH
