"""The passkey's side of the door: what the page gives the browser, and what is done with its answer.

Each ceremony is kept here under a random id and used once, within five minutes. The RP ID is the random host name
of this wallet, so programs on other ports of this machine share nothing with it; an IP address can have none.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec
from flask import request
from msgspec.structs import replace

from protocol.canonical import b64u_encode
from protocol.errors import RegieError, Rejected
from protocol.passphrase import Random
from wallet.config import VAULT
from wallet.opened import OpenWallet
from wallet.passkey import (
    CHALLENGE_BYTES,
    CHALLENGE_SECONDS,
    MAX_PASSKEYS,
    SALT_BYTES,
    USER_BYTES,
    Answer,
    Ceremony,
    Keyhole,
    PasskeyRecord,
    VerifiedPasskey,
    check_count,
    verify_login,
    verify_new_passkey,
    wrap_for_passkey,
)
from wallet.ui.session import Keeper
from wallet.vault import Vault, open_vault_by_passkey, unknown_passkey
from wallet.vault_file import read_keyholes

_ES256 = -7
MAX_NAME = 60


@dataclass(frozen=True)
class _Asked:
    """A ceremony that was begun; `salt`: of a new passkey."""

    ceremony: Ceremony
    until: float
    salt: bytes = b""


@dataclass(frozen=True)
class Options:
    """For the page: the ceremony's id, and what `passkey.js` gives the browser, as JSON."""

    ceremony: str
    json: str


def _ceremony(challenge: bytes) -> Ceremony:
    parts = urlsplit(request.host_url)
    return Ceremony(challenge, f"{parts.scheme}://{parts.netloc}", parts.hostname or "")


