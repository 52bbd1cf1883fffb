"""A copy comes in: presentation, one person, credential status in three outcomes, sealed, handed over once."""

from pathlib import Path
from typing import Any

import pytest

from protocol.errors import Rejected
from protocol.openid4vp import VerifiedRequest
from protocol.seal import aead_seal
from protocol.status_list import INVALID, SUSPENDED
from tests.protocol import builders
from tests.protocol.builders import ADRES, DAY
from tests.verifier.agency import Agency, Wallet, copy_form, error_of
from verifier.accept import FIRST_COPY_FORMAT
from verifier.ask import REQUEST_SECONDS
from verifier.reader import take_copy
from verifier.requests import COPY_SECONDS

INDEX = 4711
CANARY = "Canariestraat"


def ask(agency: Agency, wallet: Wallet) -> tuple[str, VerifiedRequest]:
    rid, link = agency.ask(once=True)
    return rid, wallet.open(agency, link)


def refused(agency: Agency, rid: str, body: bytes, code: str) -> None:
    """400 with the code; nothing stored, the request still open."""
    before = agency.stored()
    answer = agency.post(rid, body)
    assert answer.status_code == 400
    assert error_of(answer) == code
    assert agency.stored() == before
    with pytest.raises(Rejected, match="no_copy"):
        take_copy(agency.desk, rid)


def test_copy_is_handed_over_once(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet)
    assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
    values = take_copy(agency.desk, rid)
    assert values["postcode"] == "1234AB"
    assert values["huisnummer"] == 12
    assert values["geslachtsnaam"] == "Voorbeeld"
    assert values["adres.geheimhouding"] is None
    assert "straat" not in values
    with pytest.raises(Rejected, match="no_copy"):
        take_copy(agency.desk, rid)


def test_copy_is_on_disk_only_sealed_and_gone_after_it_was_taken(agency: Agency, wallet: Wallet) -> None:
    canary = builders.attributes_of(ADRES, postcode=CANARY)
    wallet.cards[ADRES] = builders.credential(ADRES, holder=wallet.keys[ADRES].public, attributes=canary)
    rid, request = ask(agency, wallet)
    shown = wallet.show(request)
    disclosures = shown["adres"][0].split("~")[1:-1]
    assert agency.post(rid, copy_form(request, shown)).status_code == 200
    (sealed,) = agency.stored()["copies"]
    kept = agency.files()
    assert sealed[1] in kept
    assert CANARY.encode() not in kept
    assert not any(disclosure.encode() in kept for disclosure in disclosures)
    assert take_copy(agency.desk, rid)["postcode"] == CANARY
    assert sealed[1] not in agency.files()


def test_copy_that_an_older_release_sealed_is_still_handed_over(agency: Agency, wallet: Wallet) -> None:
    """0.1 sealed values by name; they wait for seven days at most, and an upgrade may come between."""
    rid, request = ask(agency, wallet)
    assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
    nonce = bytes(24)
    plaintext = b'{"adres.geheimhouding":null,"postcode":"1234AB"}'
    old = nonce + aead_seal(agency.desk.copies_key(), nonce, plaintext, FIRST_COPY_FORMAT + rid.encode())
    connection = agency.desk.store._file.database.conn
    connection.execute("UPDATE copies SET sealed = ? WHERE request = ?", (old, rid))
    connection.commit()
    assert take_copy(agency.desk, rid) == {"adres.geheimhouding": None, "postcode": "1234AB"}


def test_copy_of_one_request_does_not_open_as_that_of_another(agency: Agency, wallet: Wallet) -> None:
    rids = []
    for _ in range(2):
        rid, request = ask(agency, wallet)
        assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
        rids.append(rid)
    connection = agency.desk.store._file.database.conn
    (first,) = connection.execute("SELECT sealed FROM copies WHERE request = ?", (rids[0],)).fetchone()
    connection.execute("UPDATE copies SET sealed = ? WHERE request = ?", (first, rids[1]))
    connection.commit()
    with pytest.raises(Rejected):
        take_copy(agency.desk, rids[1])


def test_copy_that_nobody_fetches_is_deleted(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet)
    assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
    agency.clock.time += COPY_SECONDS
    agency.ask()
    assert agency.stored()["copies"]
    agency.clock.time += 1
    agency.ask()
    assert not agency.stored()["copies"]
    with pytest.raises(Rejected, match="no_copy"):
        take_copy(agency.desk, rid)


def test_copy_that_waited_too_long_is_not_handed_over_in_a_home_that_asks_no_more(
    agency: Agency, wallet: Wallet
) -> None:
    rid, request = ask(agency, wallet)
    assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
    ((_, sealed, _),) = agency.stored()["copies"]
    agency.clock.time += COPY_SECONDS + 1
    with pytest.raises(Rejected, match="no_copy"):
        take_copy(agency.desk, rid)
    assert not agency.stored()["copies"]
    assert sealed not in agency.files()


