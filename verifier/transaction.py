"""Transaction data of a copy: what the holder is to agree to besides showing a card (OpenID4VP 1.0 section 8.4).

The types are those of others (a payment, a signature): a home names the ones that it may ask for. Standing access
has its own element, made in `ask.py` and checked in `protocol/consent.py`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from protocol.canonical import JsonValue, b64u_decode, b64u_encode, canonical_bytes, parse_object, sha256
from protocol.dcql import Query
from protocol.errors import Rejected
from protocol.key_binding import VerifiedKeyBinding
from protocol.terms import CONSENT_TYPE

MAX_ITEMS = 16
"""As many hashes as a key-binding JWT is read with."""
MAX_ITEM_BYTES = 8 * 1024
"""A request object has 64 KiB in all."""
HASHES = "transaction_data_hashes_alg"


def parse_item(data: bytes) -> dict[str, JsonValue]:
    """One object as the desk writes it: JSON with `type` and `credential_ids`. Raises `Rejected`: of parsing."""
    return parse_object(data, max_bytes=MAX_ITEM_BYTES)


def make_items(items: Sequence[Mapping[str, Any]], query: Query, types: Collection[str]) -> list[str]:
    """The elements of `transaction_data` (base64url JSON), which name SHA-256 as the hash to use.

    1. a type that this home may ask for; 2. `credential_ids` are queries; 3. size. Raises `Rejected`: `bad_wish`.
    """
    if len(items) > MAX_ITEMS:
        raise Rejected("bad_wish", f"at most {MAX_ITEMS} transactions in one request")
    return [_make_item(item, {credential.id for credential in query.credentials}, types) for item in items]


def _make_item(item: Mapping[str, Any], ids: Collection[str], types: Collection[str]) -> str:
    if item.get("type") not in types or item.get("type") == CONSENT_TYPE:  # 1.
        raise Rejected("bad_wish", "config.json does not name this type in transaction_types")
    named = item.get("credential_ids")
    if (
        not isinstance(named, list)
        or not named
        or not all(isinstance(name, str) and name in ids for name in named)
    ):
        raise Rejected("bad_wish", "credential_ids of a transaction names queries of this request")  # 2.
    encoded = canonical_bytes({**item, HASHES: ["sha-256"]})
    if len(encoded) > MAX_ITEM_BYTES:  # 3.
        raise Rejected("bad_wish", f"a transaction has at most {MAX_ITEM_BYTES} bytes")
    return b64u_encode(encoded)


def check_transactions(items: Sequence[str], bindings: Mapping[str, Sequence[VerifiedKeyBinding]]) -> None:
    """The holder signed every transaction that was asked, with a card that may, and no other (appendix B.3.3.1).

    `items` as they stand in the request; `bindings` by credential query. Raises `Rejected`: `bad_transaction`.
    """
    may_sign: dict[bytes, set[str]] = {}
    for item in items:
        named = parse_object(b64u_decode(item))["credential_ids"]
        may_sign.setdefault(sha256(item.encode("ascii")), set()).update(named)
    signed = {
        (query, digest)
        for query, many in bindings.items()
        for binding in many
        for digest in binding.transaction_data_hashes
    }
    if any(query not in may_sign.get(digest, ()) for query, digest in signed):
        raise Rejected("bad_transaction", "a card signs a transaction that was not asked of it")
    # Section 8.4: each by one of the cards named, and no more. Counting alone would take one transaction that two
    # cards signed for two transactions.
    if sorted(digest for _, digest in signed) != sorted(may_sign):
        raise Rejected("bad_transaction", "a transaction was not signed by one card of the holder")
