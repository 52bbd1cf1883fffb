"""The endpoints (OpenID4VCI 1.0 sections 4 to 12), read by a wallet of their own."""

import json
import zlib
from pathlib import Path

import pytest

from issuer.issue import CREDENTIAL_DAYS, DAY
from issuer.nonce import NONCE_SECONDS
from issuer.offer import BRP_CREDENTIALS, OFFER_SECONDS, TOKEN_SECONDS
from issuer.revoke import LIFETIME, TTL
from protocol import x509
from protocol.attributes import CREDENTIAL_TYPES
from protocol.credential import verify_credential
from protocol.issuer_metadata import BATCH_SIZE
from protocol.status_list import verify_status_token
from tests.issuer.desk import KARIM, NOOR, PRE_AUTHORIZED, URL, Desk, HolderKey, jwt_parts, open_desk, unb64u

JSON = "application/json"


# ---- 1: offer


def test_offer_is_found_at_its_address_until_it_is_used(desk: Desk) -> None:
    made, tx_code = desk.office.offer(NOOR, ("persoon", "adres"))
    answer = desk.client.get(f"/offers/{made.id}")
    assert (answer.status_code, answer.mimetype) == (200, JSON)
    assert answer.headers["Cache-Control"] == "no-store"
    offer = answer.json
    assert offer["credential_issuer"] == URL
    assert offer["credential_configuration_ids"] == ["persoon", "adres"]
    grant = offer["grants"][PRE_AUTHORIZED]
    assert set(grant) == {"pre-authorized_code", "tx_code"}
    assert grant["tx_code"]["length"] == 8
    assert len(grant["tx_code"]["description"]) <= 300
    assert desk.post_token(grant["pre-authorized_code"], tx_code).status_code == 200
    assert desk.client.get(f"/offers/{made.id}").status_code == 404


def test_offer_is_gone_when_it_is_over(desk: Desk) -> None:
    made, _ = desk.office.offer(NOOR, ("persoon",))
    desk.clock.time += OFFER_SECONDS
    assert desk.client.get(f"/offers/{made.id}").status_code == 404
    for name in ("unknown", "%00", made.id.upper(), f"{made.id}%20", "a" * 5000):
        assert desk.client.get(f"/offers/{name}").status_code == 404


# ---- 2, 3: metadata


def test_issuer_metadata(desk: Desk) -> None:
    answer = desk.client.get("/.well-known/openid-credential-issuer")
    assert (answer.status_code, answer.mimetype) == (200, JSON)
    metadata = answer.json
    assert metadata["credential_issuer"] == URL
    assert metadata["batch_credential_issuance"]["batch_size"] == BATCH_SIZE
    assert list(metadata["credential_configurations_supported"]) == list(BRP_CREDENTIALS)
    for endpoint in ("credential", "nonce", "notification"):
        assert metadata[f"{endpoint}_endpoint"] == f"{URL}/{endpoint}"
        assert desk.client.post(f"/{endpoint}").status_code != 404


def test_server_metadata(desk: Desk) -> None:
    answer = desk.client.get("/.well-known/oauth-authorization-server")
    assert (answer.status_code, answer.mimetype) == (200, JSON)
    assert answer.json["issuer"] == URL
    assert answer.json["grant_types_supported"] == [PRE_AUTHORIZED, "refresh_token"]
    assert answer.json["pre-authorized_grant_anonymous_access_supported"] is True


def test_metadata_we_do_not_have_is_404_so_that_wallets_try_on(desk: Desk) -> None:
    for path in ("/.well-known/openid-configuration", "/x/.well-known/openid-credential-issuer"):
        assert desk.client.get(path).status_code == 404


def test_issuer_with_a_path_has_everything_under_it(tmp_path: Path) -> None:
    desk = open_desk(tmp_path / "issuer", url=f"{URL}/lindehaven")
    metadata = desk.client.get("/.well-known/openid-credential-issuer/lindehaven").json
    assert metadata["credential_issuer"] == desk.url
    assert desk.client.get("/.well-known/openid-credential-issuer").status_code == 404
    assert desk.client.get("/.well-known/oauth-authorization-server/lindehaven").json["issuer"] == desk.url
    assert desk.client.get("/.well-known/jwt-vc-issuer/lindehaven").json["issuer"] == desk.url
    assert desk.client.post("/lindehaven/nonce").status_code == 200
    assert desk.client.post("/nonce").status_code == 404
    assert desk.offer("persoon")[0]


