"""Codes, nonces and positions: the rules by which an offer is redeemed and copies are given out."""

import secrets
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.brp import Bsn
from issuer.issue import (
    CREDENTIAL_DAYS,
    DAY,
    LIST_SIZE,
    decide_positions,
    draw_index,
    first_position,
    status_uri,
    validity,
)
from issuer.nonce import NONCE_SECONDS, make_nonce, verify_nonce
from issuer.offer import (
    MAX_TRIES,
    OFFER_SECONDS,
    Offer,
    code_of,
    configuration,
    decide_pre_authorized,
    find_offer_id,
    is_open,
    make_offer,
    offer_message,
)
from issuer.revoke import status_bits
from protocol.errors import Rejected
from protocol.issuer_metadata import BATCH_SIZE

NOW = 1_795_305_600
KEY = bytes(range(32))
BSN = Bsn("999100002")


def made(*names: str) -> tuple[Offer, str]:
    return make_offer(BSN, names or ("persoon",), key=KEY, now=NOW, random=secrets.token_bytes)


def redeem(offer: Offer | None, tx_code: str | None, now: int = NOW) -> tuple[Offer | None, str | None]:
    state, refusal = decide_pre_authorized(offer, tx_code, key=KEY, now=now)
    return state, refusal.code if refusal else None


# ---- offers


def test_right_code_redeems_an_offer_once() -> None:
    offer, tx_code = made()
    state, refusal = redeem(offer, tx_code)
    assert refusal is None
    assert state == replace(offer, redeemed=True)
    assert redeem(state, tx_code) == (state, "invalid_grant")


def test_transaction_code_has_eight_digits() -> None:
    for _ in range(50):
        _, tx_code = made()
        assert len(tx_code) == 8
        assert tx_code.isdigit()


def test_five_wrong_transaction_codes_kill_the_code() -> None:
    offer, tx_code = made()
    state: Offer | None = offer
    for used in range(1, MAX_TRIES + 1):
        state, refusal = redeem(state, "00000000" if tx_code != "00000000" else "1")
        assert refusal == "invalid_grant"
        assert state is not None
        assert state.tries_left == MAX_TRIES - used
    assert not is_open(state, NOW) if state else False
    assert redeem(state, tx_code) == (state, "invalid_grant")


def test_fifth_try_may_still_be_right() -> None:
    offer, tx_code = made()
    assert redeem(replace(offer, tries_left=1), tx_code)[1] is None


def test_missing_transaction_code_costs_no_try() -> None:
    offer, _ = made()
    assert redeem(offer, None) == (offer, "invalid_request")


def test_offer_ends_to_the_second() -> None:
    offer, tx_code = made()
    assert redeem(offer, tx_code, NOW + OFFER_SECONDS - 1)[1] is None
    assert redeem(offer, tx_code, NOW + OFFER_SECONDS) == (offer, "invalid_grant")


def test_unknown_dead_used_and_wrong_codes_look_alike() -> None:
    offer, tx_code = made()
    refusals = [
        decide_pre_authorized(state, code, key=KEY, now=now)[1]
        for state, code, now in (
            (None, tx_code, NOW),
            (offer, "x", NOW),
            (replace(offer, redeemed=True), tx_code, NOW),
            (replace(offer, tries_left=0), tx_code, NOW),
            (offer, tx_code, NOW + OFFER_SECONDS),
        )
    ]
    assert len({str(refusal) for refusal in refusals}) == 1


def test_transaction_code_of_one_offer_is_worth_nothing_for_another() -> None:
    (one, code), (other, _) = made(), made()
    assert redeem(replace(other, tx_code_hash=one.tx_code_hash), code)[1] == "invalid_grant"


def test_code_leads_to_its_offer_and_no_other_does() -> None:
    offer, _ = made()
    code = code_of(KEY, offer.id)
    assert find_offer_id(KEY, code) == offer.id
    flipped = code[:-2] + ("A" if code[-2] != "A" else "B") + code[-1]
    for wrong in (flipped, code + "A", code[:-4], offer.id, "", "é", "=", code_of(bytes(32), offer.id)):
        assert find_offer_id(KEY, wrong) is None


@given(st.text(max_size=64))
def test_finding_an_offer_never_fails(text: str) -> None:
    assert find_offer_id(KEY, text) is None


def test_offer_names_different_known_credentials() -> None:
    for names in ((), ("persoon", "persoon")):
        with pytest.raises(ValueError, match="different"):
            make_offer(BSN, names, key=KEY, now=NOW, random=secrets.token_bytes)
    with pytest.raises(Rejected) as caught:
        made("persoon", "rijbewijs")
    assert caught.value.code == "unknown_credential_configuration"
    assert configuration("gezin").vct == "urn:regie:nl:gezin:1"


