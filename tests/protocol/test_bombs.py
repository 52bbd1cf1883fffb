"""Inputs made to exhaust a reader: refused within limits, whatever they would unfold to.

What is asserted is memory (tracemalloc, beyond the input itself), not time. Every row of `test_every_parser` is
given all bombs of its kind; the ones with a code below are those of the test plan.
"""

import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from protocol import (
    credential,
    disclosure,
    issuer_jwt,
    jws,
    note,
    openid4vp,
    policy,
    status_list,
    trust_list,
    x509,
)
from protocol.canonical import b64u_encode, parse_json
from protocol.consent_api import MAX_PAGE_BYTES, OpeningsAnswer, parse_body
from protocol.errors import Rejected
from protocol.trust_list import MAX_TRUST_LIST_BYTES
from tests.protocol import builders as b
from tests.protocol.peer_input import Row, forge, forge_header, payload_of
from tests.protocol.peer_input_tokens import CARD, JWT, STATUS_TOKEN, X5C
from tests.protocol.test_every_parser import ROWS, attempt

MAX_PEAK = 64 * 2**20
DEPTH = 10**5


@contextmanager
def bounded() -> Iterator[None]:
    """The block needs less than `MAX_PEAK` beyond what there was."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MAX_PEAK


def is_refused(code: str, call: Callable[[], object]) -> None:
    with bounded(), pytest.raises(Rejected) as caught:
        call()
    assert caught.value.code == code


@cache
def many_keys() -> bytes:
    """10^6 keys."""
    return b"{" + b",".join(b'"%x":0' % i for i in range(10**6)) + b"}"


@cache
def inflated_256_mib() -> bytes:
    """zlib of 256 MiB of zeros: 261 kB."""
    deflate, zeros = zlib.compressobj(9), bytes(2**20)
    return b"".join([*(deflate.compress(zeros) for _ in range(256)), deflate.flush()])


def sign_payload(text: bytes, *, typ: str = "dc+sd-jwt") -> str:
    """Any payload, well signed by the issuer."""
    return forge_header({"alg": "ES256", "typ": typ, **X5C}, b64u_encode(text), b.ISSUER.key)


def verify_issuer(token: str) -> object:
    return issuer_jwt.verify_issuer_jwt(token, b.TRUST, b.NOW)


def verify_status(token: str) -> object:
    return status_list.verify_status_token(token, uri=b.STATUS_URI, roots=[b.ISSUER.root], now=b.NOW)


DEEP = [
    b"[" * DEPTH,
    b'{"a":' * DEPTH,
    b"[" * DEPTH + b"]" * DEPTH,
    b'[{"a":' * (DEPTH // 2) + b"0" + b"}]" * (DEPTH // 2),
]


@pytest.mark.parametrize("text", DEEP, ids=lambda text: str(text[:8]))
def test_deep_json_is_refused_before_it_is_read(text: bytes) -> None:
    is_refused("too_deep", lambda: parse_json(text, max_bytes=2**21))
    is_refused("too_deep", lambda: parse_json(text.decode(), max_bytes=2**21))
    is_refused("too_deep", lambda: parse_json(text, max_bytes=2**21, floats=True))
    is_refused("too_large", lambda: parse_json(text))
    is_refused("too_large", lambda: verify_issuer(sign_payload(text)))
    is_refused("too_deep", lambda: verify_issuer(sign_payload(text[:5000])))
    is_refused("too_deep", lambda: disclosure.parse_disclosure(b64u_encode(text[:5000])))


def test_deep_json_in_a_large_trust_list_is_refused() -> None:
    payload = b64u_encode(DEEP[1])
    token = forge_header({"alg": "ES256", "typ": trust_list.TRUST_LIST_TYP}, payload, b.REGISTRAR)
    is_refused("too_deep", lambda: trust_list.verify_trust_list(token, b.REGISTRAR.public, b.NOW))


def test_disclosures_that_unfold_into_each_other_are_refused() -> None:
    """RFC 9901 section 9: each disclosure holds the digest of the next one."""
    chain: list[str] = []
    value: Any = 1
    for i in range(disclosure.MAX_DISCLOSURES):
        made = disclosure.make_disclosure(f"n{i}", value, bytes(16))
        chain.append(made.encoded)
        value = {"_sd": [b64u_encode(made.digest)]}
    is_refused("too_deep", lambda: disclosure.process(value, chain))


def test_a_million_keys_are_refused() -> None:
    assert many_keys().count(b":") == 10**6
    is_refused("too_large", lambda: parse_json(many_keys()))
    is_refused("too_large", lambda: parse_json(many_keys(), max_bytes=len(many_keys())))
    is_refused("too_large", lambda: parse_body(many_keys(), OpeningsAnswer, max_bytes=MAX_PAGE_BYTES))
    is_refused("too_large", lambda: verify_issuer(sign_payload(many_keys()[:50_000])))


@pytest.mark.parametrize("unit", [b"[],", b"[[[]]],", b'{"a":1},', b"1,", b'"ab",'])
def test_a_page_as_large_as_allowed_unfolds_within_bounds(unit: bytes) -> None:
    text = b"[" + unit * ((MAX_PAGE_BYTES - 3) // len(unit))
    text = text[:-1] + b" ]"
    with bounded(), pytest.raises(Rejected):
        parse_body(text, OpeningsAnswer, max_bytes=MAX_PAGE_BYTES)


def test_a_page_with_as_many_keys_as_allowed_unfolds_within_bounds() -> None:
    with bounded():
        assert len(
            parse_json(b"{" + b",".join(b'"%x":0' % i for i in range(2**18 - 1)) + b" }", max_bytes=MAX_PAGE_BYTES)
        )


def test_status_list_of_256_mib_is_not_inflated() -> None:
    lst = b64u_encode(inflated_256_mib())
    is_refused("too_large", lambda: status_list.decode_list(lst))
    payload = {**payload_of(STATUS_TOKEN), "status_list": {"bits": 1, "lst": lst}}
    is_refused("too_large", lambda: verify_status(forge(payload, b.ISSUER.key, "statuslist+jwt", X5C)))


def test_a_chain_of_1000_certificates_is_refused() -> None:
    x5c = {"x5c": b.ISSUER.x5c * 1000}
    is_refused("bad_x5c", lambda: x509.parse_x5c(x5c["x5c"]))
    is_refused("bad_chain", lambda: x509.verify_chain([b.ISSUER.leaf] * 1000, [b.ISSUER.root], b.NOW))
    is_refused("too_large", lambda: verify_issuer(forge(payload_of(JWT), b.ISSUER.key, "dc+sd-jwt", x5c)))
    short = {"x5c": ["A"] * 1000}
    is_refused("bad_x5c", lambda: verify_issuer(forge({}, b.ISSUER.key, "dc+sd-jwt", short)))
    request = forge({}, b.AGENCY.key, "oauth-authz-req+jwt", short)
    is_refused("bad_x5c", lambda: openid4vp.verify_request_object(request, b.AGENCY.client_id, b.TRUST, b.NOW))
    read = forge({}, b.AGENCY.key, "regie-read+jwt", short)
    is_refused(
        "bad_x5c", lambda: trust_list.verify_agency_jws(read, typ="regie-read+jwt", agency=b.agency(), now=b.NOW)
    )


def test_ten_thousand_disclosures_are_refused() -> None:
    text = f"{JWT}{'~WyJhIiwiYiIsMV0' * 10**4}~"
    is_refused("too_many_disclosures", lambda: credential.split_sd_jwt(text))
    is_refused("too_large", lambda: credential.split_sd_jwt(f"{JWT}{'~WyJhIiwiYiIsMV0' * 10**5}~"))
    is_refused("too_many_disclosures", lambda: credential.split_sd_jwt(f"a{'~b' * 10**4}~"))
    is_refused("too_many_disclosures", lambda: credential.verify_credential(f"a{'~b' * 10**4}~", b.TRUST, b.NOW))
    is_refused("too_many_disclosures", lambda: disclosure.process({}, text.split("~")[1:-1]))


def test_ten_thousand_digests_are_refused() -> None:
    digests = [b64u_encode(i.to_bytes(32, "big")) for i in range(10**4)]
    is_refused("too_large", lambda: verify_issuer(sign_payload(str({"_sd": digests}).replace("'", '"').encode())))


def test_a_claim_name_of_1_mib_is_refused() -> None:
    name = "n" * 2**20
    encoded = b64u_encode(b'["salt","%s",1]' % name.encode())
    is_refused("too_large", lambda: disclosure.parse_disclosure(encoded))
    is_refused("too_large", lambda: disclosure.process({"_sd": []}, [encoded]))
    is_refused(
        "too_large", lambda: verify_issuer(forge({**payload_of(JWT), name: 1}, b.ISSUER.key, "dc+sd-jwt", X5C))
    )
    is_refused("too_large", lambda: credential.verify_credential(f"{CARD}{encoded}~", b.TRUST, b.NOW))


@pytest.mark.parametrize("digits", [5000, 10**6])
def test_integers_of_5000_digits_are_not_converted(digits: int) -> None:
    for text in (b"9" * digits, b"-" + b"9" * digits, b"[" + b"9" * digits + b"]", b"9" * digits + b".5"):
        is_refused("bad_json", lambda text=text: parse_json(text, max_bytes=2**21))
    is_refused("bad_json", lambda: verify_issuer(sign_payload(b'{"iat":' + b"9" * 5000 + b"}")))
    header = b64u_encode(b'{"alg":' + b"9" * 5000 + b"}")
    is_refused("bad_json", lambda: jws.parse_jws(f"{header}..", typ="dc+sd-jwt"))
    is_refused("bad_decimal", lambda: note.decode_decimal("9" * digits, below=2**63))


def test_a_policy_of_many_groups_is_refused_early() -> None:
    lines = "".join(f"group g{i} any g{i - 1}\n" for i in range(10**4))
    is_refused("too_large", lambda: policy.parse_policy(lines + "quorum g1\n"))
    is_refused("bad_policy", lambda: policy.parse_policy(lines[:60_000].rpartition("\n")[0] + "\nquorum g1\n"))


def test_a_trust_list_as_large_as_allowed_is_read_within_bounds() -> None:
    texts = [b.service(version=n) for n in range(1, 2800)]
    token = b.trust_list_token(agencies=[b.agency(services=texts)])
    assert 0.8 * MAX_TRUST_LIST_BYTES < len(token) <= MAX_TRUST_LIST_BYTES
    with bounded():
        trust_list.verify_trust_list(token, b.REGISTRAR.public, b.NOW)


MIB = 2**20
BYTES = [*DEEP, b"9" * 5000, bytes(MIB), b"\xff" * MIB, b"\n" * MIB, b"=" * MIB, b"&a=b" * 10**5, b"A" * (8 * MIB)]
TEXTS = [data.decode("latin-1") for data in BYTES] + ["~" * MIB, "." * MIB, "é" * MIB, "\ud800" * MIB, "0" * MIB]


TEXT_ROWS = [
    row for row in ROWS if isinstance(row.specimen, str | bytes) and row.what not in ("body", "checkpoint")
]
"""Without those where the test itself signs the text first."""


@pytest.mark.parametrize("row", TEXT_ROWS, ids=str)
def test_no_parser_unfolds_a_bomb(row: Row) -> None:
    with bounded():
        for bomb in TEXTS if isinstance(row.specimen, str) else BYTES:
            attempt(row, bomb)
