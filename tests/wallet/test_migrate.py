"""Moving to another wallet by the migration object of EUDI TS10: what goes along, and what nobody can slip in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwe import JWERegistry, decrypt_compact, encrypt_compact
from joserfc.jwk import OctKey

from protocol.canonical import b64u_decode, b64u_encode
from protocol.errors import Rejected
from tests.conformance.foreign_verifier import VERIFIER
from tests.conformance.held_cards import Holder
from tests.protocol import strangers
from tests.protocol.builders import ADRES
from tests.protocol.strangers import DIPLOMA
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import Neighbours
from wallet import migration as rules
from wallet.errand_grant import grant
from wallet.errand_migrate import export_migration, import_migration, imported_transactions, missing_cards
from wallet.errand_request import decline, share_once
from wallet.errand_transactions import transaction_log
from wallet.jwe_password import ALGORITHM, ENCRYPTION, MAX_ROUNDS, decrypt, encrypt
from wallet.migration import read_migration
from wallet.opened import OpenWallet
from wallet.records import Choice, Copy

PASSWORD = b"drie rode tafels"
LIBRARY = JWERegistry(algorithms=[ALGORITHM, ENCRYPTION])
LIBRARY.max_ciphertext_length = 2**22
# EUDI TS10 1.2: attribute and multiplicity, by the table that has it.
MIGRATION_DATA = {"transactionLog", "listOfCredentials", "nonDeviceBoundCredentials"}  # 3.18, each [1..1]
CREDENTIAL_INFO = {  # 3.19.1
    "credentialIdentifier": str,
    "format": str,
    "issuerIdentifier": list,
    "issuerType": str,
    "issuerName": dict,
    "supplyPointURL": str,
    "meta": dict,  # TS5 2.4.5, inherited
    "claims": list,  # TS5 2.4.5, inherited
}
ISSUER_TYPES = {"QEAAProvider", "NonQEAAProvider", "PubEEAProvider", "PIDProvider"}
TRANSACTION = {"transactionIdentifier", "time", "transactionType", "transactionResult"}  # 3.1, each [1..1]
PRESENTATION = {  # 3.2, each [1..1] or [1..*]
    "interactingPartyIdentifier", "interactingPartyType", "interactingPartyName", "interactingPartyContact",
    "isIntermediary", "registrarURL", "purpose", "privacyPolicy", "dpaName", "dpaCountry", "dpaContact",
    "listOfClaimsRequested", "listOfClaimsPresented",
}  # fmt: skip


@pytest.fixture
def used(wallet: OpenWallet, neighbours: Neighbours) -> OpenWallet:
    """With an agreement, a copy that was given once, and a request that was refused."""
    grant(wallet, neighbours.agency.ask(), Choice())
    share_once(wallet, neighbours.second.ask(once=True, query=neighbours.second.copy_query("postcode")))
    decline(wallet, neighbours.agency.ask())
    return wallet


@pytest.fixture
def other(tmp_path: Path, holder: Resident) -> Resident:
    """Somebody with an empty wallet: the same person on a new phone, or another one."""
    (tmp_path / "other").mkdir()
    made = Resident(tmp_path / "other", holder.neighbours)
    made.create()
    return made


def plain_of(token: str) -> Any:
    return json.loads(decrypt(token, PASSWORD))


def sealed(data: Any) -> str:
    return encrypt(json.dumps(data).encode(), PASSWORD, lambda size: b"s" * size, rounds=1000)


def test_migration_object_has_every_field_of_ts10(used: OpenWallet) -> None:
    data = plain_of(export_migration(used, PASSWORD))
    assert set(data) == MIGRATION_DATA
    assert {each["credentialIdentifier"] for each in data["listOfCredentials"]} == {
        copy.vct for copy in used.copies().values()
    }
    for info in data["listOfCredentials"]:
        assert {name: type(info[name]) for name in CREDENTIAL_INFO} == CREDENTIAL_INFO
        assert info["issuerType"] in ISSUER_TYPES
        assert all(set(each) == {"type", "identifier"} for each in info["issuerIdentifier"])
        assert set(info["issuerName"]) == {"lang", "content"}
        assert info["supplyPointURL"].startswith("https://")
    kinds = []
    for transaction in data["transactionLog"]:
        assert transaction.keys() >= TRANSACTION
        if transaction["transactionType"] != "Presentation":
            continue
        assert transaction["presentation"].keys() >= PRESENTATION
        done = transaction["transactionResult"] == "Completed"
        assert ("reasonOfNoncompletion" in transaction["presentation"]) is not done
        kinds.append((transaction["transactionType"], done))
    assert sorted(kinds) == [("Presentation", False), ("Presentation", True), ("Presentation", True)]


def test_migration_object_is_encrypted_as_ts10_prescribes_and_opens_elsewhere(used: OpenWallet) -> None:
    token = export_migration(used, PASSWORD)
    header = json.loads(b64u_decode(token.split(".")[0]))
    assert (header["alg"], header["enc"]) == ("PBES2-HS256+A128KW", "A128GCM")  # section 5
    opened = decrypt_compact(token, OctKey.import_key(PASSWORD), registry=LIBRARY).plaintext
    assert opened is not None
    assert set(json.loads(opened)) == MIGRATION_DATA


def test_migration_object_holds_no_value_no_key_and_no_code(used: OpenWallet) -> None:
    plain = decrypt(export_migration(used, PASSWORD), PASSWORD).decode()
    assert ADRES in plain
    secrets = [used.secrets().seed, b64u_encode(used.code(used.grant("1")))]
    for value in ("1234AB", "Dorpsstraat", *secrets):
        assert value not in plain
    assert all(copy.credential[:200] not in plain for copy in used.copies().values())


def test_new_wallet_takes_over_the_log_and_knows_what_to_ask_for(used: OpenWallet, other: Resident) -> None:
    token, count = export_migration(used, PASSWORD), len(transaction_log(used))
    with other.open() as new:
        moved = import_migration(new, token, PASSWORD)
        assert (len(moved.wanted), moved.copied, moved.refused, moved.transactions) == (3, 0, (), count)
        assert len(missing_cards(new)) == 3
        assert new.copies() == {}
        assert new.grants() == {}
        again = import_migration(new, token, PASSWORD)
        assert again.transactions == 0
    other.receive("persoon", "adres")
    with other.open() as new:
        assert len(missing_cards(new)) == 1
        onward = plain_of(export_migration(new, PASSWORD))["transactionLog"]
        assert onward[:count] == imported_transactions(new)  # survives the next move


def test_attack_migration_file_of_another_wallet_brings_no_card_and_no_right(
    used: OpenWallet, other: Resident
) -> None:
    """Cards that are bound to the other wallet's keys are slipped in as if they were bound to none."""
    stolen = [{"format": copy.format, "credential": copy.credential} for copy in used.copies().values()]
    data = plain_of(export_migration(used, PASSWORD)) | {"nonDeviceBoundCredentials": stolen}
    with other.open() as new:
        seed = new.secrets()
        moved = import_migration(new, sealed(data), PASSWORD)
        assert (moved.copied, set(moved.refused)) == (0, {"bound_credential"})
        assert (new.copies(), new.grants(), new.secrets()) == ({}, {}, seed)
        assert new.activities() == []
        assert len(imported_transactions(new)) == len(data["transactionLog"])


