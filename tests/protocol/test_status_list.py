"""Token Status List: the draft's vectors, bit order, bombs, rollback, and a token that stands for another list."""

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import status_list as sl
from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.jws import sign_jws
from tests.protocol import builders as b
from tests.protocol.mutations import json_values, spoiled_text

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "token_status_list.json").read_text())
URI = b.STATUS_URI
LST = sl.encode_list(2, [0, 1, 2, 0, 0, 1])


def token(**changes: Any) -> str:
    arguments: dict[str, Any] = {
        "uri": URI,
        "bits": 2,
        "lst": LST,
        "iat": b.NOW,
        "exp": b.NOW + 3600,
        "ttl": 300,
        "signer": b.ISSUER.key,
        "x5c": b.ISSUER.x5c,
    }
    return sl.sign_status_token(**{**arguments, **changes})


def raw_token(*, typ: str = "statuslist+jwt", header: dict[str, Any] | None = None, **members: Any) -> str:
    good: dict[str, Any] = {
        "sub": URI,
        "iat": b.NOW,
        "exp": b.NOW + 3600,
        "ttl": 300,
        "status_list": {"bits": 2, "lst": LST},
    }
    payload = {name: value for name, value in {**good, **members}.items() if value is not None}
    return sign_jws(payload, b.ISSUER.key, typ=typ, header={"x5c": b.ISSUER.x5c, **(header or {})})


def verify(text: str, **changes: Any) -> sl.StatusList:
    arguments: dict[str, Any] = {"uri": URI, "roots": [b.ISSUER.root], "now": b.NOW}
    return sl.verify_status_token(text, **{**arguments, **changes})


def refused(code: str, text: str, **changes: Any) -> None:
    with pytest.raises(Rejected) as caught:
        verify(text, **changes)
    assert caught.value.code == code


@pytest.mark.parametrize("vector", VECTORS["small"], ids=lambda v: f"{v['bits']} bits")
def test_vectors_of_section_4(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["bytes"])
    assert sl.pack(vector["bits"], vector["statuses"]) == data
    assert sl.decode_list(vector["lst"]) == data
    listed = sl.StatusList(URI, vector["bits"], data, 0, None, 60)
    assert [listed.status(i) for i in range(len(listed))] == vector["statuses"]


@pytest.mark.parametrize("vector", VECTORS["large"], ids=lambda v: f"{v['bits']} bits")
def test_vectors_of_appendix_c(vector: dict[str, Any]) -> None:
    listed = sl.StatusList(URI, vector["bits"], sl.decode_list(vector["lst"]), 0, None, 60)
    assert len(listed) == vector["size"]
    for idx, status in vector["statuses"].items():
        assert listed.status(int(idx)) == status
    ones = sum(byte.bit_count() for byte in listed.data)
    assert ones == sum(status.bit_count() for status in vector["statuses"].values()), "all others are VALID"


@given(st.sampled_from([1, 2, 4, 8]), st.data())
def test_every_status_comes_back_at_its_place(bits: Any, data: Any) -> None:
    statuses = data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=1, max_size=40))
    listed = sl.StatusList(URI, bits, sl.decode_list(sl.encode_list(bits, statuses)), 0, None, 60)
    assert [listed.status(i) for i in range(len(statuses))] == statuses
    assert all(listed.status(i) == sl.VALID for i in range(len(statuses), len(listed)))


def test_verified_token_tells_the_status() -> None:
    listed = verify(token())
    assert [listed.status(i) for i in range(6)] == [0, sl.INVALID, sl.SUSPENDED, 0, 0, sl.INVALID]
    assert (listed.uri, listed.bits, listed.iat, listed.exp, listed.ttl) == (URI, 2, b.NOW, b.NOW + 3600, 300)


def test_index_outside_the_list_is_refused() -> None:
    listed = verify(token())
    assert len(listed) == 8
    assert listed.status(7) == sl.VALID
    for idx in (8, -1, 2**32):
        with pytest.raises(Rejected, match="bad_status_index"):
            listed.status(idx)


@pytest.mark.parametrize(("bits", "status"), [(1, 2), (2, 4), (4, 16), (8, 256), (1, -1)])
def test_issuer_packs_no_status_that_does_not_fit(bits: Any, status: int) -> None:
    with pytest.raises(ValueError, match="fit"):
        sl.pack(bits, [0, status])


def test_list_for_another_address_is_refused() -> None:
    refused("bad_status_list", token(uri=URI + "0"))
    refused("bad_status_list", token(), uri=URI + "/")


def test_older_list_than_seen_is_refused() -> None:
    assert verify(token(), minimum_iat=b.NOW)
    refused("status_rollback", token(), minimum_iat=b.NOW + 1)


def test_dates_of_a_list_are_heeded() -> None:
    assert verify(token(), now=b.NOW + 3599)
    refused("expired_status_list", token(), now=b.NOW + 3600)
    assert verify(token(), now=b.NOW - sl.MAX_CLOCK_SKEW)
    refused("expired_status_list", token(), now=b.NOW - sl.MAX_CLOCK_SKEW - 1)
    assert verify(raw_token(exp=None)).exp is None


@pytest.mark.parametrize(
    ("ttl", "clamped"),
    [
        (1, sl.MIN_TTL),
        (sl.MIN_TTL, sl.MIN_TTL),
        (300, 300),
        (sl.MAX_TTL, sl.MAX_TTL),
        (10 * 365 * b.DAY, sl.MAX_TTL),
        (None, sl.DEFAULT_TTL),
    ],
)
def test_time_to_live_is_clamped(ttl: int | None, clamped: int) -> None:
    assert verify(raw_token(ttl=ttl)).ttl == clamped