# ---- 4: token


def test_token(desk: Desk) -> None:
    answer = desk.post_token(*desk.offer("persoon"))
    assert (answer.status_code, answer.mimetype) == (200, JSON)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] <= 300
    assert "c_nonce" not in answer.json


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": PRE_AUTHORIZED}, "invalid_request"),
        ({"grant_type": "password", "username": "x"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": PRE_AUTHORIZED, "pre-authorized_code": "x"}, "invalid_request"),
        ({"grant_type": PRE_AUTHORIZED, "pre-authorized_code": "x", "tx_code": "1"}, "invalid_grant"),
        ({"grant_type": [PRE_AUTHORIZED, PRE_AUTHORIZED], "pre-authorized_code": "x"}, "invalid_request"),
    ],
)
def test_token_errors(desk: Desk, form: dict[str, str], error: str) -> None:
    answer = desk.client.post("/token", data=form)
    assert (answer.status_code, answer.mimetype, answer.json["error"]) == (400, JSON, error)
    assert answer.headers["Cache-Control"] == "no-store"


def test_missing_transaction_code_is_an_invalid_request(desk: Desk) -> None:
    code, tx_code = desk.offer("persoon")
    for _ in range(9):  # and costs no try
        assert desk.post_token(code, None).json["error"] == "invalid_request"
    assert desk.post_token(code, tx_code).status_code == 200


def test_code_in_the_address_is_not_read(desk: Desk) -> None:
    code, tx_code = desk.offer("persoon")
    query = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code, "tx_code": tx_code}
    assert desk.client.post("/token", query_string=query).json["error"] == "invalid_request"
    assert desk.client.get("/token", query_string=query).status_code == 405
    assert desk.post_token(code, tx_code).status_code == 200


# ---- 5: nonce


def test_nonce(desk: Desk) -> None:
    answers = [desk.client.post("/nonce") for _ in range(3)]
    for answer in answers:
        assert (answer.status_code, answer.mimetype) == (200, JSON)
        assert answer.headers["Cache-Control"] == "no-store"
        assert set(answer.json) == {"c_nonce"}
    assert len({answer.json["c_nonce"] for answer in answers}) == 3
    assert desk.client.get("/nonce").status_code == 405


# ---- 6: credential


def test_credentials_come_in_the_order_of_the_proofs(desk: Desk) -> None:
    keys, nonce = [HolderKey() for _ in range(5)], desk.nonce()
    proofs = [key.proof(URL, nonce, desk.clock.now()) for key in keys]
    answer = desk.post_credential(desk.token("persoon"), "persoon", proofs)
    assert (answer.status_code, answer.mimetype) == (200, JSON)
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.json) == {"credentials", "notification_id"}
    for key, item in zip(keys, answer.json["credentials"], strict=True):
        assert set(item) == {"credential"}
        assert jwt_parts(item["credential"].partition("~")[0])[1]["cnf"]["jwk"] == key.jwk


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer ", "Bearer !!", "Basic YTpi", "Bearer AAAA", "bearer"])
def test_without_a_valid_token_there_is_401(desk: Desk, header: str | None) -> None:
    before = desk.rows()
    for path in ("/credential", "/notification"):
        answer = desk.client.post(path, json={}, headers={"Authorization": header} if header else {})
        assert answer.status_code == 401
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge == ('Bearer error="invalid_token"' if header else 'Bearer, DPoP algs="ES256"')
    assert desk.rows() == before


def test_token_in_the_address_is_refused(desk: Desk) -> None:
    token, proofs = desk.token("persoon"), desk.proofs(1)
    body = {"credential_configuration_id": "persoon", "proofs": {"jwt": proofs}}
    alone = desk.client.post(f"/credential?access_token={token}", json=body)
    both = desk.client.post(
        f"/credential?access_token={token}", json=body, headers={"Authorization": f"Bearer {token}"}
    )
    assert (alone.status_code, both.status_code) == (401, 401)


