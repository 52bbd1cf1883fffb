"""Attacks on the exchange itself: encrypted requests and answers (VCI 10), and keys that are attested (VCI D,
F).
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from protocol.credential_encryption import MAX_ENCRYPTED_REQUEST_BYTES
from protocol.issuer_metadata import BATCH_SIZE
from tests.conformance.test_issuer_modules import JWT, attest, big, body_of, kept, post_encrypted, proof_with
from tests.issuer.desk import NOOR, Desk, HolderKey
from tests.issuer.login import LoginDesk, Wallet, WalletMaker, login_desk, spoil


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LoginDesk]:
    with login_desk(tmp_path / "issuer") as made:
        yield made


@pytest.fixture
def wallet(desk: LoginDesk) -> Wallet:
    return desk.wallet()


@pytest.fixture
def token(wallet: Wallet) -> str:
    return str(wallet.tokens()["access_token"])


def issuer_key(desk: Desk) -> dict[str, str]:
    about = desk.client.get("/.well-known/openid-credential-issuer").json
    (key,) = about["credential_request_encryption"]["jwks"]["keys"]
    assert (key["alg"], key["use"], "d" in key) == ("ECDH-ES", "enc", False)
    return dict(key)


def post(wallet: Wallet, token: str, body: bytes | str, path: str = "/credential") -> TestResponse:
    headers = wallet.resource(path, token)
    return wallet.desk.client.post(path, data=body, content_type=JWT, headers=headers)


# ---- encryption


def test_encrypted_request_may_have_a_plain_answer(desk: LoginDesk, wallet: Wallet, token: str) -> None:
    answer = post_encrypted(wallet, token, body_of(wallet), issuer_key(desk), "A128GCM")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")


def test_refusal_is_never_encrypted(desk: LoginDesk, wallet: Wallet, token: str) -> None:
    public = {**ECKey.generate_key("P-256").as_dict(private=False), "alg": "ECDH-ES"}
    wanted = {"jwk": public, "enc": "A256GCM"}
    asked = body_of(wallet, credential_configuration_id="unknown", credential_response_encryption=wanted)
    answer = post_encrypted(wallet, token, asked, issuer_key(desk), "A256GCM")
    assert (answer.status_code, answer.mimetype) == (400, "application/json")
    assert answer.json["error"] == "unknown_credential_configuration"


def test_deferred_answer_is_encrypted_too(desk: LoginDesk, wallet: Wallet, token: str) -> None:
    desk.office.hold(NOOR, "in onderzoek")
    mine = ECKey.generate_key("P-256")
    wanted = {"jwk": {**mine.as_dict(private=False), "alg": "ECDH-ES"}, "enc": "A256GCM"}
    asked = body_of(wallet, credential_response_encryption=wanted)
    later = post_encrypted(wallet, token, asked, issuer_key(desk), "A256GCM")
    assert (later.status_code, later.mimetype) == (202, JWT)
    transaction = json.loads(jwe.decrypt_compact(later.text, mine, registry=big()).plaintext or b"")[
        "transaction_id"
    ]
    desk.office.approve(desk.office.waiting()[0].offer_id)
    head = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": issuer_key(desk)["kid"]}
    body = json.dumps({"transaction_id": transaction, "credential_response_encryption": wanted}).encode()
    sealed = jwe.encrypt_compact(head, body, ECKey.import_key(issuer_key(desk)), registry=big())
    done = post(wallet, token, sealed, "/deferred-credential")
    assert (done.status_code, done.mimetype) == (200, JWT)
    assert json.loads(jwe.decrypt_compact(done.text, mine, registry=big()).plaintext or b"")["credentials"]


def test_decompression_bomb_is_not_inflated(desk: LoginDesk, wallet: Wallet, token: str) -> None:
    before = kept(desk)
    key = issuer_key(desk)
    registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM", "DEF"])
    head = {"alg": "ECDH-ES", "enc": "A256GCM", "zip": "DEF", "kid": key["kid"]}
    bomb = jwe.encrypt_compact(head, b" " * 50_000_000, ECKey.import_key(key), registry=registry)
    answer = post(wallet, token, bomb)
    assert answer.json["error"] == "invalid_encryption_parameters"
    assert kept(desk) == before


@pytest.mark.parametrize("body", [b"", b"junk", b"a.b.c.d.e", b"{}", b"\xff" * 50, b"." * 100_000, "é.é.é.é.é"])
def test_junk_in_the_place_of_a_jwe_is_refused(desk: LoginDesk, wallet: Wallet, token: str, body: Any) -> None:
    before = kept(desk)
    for path in ("/credential", "/deferred-credential"):
        answer = post(wallet, token, body, path)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_encryption_parameters")
    assert kept(desk) == before


def test_request_for_another_key_or_altered_on_the_way_is_refused(
    desk: LoginDesk, wallet: Wallet, token: str
) -> None:
    before, key = kept(desk), issuer_key(desk)
    other = {**ECKey.generate_key("P-256").as_dict(private=False), "kid": key["kid"]}
    for to, head in ((other, {}), (key, {"kid": "other"})):
        answer = post_encrypted(wallet, token, body_of(wallet), to, "A256GCM", **head)
        assert answer.json["error"] == "invalid_encryption_parameters"
    sealed = jwe.encrypt_compact(
        {"alg": "ECDH-ES", "enc": "A256GCM"},
        json.dumps(body_of(wallet)).encode(),
        ECKey.import_key(key),
        registry=big(),
    )
    head, wrapped, iv, text, tag = sealed.split(".")
    for parts in (
        (head, wrapped, iv, spoil(f".{text}")[1:], tag),
        (head, wrapped, iv, text, spoil(f".{tag}")[1:]),
    ):
        answer = post(wallet, token, ".".join(parts))
        assert answer.json["error"] == "invalid_encryption_parameters"
    assert kept(desk) == before


def test_encrypted_request_is_read_no_further_than_its_limit(desk: LoginDesk, wallet: Wallet, token: str) -> None:
    before = kept(desk)
    answer = post(wallet, token, b"a" * (MAX_ENCRYPTED_REQUEST_BYTES + 1))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_credential_request")
    assert post(wallet, token, b"a" * MAX_ENCRYPTED_REQUEST_BYTES).json["error"] == "invalid_encryption_parameters"
    assert kept(desk) == before


def test_encryption_to_a_private_key_or_another_curve_is_refused(
    desk: LoginDesk, wallet: Wallet, token: str
) -> None:
    before = kept(desk)
    private = {**ECKey.generate_key("P-256").as_dict(private=True), "alg": "ECDH-ES"}
    large = {**ECKey.generate_key("P-384").as_dict(private=False), "alg": "ECDH-ES"}
    off_curve = {**HolderKey().jwk, "y": HolderKey().jwk["y"], "alg": "ECDH-ES"}
    for jwk in (private, large, off_curve, {"kty": "oct", "k": "AAAA", "alg": "dir"}):
        asked = body_of(wallet, credential_response_encryption={"jwk": jwk, "enc": "A256GCM"})
        answer = post_encrypted(wallet, token, asked, issuer_key(desk), "A256GCM")
        assert answer.json["error"] == "invalid_encryption_parameters"
    assert kept(desk) == before


# ---- attested keys


@pytest.mark.parametrize("kind", ["jwt", "attestation"])
@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"iat": 9_999_999_999},
        {"iss": "https://stranger.example"},
        {"nonce": "another"},
        {"exp": None},
    ],
)
def test_key_attestation_that_is_not_good_yields_nothing(
    desk: LoginDesk, wallet: Wallet, token: str, kind: str, changes: dict[str, Any]
) -> None:
    key, nonce, before = HolderKey(), desk.nonce(), kept(desk)
    attestation = attest(wallet, [key], **{"nonce": nonce, **changes})
    proof = attestation if kind == "attestation" else proof_with(wallet, key, nonce, attestation)
    answer = wallet.post_credential(token, body_of(wallet, proofs={kind: [proof]}))
    assert answer.status_code == 400
    assert answer.json["error"] in ("invalid_proof", "invalid_nonce")
    assert kept(desk) == before


def test_key_attestation_needs_a_nonce_of_ours_once(desk: LoginDesk, wallet: Wallet, token: str) -> None:
    keys = [HolderKey(), HolderKey()]
    missing = body_of(wallet, proofs={"attestation": [attest(wallet, keys, None)]})
    assert wallet.post_credential(token, missing).json["error"] == "invalid_proof"
    nonce = desk.nonce()
    asked = body_of(wallet, proofs={"attestation": [attest(wallet, keys, nonce)]})
    assert len(wallet.post_credential(token, asked).json["credentials"]) == 2
    before = kept(desk)
    assert wallet.post_credential(token, asked).json["error"] == "invalid_nonce"
    assert kept(desk) == before


def test_key_attestation_by_somebody_who_is_not_listed_is_refused(
    desk: LoginDesk, wallet: Wallet, token: str
) -> None:
    key, nonce, before = HolderKey(), desk.nonce(), kept(desk)
    desk.maker, listed = WalletMaker(), desk.maker
    attestation = attest(wallet, [key], nonce)
    desk.maker = listed
    answer = wallet.post_credential(token, body_of(wallet, proofs={"attestation": [attestation]}))
    assert answer.json["error"] == "invalid_proof"
    assert kept(desk) == before


def test_attestation_of_other_keys_does_not_speak_for_this_one(
    desk: LoginDesk, wallet: Wallet, token: str
) -> None:
    key, nonce, before = HolderKey(), desk.nonce(), kept(desk)
    proof = proof_with(wallet, key, nonce, attest(wallet, [HolderKey()], None))
    assert wallet.post_credential(token, body_of(wallet, proofs={"jwt": [proof]})).json["error"] == "invalid_proof"
    assert kept(desk) == before


def test_attested_keys_are_no_more_than_a_batch_and_none_twice(
    desk: LoginDesk, wallet: Wallet, token: str
) -> None:
    before = kept(desk)

    def ask(make: Callable[[str], list[str]]) -> TestResponse:
        return wallet.post_credential(token, body_of(wallet, proofs={"jwt": make(desk.nonce())}))

    many = [HolderKey() for _ in range(BATCH_SIZE)]
    first, second = many[0], HolderKey()

    def too_many(nonce: str) -> list[str]:
        return [
            proof_with(wallet, first, nonce, attest(wallet, many, None)),
            proof_with(wallet, second, nonce, attest(wallet, [second], None)),
        ]

    def twice(nonce: str) -> list[str]:
        return [
            proof_with(wallet, first, nonce, attest(wallet, [first, second], None)),
            proof_with(wallet, second, nonce, attest(wallet, [second], None)),
        ]

    assert ask(too_many).json["error"] == "invalid_proof"
    assert ask(twice).json["error"] == "invalid_proof"
    assert kept(desk) == before
    good = ask(lambda nonce: [proof_with(wallet, first, nonce, attest(wallet, many, None))])
    assert len(good.json["credentials"]) == BATCH_SIZE


def test_issuer_without_login_takes_no_attested_keys(desk: LoginDesk) -> None:
    wallet = desk.wallet()
    desk.office.has_login = False
    key, nonce = HolderKey(), desk.nonce()
    asked = {"credential_configuration_id": "persoon", "proofs": {"attestation": [attest(wallet, [key], nonce)]}}
    headers = {"Authorization": f"Bearer {desk.token()}"}
    assert desk.client.post("/credential", json=asked, headers=headers).json["error"] == "invalid_proof"


# ---- who signs a proof


@pytest.mark.parametrize("iss", ["another-wallet", "", 5])
def test_proof_names_its_client_or_nobody(desk: LoginDesk, wallet: Wallet, token: str, iss: Any) -> None:
    before = kept(desk)
    answer = wallet.post_credential(token, body_of(wallet, proofs={"jwt": wallet.proofs(1, iss=iss)}))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_proof")
    assert kept(desk) == before


def test_anonymous_wallet_names_nobody(desk: LoginDesk) -> None:
    token, proofs = desk.token(), desk.proofs(1, iss="voorbeeld-wallet")
    before = kept(desk)
    assert desk.post_credential(token, "persoon", proofs).json["error"] == "invalid_proof"
    assert kept(desk) == before