def test_fetched_copy_goes_stale() -> None:
    listed = verify(token())
    assert listed.is_fresh(b.NOW, b.NOW + 299)
    assert not listed.is_fresh(b.NOW, b.NOW + 300)
    assert not listed.is_fresh(b.NOW + 3500, b.NOW + 3600), "exp comes first"
    assert verify(raw_token(exp=None)).is_fresh(b.NOW + b.DAY, b.NOW + b.DAY)


def test_list_signed_by_a_stranger_is_refused() -> None:
    refused("untrusted_chain", token(signer=b.STRANGER.key, x5c=b.STRANGER.x5c))
    refused("bad_signature", token(signer=b.STRANGER.key))
    refused("bad_x5c", raw_token(header={"x5c": None}))


def test_certificate_that_has_expired_is_refused() -> None:
    later = b.NOW + 401 * b.DAY
    refused("certificate_expired", token(iat=later, exp=later + 60), now=later)


@pytest.mark.parametrize("header", [{"alg": "HS256"}, {"alg": "none"}])
def test_mac_instead_of_signature_is_refused(header: dict[str, Any]) -> None:
    refused("bad_algorithm", raw_token(header=header))


@pytest.mark.parametrize("typ", ["JWT", "statuslist+cwt", "dc+sd-jwt"])
def test_another_kind_of_token_is_refused(typ: str) -> None:
    refused("bad_type", raw_token(typ=typ))


@pytest.mark.parametrize(
    "members",
    [
        {"sub": None},
        {"sub": 1},
        {"iat": None},
        {"iat": -1},
        {"iat": "now"},
        {"exp": "later"},
        {"ttl": 0},
        {"ttl": -5},
        {"ttl": "300"},
        {"status_list": None},
        {"status_list": {"bits": 3, "lst": LST}},
        {"status_list": {"bits": 0, "lst": LST}},
        {"status_list": {"bits": 16, "lst": LST}},
        {"status_list": {"bits": "1", "lst": LST}},
        {"status_list": {"lst": LST}},
        {"status_list": {"bits": 1}},
        {"status_list": {"bits": 1, "lst": 7}},
    ],
    ids=str,
)
def test_members_of_another_form_are_refused(members: dict[str, Any]) -> None:
    refused("bad_form", raw_token(**members))


def test_members_of_others_are_left_alone() -> None:
    assert verify(raw_token(status_list={"bits": 2, "lst": LST, "aggregation_uri": "https://x"}, jti="1"))


def deflated(data: bytes) -> str:
    return b64u_encode(zlib.compress(data, 9))


def test_decompression_bomb_is_refused_unread() -> None:
    assert len(sl.decode_list(deflated(bytes(sl.MAX_LIST_BYTES)))) == sl.MAX_LIST_BYTES
    for size in (sl.MAX_LIST_BYTES + 1, 64 * sl.MAX_LIST_BYTES):
        with pytest.raises(Rejected, match="too_large"):
            sl.decode_list(deflated(bytes(size)))


def test_issuer_makes_no_list_that_nobody_reads() -> None:
    assert sl.encode_packed(bytes(sl.MAX_LIST_BYTES))
    for size in (0, sl.MAX_LIST_BYTES + 1):
        with pytest.raises(ValueError, match="bytes"):
            sl.encode_packed(bytes(size))


def test_incompressible_list_of_the_largest_size_still_fits_a_token() -> None:
    data = b.random_of("status")(sl.MAX_LIST_BYTES)
    assert verify(token(bits=8, lst=sl.encode_packed(data))).data == data


def test_spoiled_zlib_streams_are_refused() -> None:
    good = zlib.compress(b"\x01\x02\x03", 9)
    for data in (b"", good[:-1], good + b"\0", b"\0" + good, zlib.compress(b""), good[:-4] + bytes(4), good[2:-4]):
        with pytest.raises(Rejected, match="bad_status_list"):
            sl.decode_list(b64u_encode(data))


def test_token_size_is_limited() -> None:
    refused("too_large", token() + "A" * sl.MAX_TOKEN_BYTES)


@given(st.one_of(st.binary(max_size=60).map(b64u_encode), spoiled_text(LST), st.text(max_size=20)))
def test_hostile_list_raises_nothing_but_rejected(lst: str) -> None:
    try:
        assert sl.decode_list(lst)
    except Rejected:
        return


GOOD = token()


@given(spoiled_text(GOOD))
def test_spoiled_token_raises_nothing_but_rejected(text: str) -> None:
    if text == GOOD:
        return
    try:
        verify(text)
    except Rejected:
        return
    pytest.fail("a spoiled token was accepted")


@given(st.dictionaries(st.sampled_from(["sub", "iat", "exp", "ttl", "status_list"]), json_values))
def test_hostile_payload_by_the_issuer_raises_nothing_but_rejected(members: dict[str, Any]) -> None:
    header = b64u_encode(json.dumps({"alg": "ES256", "typ": "statuslist+jwt", "x5c": b.ISSUER.x5c}).encode())
    body = f"{header}.{b64u_encode(json.dumps(members).encode())}"
    with pytest.raises(Rejected):
        verify(f"{body}.{b64u_encode(b.ISSUER.key.sign(body.encode()))}")
