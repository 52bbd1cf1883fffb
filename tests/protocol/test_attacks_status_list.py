"""Attacks on Token Status Lists (draft-ietf-oauth-status-list 11, 12; HAIP 1.0 6.1), by what the attacker wants.

Wanted is always one of two: that a revoked credential counts as valid, or that the reader chokes. The genuine list
says the same before and after.
"""

import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from protocol import status_list as sl
from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from tests.protocol import builders as b
from tests.protocol.peer_input import forge

URI = b.STATUS_URI
REVOKED = 5
STATUSES = [sl.INVALID if index == REVOKED else sl.VALID for index in range(64)]
CLEAN = sl.encode_list(1, [sl.VALID] * 64)


def token(*, signer: b.Party = b.ISSUER, header: Any = None, **members: Any) -> str:
    """A status list token, well signed; None removes a member."""
    good = {
        "sub": URI, "iat": b.NOW, "exp": b.NOW + 3600, "ttl": 300,
        "status_list": {"bits": 1, "lst": sl.encode_list(1, STATUSES)},
    }  # fmt: skip
    payload = {name: value for name, value in {**good, **members}.items() if value is not None}
    return forge(payload, signer.key, "statuslist+jwt", {"x5c": signer.x5c, **(header or {})})


def read(text: str, **changes: Any) -> sl.StatusList:
    arguments: dict[str, Any] = {"uri": URI, "roots": [b.ISSUER.root], "now": b.NOW}
    return sl.verify_status_token(text, **{**arguments, **changes})


def refused(code: str, text: str, **changes: Any) -> None:
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            read(text, **changes)
        assert caught.value.code == code


@pytest.fixture(autouse=True)
def nothing_changed() -> Iterator[None]:
    """The genuine list still tells who is revoked."""
    genuine = read(token())
    yield
    assert read(token()) == genuine
    assert [genuine.status(index) for index in range(64)] == STATUSES


def test_clean_list_of_a_stranger() -> None:
    refused("untrusted_chain", token(signer=b.STRANGER, status_list={"bits": 1, "lst": CLEAN}))


def test_clean_list_of_another_issuer_with_the_same_address() -> None:
    """A trusted issuer speaks for its own credentials only."""
    refused("untrusted_chain", token(signer=b.FOREIGN))
    assert read(token(signer=b.FOREIGN), roots=[b.FOREIGN.root])


def test_clean_list_of_another_address() -> None:
    for uri in (URI + "/", URI.upper(), URI.replace("https", "http"), URI + "?x"):
        refused("bad_status_list", token(sub=uri))


def test_rollback_to_the_list_from_before_the_revocation() -> None:
    refused("status_rollback", token(iat=b.NOW - 1, status_list={"bits": 1, "lst": CLEAN}), minimum_iat=b.NOW)


def test_expired_list() -> None:
    refused("expired_status_list", token(exp=b.NOW))


def test_list_from_the_future() -> None:
    """It would make every genuine list after it a rollback."""
    refused("expired_status_list", token(iat=b.NOW + 10 * b.DAY, exp=b.NOW + 20 * b.DAY))


def test_list_that_wants_to_be_kept_for_ten_years() -> None:
    listed = read(token(ttl=10 * 365 * b.DAY, exp=None))
    assert listed.ttl == sl.MAX_TTL
    assert not listed.is_fresh(b.NOW, b.NOW + sl.MAX_TTL)


def test_list_that_wants_to_be_fetched_for_every_read() -> None:
    refused("bad_form", token(ttl=0))
    assert read(token(ttl=1)).ttl == sl.MIN_TTL


def test_index_out_of_bounds() -> None:
    for index in (64, 2**31, 2**32, -1):
        with pytest.raises(Rejected, match="bad_status_index"):
            read(token()).status(index)


def test_index_out_of_bounds_of_a_list_cut_short() -> None:
    """An issuer's list that lost its end says nothing about who stood there."""
    listed = read(token(status_list={"bits": 1, "lst": sl.encode_list(1, [0] * 8)}))
    with pytest.raises(Rejected, match="bad_status_index"):
        listed.status(REVOKED + 8)


def test_bits_read_from_the_other_end() -> None:
    """Least significant first (section 4.1): the other order would revoke somebody else."""
    listed = sl.StatusList(URI, 1, bytes([0b0010_0000]), 0, None, 60)
    assert [index for index in range(8) if listed.status(index)] == [5]


@pytest.mark.parametrize("bits", [0, 3, 16, -1, "1", None, True])
def test_other_number_of_bits(bits: Any) -> None:
    refused("bad_form", token(status_list={"bits": bits, "lst": CLEAN}))


def test_unknown_status_is_not_valid() -> None:
    """Application-specific values (section 7.1) are not VALID, whoever made them up."""
    listed = read(token(status_list={"bits": 8, "lst": sl.encode_list(8, [0x0C, 0xFF, 3])}))
    assert all(listed.status(index) != sl.VALID for index in range(3))


def test_decompression_bomb() -> None:
    bomb = zlib.compressobj(9)
    lst = b64u_encode(b"".join([*(bomb.compress(bytes(2**20)) for _ in range(64)), bomb.flush()]))
    assert len(lst) < 2**17
    refused("too_large", token(status_list={"bits": 1, "lst": lst}))


def test_stream_that_never_ends_or_hides_another() -> None:
    good = zlib.compress(bytes(8))
    for data in (good[:-1], good + good, good + b"\0", zlib.compress(b""), b"", good[:2] + good[6:]):
        refused("bad_status_list", token(status_list={"bits": 1, "lst": b64u_encode(data)}))


def test_oversized_token() -> None:
    refused("too_large", token() + "A" * sl.MAX_TOKEN_BYTES)


def test_trust_anchor_or_self_signed_certificate_in_the_chain() -> None:
    """HAIP 1.0 section 6.1."""
    refused("bad_chain", token(header={"x5c": b.ISSUER.x5c + b.ISSUER.roots}))
    refused("bad_chain", token(header={"x5c": b.ISSUER.roots}))
    refused("bad_x5c", token(header={"x5c": []}))


def test_credential_in_place_of_a_list_and_the_reverse() -> None:
    refused("bad_type", b.credential().split("~")[0])
    from_list = forge({"sub": URI}, b.ISSUER.key, "JWT", {"x5c": b.ISSUER.x5c})
    refused("bad_type", from_list)


def test_historical_resolution_is_not_answered() -> None:
    """Section 8.4 is off: an issuer's list as of long ago tells what the resident's status was then."""
    refused("expired_status_list", token(iat=b.NOW - 10 * b.DAY, exp=b.NOW - 9 * b.DAY))
