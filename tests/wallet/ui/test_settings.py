"""Settings, passkeys, notices: what the resident sets, and what they are told."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from protocol.canonical import b64u_decode, b64u_encode
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import COSIGNER_HOST, LOG_HOST
from tests.wallet.ui.face import PASSPHRASE, Face
from tests.wallet.ui.test_request import opened
from wallet.config import WalletConfig
from wallet.errand_grant import grant
from wallet.errand_history import look_back
from wallet.errand_revoke import stop_grant
from wallet.passkey import CHALLENGE_SECONDS, PasskeyRecord
from wallet.records import Choice
from wallet.ui.begin import TRUST
from wallet.vault_file import connect, keyholes, put_keyhole, read_keyholes

NEW = "acht groene bussen"


def test_another_passphrase_opens_and_the_old_one_no_longer(face: Face) -> None:
    fields = {"old": PASSPHRASE, "passphrase": NEW, "again": NEW}
    assert face.post("/settings/passphrase", fields, page="/settings/passphrase").location == "/settings"
    face.post("/lock")
    assert face.post("/unlock", {"passphrase": PASSPHRASE}, page="/unlock").status_code == 403
    assert face.post("/unlock", {"passphrase": NEW}, page="/unlock").status_code == 303


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"old": "vijf gele fietsen"}, "does not fit"),
        ({"passphrase": "kort", "again": "kort"}, "too easy to guess"),
        ({"again": "acht groene bus"}, "not the same"),
    ],
)
def test_passphrase_that_is_not_right_changes_nothing(face: Face, changes: dict[str, str], words: str) -> None:
    fields = {"old": PASSPHRASE, "passphrase": NEW, "again": NEW} | changes
    answer = face.post("/settings/passphrase", fields, page="/settings/passphrase")
    assert answer.status_code == 422
    assert words in answer.text
    face.post("/lock")
    face.unlock()


class Authenticator:
    """What a browser and its authenticator make of the options of a page, written after WebAuthn level 3."""

    def __init__(self, origin: str) -> None:
        self.origin, self.key, self.id, self.count = origin, ec.generate_private_key(ec.SECP256R1()), b"id-1", 0
        self.host = origin.partition("://")[2].rpartition(":")[0]
        self.flags = 0x05

    def secret(self, salt: str) -> bytes:
        return hashlib.sha256(b"this device" + b64u_decode(salt)).digest()

    def data(self, rest: bytes = b"", flags: int = 0) -> bytes:
        self.count += 1
        head = hashlib.sha256(self.host.encode()).digest() + bytes([self.flags | flags])
        return head + self.count.to_bytes(4, "big") + rest

    def client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        ).encode()

    def create(self, options: dict[str, Any]) -> dict[str, str]:
        credential = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + b"COSE key"
        public = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return self._answer(
            client_data=self.client_data("webauthn.create", options["challenge"]),
            authenticator_data=self.data(credential, 0x40),
            secret=self.secret(options["extensions"]["prf"]["eval"]["first"]),
            public=public,
        )

    def get(self, options: dict[str, Any]) -> dict[str, str]:
        client_data, data = self.client_data("webauthn.get", options["challenge"]), self.data()
        signed = data + hashlib.sha256(client_data).digest()
        salts = options["extensions"]["prf"]["evalByCredential"]
        return self._answer(
            client_data=client_data,
            authenticator_data=data,
            secret=self.secret(salts[b64u_encode(self.id)]["first"]),
            signature=self.key.sign(signed, ec.ECDSA(hashes.SHA256())),
        )

    def _answer(self, **parts: bytes) -> dict[str, str]:
        return {"credential": b64u_encode(self.id)} | {name: b64u_encode(value) for name, value in parts.items()}


def options_of(face: Face, path: str) -> tuple[dict[str, Any], str]:
    page = face.get(path).text
    text = page.partition('data-options="')[2].partition('"')[0].replace("&#34;", '"')
    ceremony = page.partition('name="ceremony" value="')[2].partition('"')[0]
    return json.loads(text), ceremony


def add(face: Face, device: Authenticator, **changes: str) -> int:
    options, ceremony = options_of(face, "/settings/passkeys")
    fields = device.create(options) | {"ceremony": ceremony, "name": "my key", "passphrase": PASSPHRASE} | changes
    return face.post("/settings/passkeys", fields, page="/settings/passkeys").status_code


@pytest.fixture
def device(face: Face) -> Authenticator:
    return Authenticator(face.launch.origin)


@pytest.fixture
def known(face: Face, device: Authenticator) -> Authenticator:
    assert add(face, device) == 303
    face.post("/lock")
    return device


def login(face: Face, device: Authenticator, **changes: str) -> int:
    options, ceremony = options_of(face, "/unlock")
    fields = device.get(options) | {"ceremony": ceremony, "next": "/settings"} | changes
    return face.post("/unlock/passkey", fields, page="/unlock").status_code


def test_passkey_opens_the_wallet_beside_the_passphrase(face: Face, known: Authenticator) -> None:
    assert login(face, known) == 303
    assert "my key" in face.get("/settings/passkeys").text
    face.post("/lock")
    face.unlock()


def test_passkey_survives_another_passphrase(face: Face, known: Authenticator) -> None:
    face.unlock()
    fields = {"old": PASSPHRASE, "passphrase": NEW, "again": NEW}
    face.post("/settings/passphrase", fields, page="/settings/passphrase")
    face.post("/lock")
    assert login(face, known) == 303


def test_removed_passkey_opens_nothing_even_when_its_row_is_put_back(
    face: Face, known: Authenticator, holder: Resident
) -> None:
    path = holder.home.file("wallet.db")
    (keyhole,) = read_keyholes(path).values()
    options, ceremony = options_of(face, "/unlock")
    face.unlock()
    face.post("/settings/passkeys/remove", {"credential": b64u_encode(known.id)}, page="/settings/passkeys")
    face.post("/lock")
    assert "data-passkey" not in face.get("/unlock").text
    database = connect(path)
    put_keyhole(database, keyhole)
    assert keyholes(database)
    database.close()
    fields = known.get(options) | {"ceremony": ceremony}
    assert face.post("/unlock/passkey", fields, page="/unlock").status_code == 403
    assert not face.keeper.is_open


@pytest.mark.parametrize("attack", ["wrong_secret", "other_origin", "other_port", "other_site", "no_verification",
                                    "not_signed", "framed", "copied", "unknown"])  # fmt: skip
def test_attack_passkey_answer(face: Face, known: Authenticator, attack: str) -> None:
    changes: dict[str, str] = {}
    if attack == "wrong_secret":
        changes["secret"] = b64u_encode(bytes(32))
    elif attack == "other_origin":
        known.origin = "https://evil.example"
    elif attack == "other_port":
        known.origin = known.origin.rpartition(":")[0] + ":1"
    elif attack == "other_site":
        known.host = "localhost"
    elif attack == "no_verification":
        known.flags = 0x01
    elif attack == "not_signed":
        known.key = ec.generate_private_key(ec.SECP256R1())
    elif attack == "framed":
        known.client_data = lambda kind, challenge: json.dumps(  # type: ignore[method-assign]
            {"type": kind, "challenge": challenge, "origin": known.origin, "crossOrigin": True}
        ).encode()
    elif attack == "copied":
        known.count = 0
    else:
        changes["credential"] = b64u_encode(b"id-2")
    assert login(face, known, **changes) == 403
    assert not face.keeper.is_open


def test_attack_overheard_answer_is_sent_again(face: Face, known: Authenticator, holder: Resident) -> None:
    options, ceremony = options_of(face, "/unlock")
    fields = known.get(options) | {"ceremony": ceremony}
    assert face.post("/unlock/passkey", fields, page="/unlock").status_code == 303
    face.post("/lock")
    assert face.post("/unlock/passkey", fields, page="/unlock").status_code == 403
    _, later = options_of(face, "/unlock")
    assert face.post("/unlock/passkey", {**fields, "ceremony": later}, page="/unlock").status_code == 403
    assert not face.keeper.is_open


def test_question_to_a_passkey_gets_old(face: Face, known: Authenticator, holder: Resident) -> None:
    options, ceremony = options_of(face, "/unlock")
    holder.neighbours.clock.advance(CHALLENGE_SECONDS + 1)
    fields = known.get(options) | {"ceremony": ceremony}
    assert face.post("/unlock/passkey", fields, page="/unlock").status_code == 403


def test_passkey_is_added_on_the_passphrase_only(face: Face, device: Authenticator) -> None:
    assert add(face, device, passphrase="vijf gele fietsen") == 403
    assert add(face, device, secret="") == 409
    assert add(face, device, public=b64u_encode(b"no key")) == 403
    assert add(face, device, ceremony="none") == 403
    with face.keeper.in_use() as wallet:
        assert not wallet.vault.all("passkeys", PasskeyRecord)


def test_wallet_has_a_limit_of_passkeys(face: Face, device: Authenticator) -> None:
    for number in range(8):
        device.id = f"id-{number}".encode()
        assert add(face, device) == 303
    device.id = b"id-9"
    assert add(face, device) == 409


def test_notice_of_a_read_stays_until_it_was_seen(face: Face, holder: Resident) -> None:
    neighbours = holder.neighbours
    with face.keeper.in_use() as wallet:
        slot = grant(wallet, neighbours.agency.ask(), Choice()).record.slot
        assert slot is not None
        neighbours.clock.advance(60)
        neighbours.log.read(slot, "postcode")
        look_back(wallet, "1")
    assert "looked once" in face.get("/").text
    assert "looked once" in face.get("/notices").text
    assert face.post("/notices/seen", page="/notices").location == "/"
    assert "looked once" not in face.get("/notices").text


def test_manifest_and_icons_are_given_without_a_session(face: Face) -> None:
    face.client.delete_cookie(
        "regie-wallet-door", domain=face.launch.origin.partition("://")[2].rpartition(":")[0]
    )
    assert face.get("/settings").status_code == 403
    manifest = face.get("/manifest.webmanifest").get_json()
    assert manifest["start_url"] == "/"
    for icon in manifest["icons"]:
        assert face.get(icon["src"]).status_code == 200
    assert face.get("/icons/other.png").status_code in (403, 404)


def test_wallet_is_taken_off_the_device_and_no_passphrase_opens_a_copy(
    face: Face, known: Authenticator, holder: Resident, tmp_path: Path
) -> None:
    face.unlock()
    path = holder.home.file("wallet.db")
    fields = {"passphrase": PASSPHRASE, "sure": "1"}
    wrong = ({**fields, "passphrase": "vijf gele fietsen"}, {"passphrase": PASSPHRASE})
    for refused in wrong:
        answer = face.post("/settings/remove", refused, page="/settings/remove")
        assert answer.status_code in (403, 422)
        assert path.exists()
    kept = tmp_path / "still-open.db"
    kept.hardlink_to(path)
    assert face.post("/settings/remove", fields, page="/settings/remove").location == "/begin"
    assert not face.keeper.is_open
    assert not face.keeper.exists
    assert not path.exists()
    assert b'"wrapped"' not in kept.read_bytes()
    assert face.get("/").location == "/begin"


def test_who_makes_the_next_wallet_sees_no_request_of_who_left(face: Face, holder: Resident) -> None:
    """Nor an offer, nor a login that waits: its cards would be those of the other."""
    told, neighbours = holder.home.config(WalletConfig), holder.neighbours
    paths = [opened(face, neighbours.agency.ask()), opened(face, neighbours.issuer.link("adres"))]
    assert [face.get(path).status_code for path in paths] == [200, 200]
    face.post("/settings/remove", {"passphrase": PASSPHRASE, "sure": "1"}, page="/settings/remove")
    holder.home.write_json(TRUST, told)
    assert face.post("/begin/new", {"passphrase": NEW, "again": NEW}, page="/begin/new").location == "/"
    start = face.get("/").text
    assert not [path for path in paths if path in start]
    assert [face.get(path).status_code for path in paths] == [404, 404]


def test_wallet_stays_while_a_stop_waits(face: Face, holder: Resident) -> None:
    neighbours = holder.neighbours
    with face.keeper.in_use() as wallet:
        number = grant(wallet, neighbours.agency.ask(), Choice()).id
        neighbours.down = {LOG_HOST, COSIGNER_HOST}
        stop_grant(wallet, number)
    answer = face.post("/settings/remove", {"passphrase": PASSPHRASE, "sure": "1"}, page="/settings/remove")
    assert answer.status_code == 409
    assert face.keeper.is_open
    assert holder.home.file("wallet.db").exists()
