"""What reaches the inbox after a grant: a refresh that only renews and narrows, and messages of the resident."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from protocol.canonical import b64u_encode, sha256, to_builtins
from protocol.consent import refresh_nonce
from protocol.reading import ResidentMessage, parse_message, sign_message
from protocol.terms import Place
from tests.protocol import builders
from tests.protocol.builders import ADRES, NOW, PERSOON
from tests.verifier.agency import PURPOSE, Agency, Granted, Wallet
from verifier.reader import read_grant


@pytest.fixture
def granted(agency: Agency, wallet: Wallet) -> Granted:
    """A grant that the agency holds."""
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, made.form()).status_code == 200
    return made


def rid_of(granted: Granted) -> str:
    return granted.request.response_uri.rpartition("/")[2]


def refreshed(wallet: Wallet, old: Granted, *, stop: bool = True, **changes: Any) -> Granted:
    """The next version: fresh digests, another lock, the old slot revoked."""
    terms = old.sealed.terms
    if stop:
        wallet.log.stop(old.sealed.slot, old.secret)
    kept = {
        name: getattr(terms, name)
        for name in ("tag_key", "not_after", "request_hash", "case", "max_reads", "context")
    }
    places = [Place(claim.credential, claim.vct, claim.path[0]) for claim in terms.claims]
    return wallet.grant(old.request, **{**kept, "places": places, "version": terms.version + 1, **changes})


def deliver(agency: Agency, new: Granted, **changes: Any) -> TestResponse:
    """POST to the inbox, KB-JWTs with the nonce of a refresh."""
    vp_token = new.vp_token(**{"nonce": refresh_nonce(new.sealed.terms), **changes})
    body = {"vp_token": vp_token, "regie_sealed": to_builtins(new.sealed)}
    return agency.web.post(f"/v1/inbox/{rid_of(new)}", json=body)


def refused(agency: Agency, new: Granted, code: str, **changes: Any) -> None:
    before = agency.stored()
    answer = deliver(agency, new, **changes)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.get_json()["code"] == code
    assert agency.stored() == before


def test_refresh_takes_the_place_of_the_old_version(agency: Agency, wallet: Wallet, granted: Granted) -> None:
    assert read_grant(agency.desk, rid_of(granted), [], PURPOSE).n == 0
    moved = builders.attributes_of(ADRES, postcode="9999ZZ")
    wallet.cards[ADRES] = builders.credential(
        ADRES, holder=wallet.keys[ADRES].public, attributes=moved, random=builders.random_of("reissued")
    )
    new = refreshed(wallet, granted)
    answer = deliver(agency, new)
    assert (answer.status_code, answer.get_json()) == (200, {"state": "refreshed"})
    stored = agency.desk.store.grants.get(rid_of(granted))
    assert (stored.slot, stored.answer.terms.version, stored.state) == (new.sealed.slot, 2, "active")
    opened = read_grant(agency.desk, rid_of(granted), ["postcode"], PURPOSE)
    assert (opened.values["postcode"], opened.n) == ("9999ZZ", 1)
    assert [grant.answer.terms.version for grant in agency.desk.store.grants.history()] == [1, 2]


def test_refresh_delivered_twice_changes_nothing(agency: Agency, wallet: Wallet, granted: Granted) -> None:
    new = refreshed(wallet, granted)
    assert deliver(agency, new).status_code == 200
    before = agency.stored()
    assert deliver(agency, new).status_code == 200
    assert agency.stored() == before


def test_refresh_after_the_agency_saw_the_old_one_revoked(
    agency: Agency, wallet: Wallet, granted: Granted
) -> None:
    new = refreshed(wallet, granted)
    with pytest.raises(Exception, match="revoked"):
        read_grant(agency.desk, rid_of(granted), [], PURPOSE)
    assert deliver(agency, new).status_code == 200
    assert read_grant(agency.desk, rid_of(granted), [], PURPOSE).values["postcode"] == "1234AB"


def test_refresh_while_the_old_version_still_stands_is_refused(
    agency: Agency, wallet: Wallet, granted: Granted
) -> None:
    new = refreshed(wallet, granted, stop=False)
    refused(agency, new, "not_replaced")
    wallet.log.stop(granted.sealed.slot, granted.secret)
    assert deliver(agency, new).status_code == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 3}, "widened"),
        ({"version": 1}, "wrong_request"),
        ({"not_after": NOW + 101 * builders.DAY}, "widened"),
        ({"max_reads": 7}, None),
        ({"tag_key": b64u_encode(sha256(b"another"))}, "widened"),
        ({"request_hash": b64u_encode(sha256(b"another"))}, "wrong_request"),
        ({"not_before": NOW - 1}, "widened"),
        ({"case": b64u_encode(sha256(b"case"))}, "widened"),
    ],
)
def test_refresh_never_widens(
    agency: Agency, wallet: Wallet, granted: Granted, changes: dict[str, Any], code: str | None
) -> None:
    new = refreshed(wallet, granted, **changes)
    if code is None:
        assert deliver(agency, new).status_code == 200
    else:
        refused(agency, new, code)


def test_refresh_with_more_attributes_is_refused(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link), without=["huisnummer"])
    assert agency.post(rid, made.form()).status_code == 200
    more = refreshed(wallet, made, places=wallet.places(made.request))
    refused(agency, more, "widened")


def test_refresh_never_swaps_the_person(agency: Agency, wallet: Wallet, granted: Granted) -> None:
    """The cards of somebody else under the same grant."""
    friend = Wallet(agency.clock, agency.log, name="friend", set_name="set 2")
    wallet.cards, wallet.keys = friend.cards, friend.keys
    refused(agency, refreshed(wallet, granted), "claim_mismatch")


def test_refresh_signed_for_something_else_is_refused(agency: Agency, wallet: Wallet, granted: Granted) -> None:
    new = refreshed(wallet, granted)
    refused(agency, new, "wrong_nonce", nonce=granted.request.nonce)
    refused(agency, new, "wrong_audience", audience=builders.STRANGER.client_id)
    refused(agency, new, "consent_mismatch", consent=sha256(b"other"))
    assert deliver(agency, new).status_code == 200


def test_refresh_sent_as_an_answer_to_the_request_is_refused(
    agency: Agency, wallet: Wallet, granted: Granted
) -> None:
    """Terms of version 2 bring a nonce of their own, so they must not pass for an answer."""
    rid, link = agency.ask()
    request = wallet.open(agency, link)
    new = wallet.grant(request, version=2)
    before = agency.stored()
    body = new.form(new.vp_token(nonce=refresh_nonce(new.sealed.terms)))
    assert agency.post(rid, body).status_code == 400
    assert agency.stored() == before


def test_refresh_of_an_unknown_grant_is_refused(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link))
    answer = deliver(agency, made)
    assert answer.status_code == 404
    assert agency.desk.store.requests.get(rid).state == "open"


# --- messages --------------------------------------------------------------------------------------------


def message(granted: Granted, *, vct: str = PERSOON, **changes: Any) -> str:
    members: dict[str, Any] = {
        "slot": granted.sealed.slot,
        "lock": granted.sealed.terms.lock,
        "kind": "erasure_asked",
        "iat": NOW,
        "jti": b64u_encode(sha256(b"message")[:16]),
    }
    return sign_message(ResidentMessage(**{**members, **changes}), granted.wallet.keys[vct])


def say(agency: Agency, granted: Granted, token: str) -> TestResponse:
    return agency.web.post(f"/v1/inbox/{rid_of(granted)}", json={"message": token})


@pytest.mark.parametrize("vct", [ADRES, PERSOON])
def test_resident_asks_erasure_and_the_agency_acknowledges_in_the_log(
    agency: Agency, granted: Granted, vct: str
) -> None:
    token = message(granted, vct=vct)
    answer = say(agency, granted, token)
    assert (answer.status_code, answer.get_json()) == (202, {"state": "acknowledged"})
    assert say(agency, granted, token).get_json() == {"state": "acknowledged"}
    (sent,) = agency.log.messages
    said = parse_message(sent)
    assert (said.kind, said.slot, said.lock) == (
        "erasure_acknowledged", granted.sealed.slot, granted.sealed.terms.lock,
    )  # fmt: skip
    kinds = {row["kind"] for row in agency.desk.store.seen.messages()}
    assert kinds == {"erasure_asked", "erasure_acknowledged"}


def test_message_is_kept_while_the_log_is_down_and_acknowledged_later(agency: Agency, granted: Granted) -> None:
    agency.log.down = True
    token = message(granted)
    assert say(agency, granted, token).get_json() == {"state": "received"}
    assert len(agency.stored()["messages"]) == 1
    agency.log.down = False
    assert say(agency, granted, token).get_json() == {"state": "acknowledged"}
    assert len(agency.log.messages) == 1


def test_complaint_is_kept(agency: Agency, granted: Granted) -> None:
    answer = say(agency, granted, message(granted, kind="complaint"))
    assert (answer.status_code, answer.get_json()) == (202, {"state": "received"})
    assert not agency.log.messages


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"slot": 0}, "bad_message"),
        ({"lock": b64u_encode(sha256(b"other"))}, "bad_message"),
        ({"kind": "erased"}, "bad_message"),
        ({"iat": NOW + 61}, "stale"),
    ],
)
def test_message_that_is_not_the_residents_is_refused(
    agency: Agency, granted: Granted, changes: dict[str, Any], code: str
) -> None:
    before = agency.stored()
    answer = say(agency, granted, message(granted, **changes))
    assert (answer.status_code, answer.get_json()["code"]) == (400, code)
    assert agency.stored() == before


def test_message_of_a_stranger_is_refused(agency: Agency, granted: Granted) -> None:
    before = agency.stored()
    granted.wallet.keys[PERSOON] = builders.es256("thief")
    answer = say(agency, granted, message(granted))
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_signature")
    assert agency.stored() == before


def test_two_refreshes_verified_side_by_side_store_one(
    agency: Agency, wallet: Wallet, granted: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = refreshed(wallet, granted), refreshed(wallet, granted, stop=False)
    original = agency.desk.store.grants.replace

    def overtaken(*arguments: Any, **named: Any) -> None:
        monkeypatch.setattr(agency.desk.store.grants, "replace", original)
        assert deliver(agency, second).status_code == 200
        original(*arguments, **named)

    monkeypatch.setattr(agency.desk.store.grants, "replace", overtaken)
    answer = deliver(agency, first)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "already_answered")
    assert agency.desk.store.grants.get(rid_of(granted)).answer.sealed == second.sealed


def test_inbox_takes_json_only(agency: Agency, granted: Granted) -> None:
    answer = agency.web.post(f"/v1/inbox/{rid_of(granted)}", data={"message": "a.b.c"})
    assert (answer.status_code, answer.get_json()["code"]) == (415, "bad_media_type")