def test_token_ends_to_the_second(desk: Desk) -> None:
    token = desk.token("persoon")
    desk.clock.time += TOKEN_SECONDS - 1
    assert desk.fetch(token, "persoon")
    desk.clock.time += 1
    assert desk.post_credential(token, "persoon", desk.proofs(1)).status_code == 401


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "invalid_credential_request"),
        ({"credential_configuration_id": "persoon"}, "invalid_proof"),
        ({"credential_configuration_id": "persoon", "proofs": {"jwt": ["x"]}}, "invalid_proof"),
        ({"credential_configuration_id": "persoon", "proofs": {"jwt": [5]}}, "invalid_proof"),
        ({"credential_configuration_id": "woz", "proofs": {"jwt": ["x"]}}, "unknown_credential_configuration"),
        ({"credential_identifier": "x", "proofs": {"jwt": ["x"]}}, "unknown_credential_identifier"),
    ],
)
def test_credential_errors(desk: Desk, body: dict[str, object], error: str) -> None:
    answer = desk.client.post(
        "/credential", json=body, headers={"Authorization": f"Bearer {desk.token('persoon')}"}
    )
    assert (answer.status_code, answer.mimetype, answer.json["error"]) == (400, JSON, error)
    assert answer.headers["Cache-Control"] == "no-store"


def test_credential_that_was_not_offered_is_denied(desk: Desk) -> None:
    token = desk.token("persoon")
    answer = desk.post_credential(token, "adres", desk.proofs(1))
    assert (answer.status_code, answer.json["error"]) == (400, "credential_request_denied")


def test_offer_holds_one_batch_of_each_credential(desk: Desk) -> None:
    token = desk.token("persoon", "adres")
    assert len(desk.fetch(token, "persoon", BATCH_SIZE - 1)) == BATCH_SIZE - 1
    too_many = desk.post_credential(token, "persoon", desk.proofs(2))
    assert (too_many.status_code, too_many.json["error"]) == (400, "credential_request_denied")
    assert desk.fetch(token, "persoon", 1)
    assert desk.post_credential(token, "persoon", desk.proofs(1)).status_code == 400
    assert desk.fetch(token, "adres", 1)


def test_more_proofs_than_a_batch_are_refused(desk: Desk) -> None:
    before_proofs = desk.proofs(BATCH_SIZE + 1)
    token = desk.token("persoon")
    assert desk.post_credential(token, "persoon", before_proofs).json["error"] == "invalid_proof"
    assert len(desk.fetch(token, "persoon", BATCH_SIZE)) == BATCH_SIZE


def test_request_must_say_that_it_is_json(desk: Desk) -> None:
    body = {"credential_configuration_id": "persoon", "proofs": {"jwt": desk.proofs(1)}}
    answer = desk.client.post(
        "/credential",
        data=json.dumps(body),
        content_type="text/plain",
        headers={"Authorization": f"Bearer {desk.token('persoon')}"},
    )
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_credential_request")


# ---- 7: proofs (the form of one: tests/protocol/test_key_proof.py)


def test_proof_for_another_issuer_is_refused(desk: Desk) -> None:
    proof = HolderKey().proof("https://other.example", desk.nonce(), desk.clock.now())
    assert desk.post_credential(desk.token(), "persoon", [proof]).json["error"] == "invalid_proof"


def test_foreign_and_old_nonces_are_invalid(desk: Desk) -> None:
    token, nonce = desk.token(), desk.nonce()
    foreign = desk.post_credential(token, "persoon", desk.proofs(1, "made-up"))
    desk.clock.time += NONCE_SECONDS
    old = desk.post_credential(desk.token(), "persoon", desk.proofs(1, nonce))
    assert [answer.json["error"] for answer in (foreign, old)] == ["invalid_nonce", "invalid_nonce"]


# ---- 8: notification


def test_notification(desk: Desk) -> None:
    token = desk.token()
    answer = desk.post_credential(token, "persoon", desk.proofs(1))
    notice = {"notification_id": answer.json["notification_id"], "event": "credential_accepted"}
    headers = {"Authorization": f"Bearer {token}"}
    for _ in range(2):  # repeating is harmless
        assert desk.client.post("/notification", json=notice, headers=headers).status_code == 204
    unknown = desk.client.post("/notification", json={**notice, "notification_id": "x"}, headers=headers)
    assert (unknown.status_code, unknown.json["error"]) == (400, "invalid_notification_id")
    bad = desk.client.post("/notification", json={**notice, "event": "sold"}, headers=headers)
    assert (bad.status_code, bad.json["error"]) == (400, "invalid_notification_request")
    other = {"Authorization": f"Bearer {desk.token()}"}
    stranger = desk.client.post("/notification", json=notice, headers=other)
    assert stranger.json["error"] == "invalid_notification_id"