def _can_have_passkeys(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return bool(host)
    return False


def _begin(kept: Keeper, random: Random, salt: bytes = b"") -> tuple[str, Ceremony]:
    ceremony = _ceremony(random(CHALLENGE_BYTES))
    asked = _Asked(ceremony, kept.clock.monotonic() + CHALLENGE_SECONDS, salt)
    return kept.begin_ceremony(asked), ceremony


def _take(kept: Keeper, ceremony_id: str) -> _Asked:
    """Once. Raises `Rejected`: `bad_passkey`."""
    asked = kept.end_ceremony(ceremony_id)
    if not isinstance(asked, _Asked):
        raise Rejected("bad_passkey", "the question is over; ask again", status=403)
    if kept.clock.monotonic() > asked.until:
        raise Rejected("bad_passkey", "the question is too old; ask again", status=403)
    return asked


def answer_of(form: Mapping[str, str]) -> Answer:
    """What the script put into the form."""
    return Answer(**{name: form.get(name, "") for name in Answer.__struct_fields__})


def login_options(kept: Keeper) -> Options | None:
    """For the page that unlocks; None where this browser has no passkey of the wallet."""
    host = _ceremony(b"").host
    if not kept.exists or not _can_have_passkeys(host):
        return None
    try:
        keyholes = [keyhole for keyhole in read_keyholes(kept.home.file(VAULT)).values() if keyhole.host == host]
    except RegieError:  # the page says what is wrong when the passphrase is tried
        return None
    if not keyholes:
        return None
    ceremony_id, ceremony = _begin(kept, kept.around().random)
    return Options(ceremony_id, _json(_login(ceremony, keyholes)))


def _login(ceremony: Ceremony, keyholes: list[Keyhole]) -> dict[str, Any]:
    """PublicKeyCredentialRequestOptionsJSON (WebAuthn level 3, 5.1.10)."""
    return {
        "challenge": b64u_encode(ceremony.challenge),
        "rpId": ceremony.host,
        "timeout": CHALLENGE_SECONDS * 1000,
        "userVerification": "required",
        "allowCredentials": [{"type": "public-key", "id": keyhole.credential} for keyhole in keyholes],
        "extensions": {
            "prf": {"evalByCredential": {keyhole.credential: {"first": keyhole.salt} for keyhole in keyholes}}
        },
    }


def unlock_by_passkey(kept: Keeper, answer: Answer, ceremony_id: str) -> None:
    """1. the ceremony is ours, young and unused; 2. the passkey is one of this file, and signed; 3. what its PRF
    gave opens the vault, which knows it too; 4. its count rose, and is kept.

    Raises `Rejected`: `bad_passkey`, `unknown_passkey`, `wrong_passkey`, `copied_passkey`, those of `open_vault`.
    """
    ceremony = _take(kept, ceremony_id).ceremony  # 1.
    with kept.taken():
        if kept.is_open:
            return
        around = kept.around()
        path = kept.home.file(VAULT)
        keyhole = read_keyholes(path).get(answer.credential)
        if keyhole is None or keyhole.host != ceremony.host:
            raise unknown_passkey()
        verified = verify_login(answer, ceremony, keyhole)  # 2.
        vault = open_vault_by_passkey(path, answer.credential, verified.secret, around.random)  # 3.
        with ExitStack() as undo:
            undo.callback(vault.close)
            _count(vault, verified)  # 4.
            undo.pop_all()
        kept.hold(around, vault)


def _count(vault: Vault, passkey: VerifiedPasskey) -> None:
    record = vault.get("passkeys", passkey.credential, PasskeyRecord)
    if record is None:
        raise unknown_passkey()
    check_count(record, passkey)
    if passkey.count != record.count:
        with vault.transaction():
            vault.put("passkeys", passkey.credential, replace(record, count=passkey.count))


def new_options(kept: Keeper, wallet: OpenWallet) -> Options | None:
    """For the page that adds a passkey; None where there can be none (an IP address)."""
    if not _can_have_passkeys(_ceremony(b"").host):
        return None
    salt = wallet.random(SALT_BYTES)
    ceremony_id, ceremony = _begin(kept, wallet.random, salt)
    return Options(ceremony_id, _json(_creation(ceremony, wallet, salt)))


def _creation(ceremony: Ceremony, wallet: OpenWallet, salt: bytes) -> dict[str, Any]:
    """PublicKeyCredentialCreationOptionsJSON (WebAuthn level 3, 5.1.9): nothing in it names the resident."""
    known = wallet.vault.all("passkeys", PasskeyRecord)
    return {
        "challenge": b64u_encode(ceremony.challenge),
        "rp": {"id": ceremony.host, "name": "Regie"},
        "user": {"id": b64u_encode(wallet.random(USER_BYTES)), "name": "Regie", "displayName": "Regie"},
        "pubKeyCredParams": [{"type": "public-key", "alg": _ES256}],
        "timeout": CHALLENGE_SECONDS * 1000,
        "attestation": "none",
        "authenticatorSelection": {"residentKey": "discouraged", "userVerification": "required"},
        "excludeCredentials": [{"type": "public-key", "id": name} for name in known],
        "extensions": {"prf": {"eval": {"first": b64u_encode(salt)}}},
    }


def add_passkey(
    kept: Keeper, wallet: OpenWallet, passphrase: bytes, name: str, answer: Answer, ceremony_id: str
) -> None:
    """A second way in, on the resident's passphrase.

    Raises `Rejected`: `bad_passkey`, `no_prf`, `wrong_passphrase`, `too_many_passkeys`.
    """
    asked = _take(kept, ceremony_id)
    if len(wallet.vault.all("passkeys", msgspec.Raw)) >= MAX_PASSKEYS:
        raise Rejected("too_many_passkeys", f"a wallet has at most {MAX_PASSKEYS} passkeys", status=409)
    passkey = verify_new_passkey(answer, asked.ceremony)
    record = PasskeyRecord(name.strip()[:MAX_NAME], wallet.now(), passkey.count)
    wallet.vault.add_passkey(
        passphrase,
        lambda key: wrap_for_passkey(key, passkey, asked.ceremony.host, asked.salt, wallet.random),
        record,
    )


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
