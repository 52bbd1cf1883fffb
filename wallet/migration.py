"""The migration object of EUDI TS10 (1.2, sections 3.17 to 3.19, 4.2): what goes along to any other wallet. Pure.

It lists the cards, carries those that are bound to no key, and the transaction log. It holds no key and no seed:
what is bound to keys of this wallet is issued anew to the next one, and agreements stay where they are. What
another wallet wrote is somebody's word: it is read leniently as to form, within limits, and proves nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from protocol.canonical import parse_json
from protocol.errors import Rejected
from protocol.names import visible
from wallet.records import Copy

IssuerType: TypeAlias = Literal["QEAAProvider", "NonQEAAProvider", "PubEEAProvider", "PIDProvider"]
URI_SCHEME = "urn:ietf:rfc:3986"
"""Type of an identifier that is a URI: TS2 names none for issuers that are known by their address alone."""
MAX_CREDENTIALS = 1000
MAX_TRANSACTIONS = 5000
MAX_TRANSACTION_BYTES = 32 * 1024
MAX_NAME = 256
MAX_URL = 2048
MAX_PLAIN_BYTES = 24 * 1024 * 1024


class Identifier(msgspec.Struct, frozen=True):
    """TS2: whose `identifier` it is in which scheme (`type`)."""

    type: str
    identifier: str


class MultiLangString(msgspec.Struct, frozen=True):
    """TS5 2.4.6."""

    lang: str
    content: str


class CredentialInfo(msgspec.Struct, frozen=True, rename={"supply_point_url": "supplyPointURL"}):
    """TS10 3.19.1 with what it inherits of TS5's Credential; the names are theirs."""

    credentialIdentifier: str
    format: str
    meta: Mapping[str, list[str]]
    claims: list[Mapping[str, list[str]]]
    issuerIdentifier: list[Identifier]
    issuerType: IssuerType
    issuerName: MultiLangString
    supply_point_url: str


class NonDeviceBoundCredential(msgspec.Struct, frozen=True):
    """TS10 3.19.13: the credential as it came."""

    format: str
    credential: str


class MigrationData(msgspec.Struct, frozen=True):
    """TS10 3.18."""

    transactionLog: list[Mapping[str, Any]]
    listOfCredentials: list[CredentialInfo]
    nonDeviceBoundCredentials: list[NonDeviceBoundCredential]


@dataclass(frozen=True)
class IssuerOf:
    """Who issued a card, as the trust list says. `supply_point`: where a wallet begins to ask for it."""

    name: str
    supply_point: str
    is_listed: bool


@dataclass(frozen=True)
class Wanted:
    """A card that the old wallet had and the new one has to ask for. Texts of a file: nothing is proven."""

    vct: str
    format: str
    issuer_name: str
    supply_point: str


@dataclass(frozen=True)
class Migration:
    """What a migration object holds, as far as it can be read."""

    wanted: tuple[Wanted, ...]
    unbound: tuple[NonDeviceBoundCredential, ...]
    transactions: tuple[Mapping[str, Any], ...]


def make_migration(
    copies: Iterable[Copy],
    claims: Mapping[str, list[str]],
    issuers: Mapping[str, IssuerOf],
    transactions: list[Mapping[str, Any]],
) -> MigrationData:
    """Of a wallet. `claims`: names of attributes by vct; `issuers` by `iss`. Cards of somebody else stay: who acts
    for another takes the mandate anew.
    """
    own = [copy for copy in copies if copy.mandate is None]
    kinds = {(copy.vct, copy.issuer, copy.format): copy for copy in own if copy.is_bound}
    unbound = {copy.credential: copy.format for copy in own if not copy.is_bound}
    return MigrationData(
        transactionLog=transactions,
        listOfCredentials=[_info(copy, claims, issuers[copy.issuer]) for _, copy in sorted(kinds.items())],
        nonDeviceBoundCredentials=[NonDeviceBoundCredential(kind, text) for text, kind in unbound.items()],
    )


def _info(copy: Copy, claims: Mapping[str, list[str]], issuer: IssuerOf) -> CredentialInfo:
    return CredentialInfo(
        credentialIdentifier=copy.vct,
        format=copy.format,
        meta={"vct_values": [copy.vct]},
        claims=[{"path": [name]} for name in claims.get(copy.vct, [])],
        issuerIdentifier=[Identifier(URI_SCHEME, copy.issuer)],
        issuerType="PubEEAProvider" if issuer.is_listed else "NonQEAAProvider",
        issuerName=MultiLangString("nl", issuer.name),
        supply_point_url=issuer.supply_point,
    )


def read_migration(plain: bytes) -> Migration:
    """What is in a decrypted migration object of any wallet. Raises `Rejected`: `bad_migration`, `too_large`."""
    if len(plain) > MAX_PLAIN_BYTES:
        raise Rejected("too_large", "this file is too large to be a migration object")
    try:
        data = parse_json(plain, max_bytes=MAX_PLAIN_BYTES, floats=True)
    except Rejected as error:
        raise _not_one() from error
    if isinstance(data, dict) and set(data) == {"MigrationData"}:
        data = data["MigrationData"]
    if not isinstance(data, dict):
        raise _not_one()
    return Migration(
        tuple(_wanted(each) for each in _objects(data, "listOfCredentials", MAX_CREDENTIALS)),
        tuple(_unbound(each) for each in _objects(data, "nonDeviceBoundCredentials", MAX_CREDENTIALS)),
        tuple(_transaction(each) for each in _objects(data, "transactionLog", MAX_TRANSACTIONS)),
    )


def _objects(data: Mapping[str, Any], name: str, most: int) -> list[dict[str, Any]]:
    """All three members have to be there; each is an array of objects."""
    found = data.get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _not_one()
    if len(found) > most:
        raise Rejected("too_large", f"there are more than {most} entries of one kind in this file")
    return found


def _wanted(info: Mapping[str, Any]) -> Wanted:
    vct, kind = info.get("credentialIdentifier"), info.get("format")
    if not (isinstance(vct, str) and isinstance(kind, str)):
        raise _not_one()
    point = info.get("supplyPointURL")
    return Wanted(
        visible(vct, MAX_NAME),
        visible(kind, MAX_NAME),
        spoken(info.get("issuerName")),
        point if isinstance(point, str) and is_web_address(point) else "",
    )


def _unbound(found: Mapping[str, Any]) -> NonDeviceBoundCredential:
    kind, text = found.get("format"), found.get("credential")
    if not (isinstance(kind, str) and isinstance(text, str)):
        raise _not_one()
    return NonDeviceBoundCredential(kind, text)


def _transaction(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """TS10 3.1: identifier, time and type have to be there; the rest is kept as it came."""
    if not all(isinstance(found.get(name), str) for name in ("transactionIdentifier", "time", "transactionType")):
        raise _not_one()
    if len(msgspec.json.encode(found)) > MAX_TRANSACTION_BYTES:
        raise Rejected("too_large", "one transaction in this file is too large")
    return found


def spoken(name: object) -> str:
    """A text that may come plain, as a MultiLangString, or as an array of them; empty for anything else."""
    if isinstance(name, list) and name:
        name = name[0]
    if isinstance(name, dict):
        name = name.get("content")
    return visible(name, MAX_NAME) if isinstance(name, str) else ""


def is_web_address(text: str) -> bool:
    """Whether it is short enough and begins as an address on the web does."""
    try:
        return len(text) <= MAX_URL and urlsplit(text).scheme in ("https", "http")
    except ValueError:
        return False


def _not_one() -> Rejected:
    return Rejected("bad_migration", "this file is not one that a wallet made for another wallet")