# ---- 10, 11, 12: the credential


def test_header_and_certificate(desk: Desk) -> None:
    (text,) = desk.fetch(desk.token(), "persoon")
    header, _ = jwt_parts(text.partition("~")[0])
    assert (header["alg"], header["typ"]) == ("ES256", "dc+sd-jwt")
    chain = x509.parse_x5c(header["x5c"])
    assert len(chain) == 1  # without the anchor
    root = x509.parse_der_base64(desk.entry.roots[0])
    assert chain[0] != root
    leaf = x509.verify_chain(chain, [root], desk.clock.now())
    assert leaf.san_uri == (URL,)
    assert leaf.san_dns == ("issuer.voorbeeld.example",)


def test_second_way_to_the_key(desk: Desk) -> None:
    (text,) = desk.fetch(desk.token(), "persoon")
    answer = desk.client.get("/.well-known/jwt-vc-issuer")
    assert (answer.status_code, answer.mimetype) == (200, JSON)
    assert answer.json["issuer"] == URL
    assert "jwks_uri" not in answer.json
    (key,) = answer.json["jwks"]["keys"]
    leaf = x509.verify_chain(
        x509.parse_x5c(jwt_parts(text.partition("~")[0])[0]["x5c"]),
        [x509.parse_der_base64(desk.entry.roots[0])],
        desk.clock.now(),
    )
    assert {name: key[name] for name in ("kty", "crv", "x", "y")} == leaf.key.jwk()
    assert "d" not in key


def test_payload(desk: Desk) -> None:
    (text,) = desk.fetch(desk.token(), "persoon")
    assert text.endswith("~")
    _, payload = jwt_parts(text.partition("~")[0])
    kind = CREDENTIAL_TYPES["urn:regie:nl:persoon:1"]
    visible = {"iss", "iat", "exp", "cnf", "vct", "loa", "set", "status", "_sd", "_sd_alg"}
    assert set(payload) == visible
    assert payload["vct"] == kind.vct
    assert payload["_sd_alg"] == "sha-256"
    assert len(payload["_sd"]) == kind.digest_count
    assert payload["_sd"] == sorted(payload["_sd"])
    assert payload["loa"] == "substantial"
    disclosures = [json.loads(unb64u(part)) for part in text.split("~")[1:-1]]
    assert {name for _, name, _ in disclosures} == set(kind.names)
    assert all(len(unb64u(salt)) == 16 for salt, _, _ in disclosures)
    assert NOOR not in text.partition("~")[0]


def test_wallet_finds_every_credential_verified(desk: Desk) -> None:
    token = desk.token("persoon", "adres", "gezin")
    for name in ("persoon", "adres", "gezin"):
        for text in desk.fetch(token, name, 2):
            found = verify_credential(text, desk.trust, desk.clock.now())
            assert set(found.claims) == set(CREDENTIAL_TYPES[f"urn:regie:nl:{name}:1"].names)


def test_copies_differ_in_all_but_their_times(desk: Desk) -> None:
    texts = desk.fetch(desk.token(), "persoon", 8)
    payloads = [jwt_parts(text.partition("~")[0])[1] for text in texts]
    day = desk.clock.now() - desk.clock.now() % DAY
    assert {(payload["iat"], payload["exp"]) for payload in payloads} == {(day, day + CREDENTIAL_DAYS * DAY)}
    for one in ("set", "cnf", "_sd"):
        assert len({json.dumps(payload[one]) for payload in payloads}) == 8
    assert len({payload["status"]["status_list"]["idx"] for payload in payloads}) == 8
    assert len({payload["status"]["status_list"]["uri"] for payload in payloads}) == 1
    salts = [json.loads(unb64u(part))[0] for text in texts for part in text.split("~")[1:-1]]
    assert len(set(salts)) == len(salts)
    digests = [digest for payload in payloads for digest in payload["_sd"]]
    assert len(set(digests)) == len(digests)


def sets_of(texts: list[str]) -> list[str]:
    return [jwt_parts(text.partition("~")[0])[1]["set"] for text in texts]


