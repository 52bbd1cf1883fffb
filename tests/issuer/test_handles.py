"""What only we can have made, where codes may go, and refresh tokens against a naive model."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.authorize import Client, check_redirect_uri, login_secrets
from issuer.handle import derive, find_id, is_id, make_handle, read_handle
from issuer.issue import DAY
from issuer.nonce import NONCE_SECONDS, Use, make_nonce, verify_nonce
from issuer.renew import MAX_REFRESHES_A_DAY, decide_refresh, make_renewal
from protocol.canonical import b64u_decode, b64u_encode
from protocol.errors import Rejected
from tests.issuer.desk import NOOR, NOW

KEY, ID = b"k" * 32, "00112233445566778899aabbccddeeff"
ids = st.binary(min_size=16, max_size=16).map(bytes.hex)


@given(ids, st.binary(min_size=1, max_size=12), st.binary(max_size=8))
def test_handle_is_read_by_its_own_key_and_label_only(id_: str, label: bytes, more: bytes) -> None:
    handle = make_handle(KEY, label, id_, more)
    assert read_handle(KEY, label, handle, len(more)) == (id_, more)
    assert read_handle(b"j" * 32, label, handle, len(more)) is None
    assert read_handle(KEY, label + b"x", handle, len(more)) is None
    assert read_handle(KEY, label, handle, len(more) + 1) is None
    assert is_id(id_)


@given(st.integers(min_value=0, max_value=35), st.integers(min_value=1, max_value=255))
def test_handle_with_one_byte_changed_is_none(place: int, change: int) -> None:
    raw = bytearray(b64u_decode(make_handle(KEY, b"label", ID, b"\0\0\0\1")))
    raw[place] ^= change
    assert read_handle(KEY, b"label", b64u_encode(bytes(raw)), 4) is None


@given(st.text(max_size=80))
def test_any_text_is_no_ticket(text: str) -> None:
    assert find_id(KEY, b"label", text) is None


def test_what_follows_the_label_cannot_be_moved_into_it() -> None:
    assert make_handle(KEY, b"ab", ID) != make_handle(KEY, b"a", ID)
    secrets = login_secrets(KEY, ID)
    assert len({secrets.state, secrets.nonce, secrets.verifier, derive(KEY, b"x", ID)}) == 4
    assert len(secrets.verifier) == 43


@pytest.mark.parametrize("use", Use)
def test_nonce_is_for_its_use_and_time_only(use: Use) -> None:
    nonce = make_nonce(KEY, NOW, lambda size: b"r" * size, use)
    assert verify_nonce(KEY, nonce, NOW + NONCE_SECONDS - 1, use) == (b"r" * 16, NOW + NONCE_SECONDS)
    for key, now, other in ((KEY, NOW + NONCE_SECONDS, use), (b"j" * 32, NOW, use)):
        with pytest.raises(Rejected, match="invalid_nonce"):
            verify_nonce(key, nonce, now, other)
    for other in set(Use) - {use}:
        with pytest.raises(Rejected, match="invalid_nonce"):
            verify_nonce(KEY, nonce, NOW, other)


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:4711/callback",
        "http://[::1]:4711/callback",
        "http://localhost/",
        "nl.voorbeeld.wallet:/callback",
        "https://wallet.example/cb",
    ],
)
def test_code_may_go_to_the_device_or_where_it_is_listed(uri: str) -> None:
    check_redirect_uri(uri, {"https://wallet.example/cb"})


@given(st.from_regex(r"(https|http)://[a-z0-9.-]{1,20}\.(example|nl|com)(:[0-9]{1,5})?/[a-z?=&]*", fullmatch=True))
def test_code_goes_to_no_host_of_the_network(uri: str) -> None:
    with pytest.raises(Rejected):
        check_redirect_uri(uri, {"https://wallet.example/cb"})


@given(st.lists(st.integers(min_value=-1, max_value=3), max_size=MAX_REFRESHES_A_DAY))
def test_refresh_tokens_behave_as_a_naive_model(steps: list[int]) -> None:
    """Tokens given out so far; each step shows the newest (0), or one that many places older."""
    renewal = make_renewal(ID, NOOR, ("persoon",), "jkt", now=NOW, client=Client("wallet", "key"))
    given_out, alive = [0], True
    for older in steps:
        number = given_out[-1] - older
        after, refusal = decide_refresh(renewal if alive else None, number, Client("wallet", "key"), "jkt", NOW)
        if not alive or older not in (0, 1):
            assert refusal is not None
            assert after is None
            alive = False
            continue
        assert refusal is None
        assert after is not None
        renewal = after
        if older == 0:
            given_out.append(given_out[-1] + 1)
        assert renewal.number == given_out[-1]


def test_refresh_is_for_the_same_keys_and_so_many_times_a_day() -> None:
    renewal = make_renewal(ID, NOOR, ("persoon",), "jkt", now=NOW, client=Client("wallet", "key"))
    for client, jkt in ((None, "jkt"), (Client("wallet", "other"), "jkt"), (Client("wallet", "key"), "other")):
        assert decide_refresh(renewal, 0, client, jkt, NOW)[0] == renewal
    busy = replace(renewal, day=NOW - NOW % DAY, refreshes=MAX_REFRESHES_A_DAY)
    after, refusal = decide_refresh(busy, 0, busy.client, "jkt", NOW)
    assert (after, refusal is not None) == (busy, True)
    after, refusal = decide_refresh(busy, 0, busy.client, "jkt", NOW + DAY)
    assert refusal is None
    assert after is not None
    assert after.refreshes == 1
    assert decide_refresh(renewal, 0, renewal.client, "jkt", renewal.expires)[0] is None