def test_offer_to_the_wallet_holds_no_personal_data() -> None:
    offer, tx_code = made("persoon", "gezin")
    message = str(offer_message(offer, "https://i.example", KEY))
    assert BSN not in message
    assert tx_code not in message


# ---- nonces


def test_nonce_is_verified_until_it_expires() -> None:
    nonce = make_nonce(KEY, NOW, secrets.token_bytes)
    remembered, expires = verify_nonce(KEY, nonce, NOW + NONCE_SECONDS - 1)
    assert (len(remembered), expires) == (16, NOW + NONCE_SECONDS)
    with pytest.raises(Rejected) as caught:
        verify_nonce(KEY, nonce, NOW + NONCE_SECONDS)
    assert caught.value.code == "invalid_nonce"


def test_nonces_differ() -> None:
    assert len({make_nonce(KEY, NOW, secrets.token_bytes) for _ in range(100)}) == 100


@given(st.one_of(st.text(max_size=80), st.binary(max_size=60).map(lambda data: data.hex())))
def test_foreign_nonce_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        verify_nonce(KEY, text, NOW)
    assert caught.value.code == "invalid_nonce"


def test_nonce_of_another_key_or_with_a_later_expiry_is_refused() -> None:
    nonce = make_nonce(KEY, NOW, secrets.token_bytes)
    with pytest.raises(Rejected):
        verify_nonce(bytes(32), nonce, NOW)
    for place in range(0, len(nonce), 5):
        other = nonce[:place] + ("A" if nonce[place] != "A" else "B") + nonce[place + 1 :]
        with pytest.raises(Rejected):
            verify_nonce(KEY, other, NOW)


# ---- copies


@given(st.integers(NOW - 10**8, NOW + 10**8))
def test_times_are_rounded_to_the_day(now: int) -> None:
    found = validity(now, now + 10**9)
    assert found.iat % DAY == found.exp % DAY == 0
    assert 0 <= now - found.iat < DAY
    assert found.exp - found.iat == CREDENTIAL_DAYS * DAY


def test_credential_never_outlives_its_certificate() -> None:
    day = NOW - NOW % DAY
    assert validity(NOW, day + 9 * DAY + 5).exp == day + 9 * DAY
    assert validity(NOW, day + DAY).exp == day + DAY
    with pytest.raises(Rejected) as caught:
        validity(NOW, day + DAY - 1)
    assert caught.value.code == "credential_request_denied"


def test_positions_follow_each_other_up_to_one_batch() -> None:
    offer, _ = made("persoon", "adres")
    room = range(60, 60 + BATCH_SIZE)
    assert decide_positions(offer, "adres", 3, 0, room) == range(60, 63)
    assert decide_positions(offer, "adres", BATCH_SIZE - 3, 3, room) == range(63, 60 + BATCH_SIZE)
    for name, wanted, issued in (("gezin", 1, 0), ("adres", BATCH_SIZE + 1, 0), ("adres", 1, BATCH_SIZE)):
        with pytest.raises(Rejected) as caught:
            decide_positions(offer, name, wanted, issued, room)
        assert caught.value.code == "credential_request_denied"


def test_types_of_one_offer_start_together_and_past_what_was_used() -> None:
    offer, _ = made("persoon", "adres")
    assert first_position(offer, {}) == 0
    assert first_position(offer, {"gezin": 90}) == 0
    assert first_position(offer, {"persoon": 30, "gezin": 90}) == 30
    assert first_position(offer, {"persoon": 30, "adres": 60}) == 60


def test_index_is_drawn_until_it_is_free() -> None:
    draws = iter([5, LIST_SIZE + 5, 7])
    assert draw_index(lambda size: next(draws).to_bytes(size, "big"), lambda index: index == 5) == 7


@given(st.sets(st.integers(0, LIST_SIZE - 1), max_size=20), st.sets(st.integers(0, LIST_SIZE - 1), max_size=20))
def test_bits_of_a_list_are_those_that_were_revoked_or_superseded(revoked: set[int], others: set[int]) -> None:
    bits = status_bits(revoked, others)
    assert len(bits) == LIST_SIZE // 4
    found = {4 * at + i: byte >> 2 * i & 3 for at, byte in enumerate(bits) if byte for i in range(4)}
    expected = dict.fromkeys(revoked, 1) | dict.fromkeys(others - revoked, 3)
    assert {index: status for index, status in found.items() if status} == expected


def test_address_of_a_list_names_no_holder() -> None:
    assert status_uri("https://i.example", 3) == "https://i.example/status-lists/3"