def test_copy_that_waited_too_long_goes_when_another_comes(agency: Agency, wallet: Wallet) -> None:
    first, request = ask(agency, wallet)
    assert agency.post(first, copy_form(request, wallet.show(request))).status_code == 200
    agency.clock.time += COPY_SECONDS
    second, later = ask(agency, wallet)
    assert [row[0] for row in agency.stored()["copies"]] == [first]
    agency.clock.time += 1
    assert agency.post(second, copy_form(later, wallet.show(later))).status_code == 200
    assert [row[0] for row in agency.stored()["copies"]] == [second]


def test_second_answer_to_one_request_is_refused(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet)
    body = copy_form(request, wallet.show(request))
    assert agency.post(rid, body).status_code == 200
    before = agency.stored()
    for again in (body, copy_form(request, wallet.show(request))):
        answer = agency.post(rid, again)
        assert (answer.status_code, error_of(answer)) == (400, "already_answered")
    assert agency.stored() == before


def test_answer_after_the_request_ended_is_refused(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet)
    agency.clock.time += REQUEST_SECONDS
    refused(agency, rid, copy_form(request, wallet.show(request)), "expired")


def test_mixed_sets_two_residents_cannot_lend_each_other_attributes(agency: Agency, wallet: Wallet) -> None:
    other = Wallet(agency.clock, agency.log, name="friend", set_name="set 2")
    rid, request = ask(agency, wallet)
    mixed = {**wallet.show(request), "adres": other.show(request)["adres"]}
    refused(agency, rid, copy_form(request, mixed), "claim_mismatch")


def test_answer_made_for_another_agency_is_refused(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet)
    shown = wallet.show(request, audience=builders.STRANGER.client_id)
    refused(agency, rid, copy_form(request, shown), "wrong_audience")


def test_answer_replayed_from_an_earlier_request_is_refused(agency: Agency, wallet: Wallet) -> None:
    first, earlier = ask(agency, wallet)
    shown = wallet.show(earlier)
    assert agency.post(first, copy_form(earlier, shown)).status_code == 200
    rid, request = ask(agency, wallet)
    refused(agency, rid, copy_form(request, shown), "wrong_nonce")
    refused(agency, rid, copy_form(earlier, shown), "invalid_request")


@pytest.mark.parametrize(
    ("vp_token", "code"),
    [
        ({"adres": ["x"]}, "bad_sd_jwt"),
        ({"adres": ["~"]}, "bad_sd_jwt"),
        ({"adres": ["a.b.c~"]}, "no_key_binding"),
        ({"adres": ["a.b.c~d.e.f"]}, "bad_base64"),
        ({"adres": ["\x00~\ud7ff"]}, "bad_sd_jwt"),
    ],
)
def test_answer_that_is_no_presentation_is_refused(
    agency: Agency, wallet: Wallet, vp_token: dict[str, list[str]], code: str
) -> None:
    rid, request = ask(agency, wallet)
    refused(agency, rid, copy_form(request, vp_token), code)


def test_answer_that_lacks_a_credential_or_a_claim_is_refused(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet)
    shown = wallet.show(request)
    refused(agency, rid, copy_form(request, {"adres": shown["adres"]}), "dcql_not_satisfied")
    fewer = builders.present(
        wallet.cards[ADRES],
        ["postcode"],
        holder=wallet.keys[ADRES],
        audience=request.client_id,
        nonce=request.nonce,
    )
    refused(agency, rid, copy_form(request, {**shown, "adres": [fewer]}), "dcql_not_satisfied")


def test_attribute_that_was_not_asked_is_dropped(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet)
    names = ["straat", "postcode", "huisnummer", *builders.flags(ADRES)]
    more = builders.present(
        wallet.cards[ADRES], names, holder=wallet.keys[ADRES], audience=request.client_id, nonce=request.nonce
    )
    assert agency.post(rid, copy_form(request, {**wallet.show(request), "adres": [more]})).status_code == 200
    values = take_copy(agency.desk, rid)
    assert "straat" not in values
    assert values["postcode"] == "1234AB"


def test_sealed_part_that_nobody_asked_for_is_refused(agency: Agency, wallet: Wallet) -> None:
    granted = wallet.grant(wallet.open(agency, agency.ask()[1]))
    rid, request = ask(agency, wallet)
    body = copy_form(request, wallet.show(request), sealed=granted.sealed)
    refused(agency, rid, body, "bad_vp_token")