def test_attack_forged_card_in_a_migration_file_is_not_taken(used: OpenWallet, other: Resident) -> None:
    copy = next(iter(used.copies().values()))
    jwt, rest = copy.credential.split("~", 1)
    head, payload, signature = jwt.split(".")
    forged = json.loads(b64u_decode(payload))
    del forged["cnf"]
    text = ".".join((head, b64u_encode(json.dumps(forged).encode()), signature)) + "~" + rest
    cards = [{"format": "dc+sd-jwt", "credential": each} for each in (text, "x", "")]
    cards.append({"format": "mso_mdoc", "credential": "o2"})
    data = {"transactionLog": [], "listOfCredentials": [], "nonDeviceBoundCredentials": cards}
    with other.open() as new:
        moved = import_migration(new, sealed(data), PASSWORD)
        assert (moved.copied, len(moved.refused)) == (0, 4)
        assert new.vault.all("copies", Copy) == {}


def test_wrong_password_opens_nothing_and_changes_nothing(used: OpenWallet, other: Resident) -> None:
    token = export_migration(used, PASSWORD)
    with other.open() as new:
        counter = new.vault.counter
        with pytest.raises(Rejected, match="wrong_passphrase"):
            import_migration(new, token, b"drie rode tafel!")
        assert new.vault.counter == counter


def test_weak_password_is_refused(used: OpenWallet) -> None:
    with pytest.raises(Rejected, match="weak_passphrase"):
        export_migration(used, b"12345678")


def changed(token: str, **members: Any) -> str:
    head, *rest = token.split(".")
    header = json.loads(b64u_decode(head)) | members
    plain = {name: value for name, value in header.items() if value is not None}
    return ".".join((b64u_encode(json.dumps(plain).encode()), *rest))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "",
        lambda token: token + ".x",
        lambda token: token.replace(".", "!", 1),
        lambda token: changed(token, alg="dir"),
        lambda token: changed(token, alg="PBES2-HS512+A256KW"),
        lambda token: changed(token, enc="A128CBC-HS256"),
        lambda token: changed(token, zip="DEF"),
        lambda token: changed(token, p2c=MAX_ROUNDS + 1),  # a bomb
        lambda token: changed(token, p2c=2**31),
        lambda token: changed(token, p2c=1),
        lambda token: changed(token, p2c=True),
        lambda token: changed(token, p2c=None),
        lambda token: changed(token, p2s=None),
        lambda token: changed(token, p2s="AAAA"),
        lambda token: changed(token, p2s="A" * 200),
    ],
)
def test_attack_spoiled_file_is_refused_before_it_costs_anything(
    monkeypatch: pytest.MonkeyPatch, spoil: Callable[[str], str]
) -> None:
    token = sealed({})

    def pay(*args: Any, **options: Any) -> None:
        raise AssertionError("the password was stretched")

    monkeypatch.setattr("wallet.jwe_password.decrypt_compact", pay)
    with pytest.raises(Rejected, match="bad_migration"):
        decrypt(spoil(token), PASSWORD)