def test_copies_of_all_types_meet_in_the_same_sets(desk: Desk) -> None:
    token = desk.token("persoon", "adres", "gezin")
    first = sets_of(desk.fetch(token, "persoon", 3)) + sets_of(desk.fetch(token, "persoon", 2))
    assert sets_of(desk.fetch(token, "adres", 5)) == first
    assert sets_of(desk.fetch(token, "gezin", 2)) == first[:2]
    assert len(set(first)) == 5
    assert all(len(unb64u(name)) == 16 for name in first)


def test_types_offered_apart_meet_too_and_later_copies_never_repeat_a_set(desk: Desk) -> None:
    persons = sets_of(desk.fetch(desk.token("persoon"), "persoon", 3))
    addresses = sets_of(desk.fetch(desk.token("adres"), "adres", 3))
    assert addresses == persons
    later = desk.token("persoon", "adres")
    new = sets_of(desk.fetch(later, "persoon", 3))
    assert sets_of(desk.fetch(later, "adres", 3)) == new
    assert not set(new) & set(persons)


def test_no_two_residents_share_a_set(desk: Desk) -> None:
    one = sets_of(desk.fetch(desk.token("persoon"), "persoon", 5))
    other = sets_of(desk.fetch(desk.token("persoon", bsn=KARIM), "persoon", 5))
    assert not set(one) & set(other)


# ---- 13: status list


def read_status(desk: Desk, text: str) -> int:
    reference = jwt_parts(text.partition("~")[0])[1]["status"]["status_list"]
    assert reference["idx"] >= 0
    assert reference["uri"].startswith(f"{URL}/status-lists/")
    answer = desk.client.get(reference["uri"].removeprefix(URL))
    assert (answer.status_code, answer.mimetype) == (200, "application/statuslist+jwt")
    roots = [x509.parse_der_base64(root) for root in desk.entry.roots]
    found = verify_status_token(answer.text, uri=reference["uri"], roots=roots, now=desk.clock.now())
    return found.status(reference["idx"])


def test_status_list(desk: Desk) -> None:
    (text,) = desk.fetch(desk.token(), "persoon")
    uri = jwt_parts(text.partition("~")[0])[1]["status"]["status_list"]["uri"]
    answer = desk.client.get(uri.removeprefix(URL))
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "max-age" in answer.headers["Cache-Control"]
    header, payload = jwt_parts(answer.text)
    assert (header["typ"], header["alg"]) == ("statuslist+jwt", "ES256")
    assert len(header["x5c"]) == 1
    assert (payload["sub"], payload["iat"]) == (uri, desk.clock.now())
    assert (payload["ttl"], payload["exp"]) == (TTL, desk.clock.now() + LIFETIME)
    assert payload["status_list"]["bits"] == 2
    assert len(zlib.decompress(unb64u(payload["status_list"]["lst"]))) == 2**20 // 4
    assert read_status(desk, text) == 0


def test_revocation_shows_at_once_and_touches_nobody_else(desk: Desk) -> None:
    made, tx_code = desk.office.offer(NOOR, ("persoon", "adres"))
    grant = desk.client.get(f"/offers/{made.id}").json["grants"][PRE_AUTHORIZED]
    token = str(desk.post_token(grant["pre-authorized_code"], tx_code).json["access_token"])
    mine = desk.fetch(token, "persoon", 3) + desk.fetch(token, "adres", 2)
    others = desk.fetch(desk.token(bsn=KARIM), "persoon", 3)
    assert {read_status(desk, text) for text in mine + others} == {0}
    assert desk.office.revoke(made.id, "verloren") == (5, 5)
    assert {read_status(desk, text) for text in mine} == {1}
    assert {read_status(desk, text) for text in others} == {0}
    assert desk.office.revoke(made.id, "nog eens") == (5, 0)
    # what could still have been fetched is dead too
    assert desk.post_credential(token, "persoon", desk.proofs(1)).status_code == 401


def test_list_needs_no_authentication_and_unknown_ones_are_404(desk: Desk) -> None:
    for path in (
        "/status-lists/0",
        "/status-lists/7",
        "/status-lists/x",
        "/status-lists/-1",
        "/status-lists/9" + "9" * 40,
    ):
        assert desk.client.get(path).status_code == 404


def test_list_is_signed_anew_each_minute(desk: Desk) -> None:
    desk.fetch(desk.token(), "persoon")
    first = desk.client.get("/status-lists/0").text
    assert desk.client.get("/status-lists/0").text == first
    desk.clock.time += 61
    assert jwt_parts(desk.client.get("/status-lists/0").text)[1]["iat"] == desk.clock.now()