@pytest.mark.parametrize("status", [INVALID, SUSPENDED])
def test_revoked_credential_is_refused(agency: Agency, wallet: Wallet, status: int) -> None:
    agency.net.statuses[INDEX] = min(status, 1)
    rid, request = ask(agency, wallet)
    refused(agency, rid, copy_form(request, wallet.show(request)), "credential_revoked")


def test_undetermined_status_stops_by_default(agency: Agency, wallet: Wallet) -> None:
    agency.net.issuer_down = True
    rid, request = ask(agency, wallet)
    refused(agency, rid, copy_form(request, wallet.show(request)), "status_undetermined")
    agency.net.issuer_down = False
    assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200


def test_undetermined_status_is_accepted_where_the_service_says_so(tmp_path: Path) -> None:
    agency = Agency(tmp_path, accept_undetermined=(builders.SERVICE_ID,))
    wallet = Wallet(agency.clock, agency.log)
    agency.net.issuer_down = True
    rid, request = ask(agency, wallet)
    assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200


def test_status_list_is_fetched_once_while_it_is_fresh(agency: Agency, wallet: Wallet) -> None:
    for _ in range(2):
        rid, request = ask(agency, wallet)
        assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
    assert agency.net.fetched.count(builders.STATUS_URI) == 1
    agency.start()
    rid, request = ask(agency, wallet)
    assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
    assert agency.net.fetched.count(builders.STATUS_URI) == 1
    agency.clock.time += 60
    rid, request = ask(agency, wallet)
    assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
    assert agency.net.fetched.count(builders.STATUS_URI) == 2


def test_older_status_list_than_the_one_seen_is_not_believed(
    agency: Agency, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rid, request = ask(agency, wallet)
    old = agency.net._status_token()
    agency.clock.time += 100
    assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
    agency.clock.time += 100
    monkeypatch.setattr(agency.net, "_status_token", lambda: old)
    rid, request = ask(agency, wallet)
    refused(agency, rid, copy_form(request, wallet.show(request)), "status_undetermined")


@pytest.mark.parametrize("lie", ["other issuer", "garbage", "short"])
def test_status_list_that_does_not_verify_is_undetermined(
    agency: Agency, wallet: Wallet, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    good = agency.net._status_token
    if lie == "short":
        agency.net.statuses = [0] * 100
    elif lie == "garbage":
        monkeypatch.setattr(agency.net, "_status_token", lambda: "a.b.c")
    else:
        monkeypatch.setattr(agency.net, "_status_token", lambda: good()[:-4] + "AAAA")
    rid, request = ask(agency, wallet)
    refused(agency, rid, copy_form(request, wallet.show(request)), "status_undetermined")


@pytest.mark.parametrize("days", [365, 400])
def test_expired_credential_is_refused(agency: Agency, days: int) -> None:
    wallet = Wallet(agency.clock, agency.log)
    agency.enlist(builders.trust_list(version=2, exp=builders.NOW + 500 * DAY))
    wallet.trust = agency.trust
    agency.clock.time += days * DAY - 10
    rid, request = ask(agency, wallet)
    body = copy_form(request, wallet.show(request))
    if days == 365:
        assert agency.post(rid, body).status_code == 200
    else:
        refused(agency, rid, body, "expired_credential")


def test_wallet_that_declines_ends_the_request(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet)
    wrong: list[dict[str, Any]] = [{"error": "access_denied"}, {"error": "access_denied", "state": "other"}]
    for form in wrong:
        answer = agency.web.post(f"/responses/{rid}", data=form)
        assert (answer.status_code, error_of(answer)) == (400, "invalid_request")
    assert agency.desk.store.requests.get(rid).state == "open"
    answer = agency.web.post(f"/responses/{rid}", data={"error": "access_denied", "state": request.state})
    assert (answer.status_code, answer.text) == (200, "{}")
    stored = agency.desk.store.requests.get(rid)
    assert (stored.state, stored.error) == ("declined", "access_denied")
    assert stored.request.answer_key is None
    late = agency.post(rid, copy_form(request, wallet.show(request)))
    assert (late.status_code, error_of(late)) == (400, "already_answered")
    assert not agency.stored()["copies"]


def test_plain_vp_token_is_refused_since_encryption_was_asked(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet)
    answer = agency.web.post(f"/responses/{rid}", data={"vp_token": "{}", "state": request.state})
    assert (answer.status_code, error_of(answer)) == (400, "invalid_request")


def test_answer_of_standing_access_does_not_serve_as_a_copy(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask()
    request = wallet.open(agency, link)
    body = copy_form(request, {"adres": [wallet.bind(request, "adres")]})
    refused(agency, rid, body, "bad_vp_token")