def test_altered_file_does_not_open() -> None:
    head, key, iv, text, tag = sealed({"a": 1}).split(".")
    for token in ((head, key, iv, text[:-4] + "AAAA", tag), (head, key, iv, text, "A" * 22)):
        with pytest.raises(Rejected, match="wrong_passphrase"):
            decrypt(".".join(token), PASSWORD)


GOOD: dict[str, Any] = {"transactionLog": [], "listOfCredentials": [], "nonDeviceBoundCredentials": []}
ENTRY = {"transactionIdentifier": "1", "time": "2026-01-01T00:00:00", "transactionType": "Presentation"}
INFO = {
    "credentialIdentifier": "urn:x:1",
    "format": "dc+sd-jwt",
    "issuerName": "X",
    "supplyPointURL": "https://x.nl",
}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ([], "bad_migration"),
        ({}, "bad_migration"),
        (GOOD | {"transactionLog": None}, "bad_migration"),
        (GOOD | {"transactionLog": [[]]}, "bad_migration"),
        (GOOD | {"transactionLog": [ENTRY | {"time": 1}]}, "bad_migration"),
        (GOOD | {"listOfCredentials": [INFO | {"format": None}]}, "bad_migration"),
        (GOOD | {"nonDeviceBoundCredentials": [{"format": "dc+sd-jwt"}]}, "bad_migration"),
        (GOOD | {"transactionLog": [ENTRY] * (rules.MAX_TRANSACTIONS + 1)}, "too_large"),
        (GOOD | {"listOfCredentials": [INFO] * (rules.MAX_CREDENTIALS + 1)}, "too_large"),
        (GOOD | {"transactionLog": [ENTRY | {"x": "y" * rules.MAX_TRANSACTION_BYTES}]}, "too_large"),
    ],
)
def test_what_is_no_migration_object_is_refused(data: Any, code: str) -> None:
    with pytest.raises(Rejected, match=code):
        read_migration(json.dumps(data).encode())


@pytest.mark.parametrize(
    "name", ["Haagse Bank", {"lang": "nl", "content": "Haagse Bank"}, [{"content": "Haagse Bank"}]]
)
def test_files_of_other_makers_are_read_leniently(name: Any) -> None:
    data = {"MigrationData": GOOD | {"listOfCredentials": [INFO | {"issuerName": name, "more": 1}]}}
    (card,) = read_migration(json.dumps(data).encode()).wanted
    assert (card.issuer_name, card.supply_point) == ("Haagse Bank", "https://x.nl")


def test_attack_address_that_is_none_of_the_web_is_not_shown() -> None:
    data = GOOD | {
        "listOfCredentials": [INFO | {"supplyPointURL": "javascript:alert(1)", "issuerName": "a\u202eb"}]
    }
    (card,) = read_migration(json.dumps(data).encode()).wanted
    assert (card.supply_point, card.issuer_name) == ("", "a\ufffdb")


def test_file_of_another_library_opens_here() -> None:
    header = {"alg": ALGORITHM, "enc": ENCRYPTION, "p2c": 2048}
    token = encrypt_compact(header, json.dumps(GOOD).encode(), OctKey.import_key(PASSWORD), registry=LIBRARY)
    assert read_migration(decrypt(token, PASSWORD)).transactions == ()


def test_card_that_is_bound_to_no_key_comes_along_where_its_issuer_is_trusted(
    tmp_path: Path, other: Resident
) -> None:
    diploma = {"format": "dc+sd-jwt", "credential": strangers.diploma(None)}
    token = sealed(GOOD | {"nonDeviceBoundCredentials": [diploma, diploma]})
    with other.open() as new:
        assert import_migration(new, token, PASSWORD).copied == 0  # nobody here trusts that university
    (tmp_path / "student").mkdir()
    student = Holder(tmp_path / "student")
    student.create()
    student.trust_strangers(VERIFIER)
    with student.open() as new:
        assert import_migration(new, token, PASSWORD).copied == 1
        assert import_migration(new, token, PASSWORD).copied == 0
        (copy,) = new.copies().values()
        assert (copy.vct, copy.is_bound, copy.agency) == (DIPLOMA, False, None)
        onward = plain_of(export_migration(new, PASSWORD))
        assert onward["nonDeviceBoundCredentials"] == [diploma]
