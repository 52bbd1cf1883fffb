"""An answer on behalf of somebody: taken, shown as such and read; stretched, refused, and nothing is stored."""

from dataclasses import replace
from typing import Any

import pytest

from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.openid4vp import VerifiedRequest
from protocol.reading import ResidentMessage, sign_message
from protocol.revocation_code import code_from_seed, lock_for, revocation_secret
from protocol.status_list import StatusReference
from tests.protocol import builders, granting
from tests.protocol import mandates as m
from tests.protocol.builders import ADRES, AGENCY_ID, DAY, GEZIN, NOW, PERSOON, SERVICE_ID
from tests.verifier.agency import PURPOSE, Agency, Granted, Wallet, copy_form, error_of
from tests.verifier.test_inbox import deliver, refreshed
from tests.verifier.test_inbox import refused as refused_refresh
from verifier.reader import read_grant, take_copy
from verifier.ui.standing import shown_grant

OPEN = m.token()
NARROW = m.token(
    claims=m.every_name(but=["geslachtsnaam"]),
    services=[{"recipient": AGENCY_ID, "service": SERVICE_ID}],
    until=NOW + 100 * DAY,
)
BOTH = m.token(signers=[[1], [2]])


def act_for(wallet: Wallet, token: str, *, party: int = 1, **changes: Any) -> None:
    """The wallet holds the cards of this party under a mandate."""
    wallet.keys = dict.fromkeys((PERSOON, ADRES, GEZIN), m.HOLDERS[party])
    wallet.cards = {vct: m.card(token, vct, party=party, **changes) for vct in wallet.keys}


def grant(wallet: Wallet, request: VerifiedRequest, token: str, **changes: Any) -> Granted:
    """By the first code of the mandate's seed, in the log; `changes` are members of T."""
    members = {"lock": m.lock(), "on_behalf_of": m.behalf(token), "not_after": NOW + 50 * DAY, **changes}
    made = wallet.grant(request, **members)
    return replace(made, sealed=granting.change(made.sealed, mandate=m.shown(token)))


@pytest.fixture
def asked(agency: Agency, wallet: Wallet) -> tuple[str, VerifiedRequest]:
    rid, link = agency.ask()
    return rid, wallet.open(agency, link)


def refused(agency: Agency, rid: str, body: bytes, code: str) -> None:
    """Nothing is stored, and the request is still open."""
    before = agency.stored()
    answer = agency.post(rid, body)
    assert answer.status_code in {400, 403}, answer.text
    assert error_of(answer) == code
    assert agency.stored() == before
    assert not before["grants"]


def test_grant_on_behalf_of_somebody_is_taken_shown_and_read(agency: Agency, wallet: Wallet, asked: Any) -> None:
    rid, request = asked
    act_for(wallet, OPEN)
    given = grant(wallet, request, OPEN)
    assert agency.post(rid, given.form()).status_code == 200
    stored = agency.desk.store.grants.get(rid)
    assert shown_grant(stored, NOW).signers == 1
    steps = agency.desk.store.verdicts.of(rid)[-1].verdict.steps
    assert ("mandate", "passed") in {(step.name, step.outcome) for step in steps}
    assert read_grant(agency.desk, rid, [], PURPOSE).values["postcode"] == "1234AB"


def test_list_of_grants_says_which_are_on_behalf_of_somebody(
    agency: Agency, wallet: Wallet, asked: Any, run: Any
) -> None:
    rid, request = asked
    act_for(wallet, OPEN)
    assert agency.post(rid, grant(wallet, request, OPEN).form()).status_code == 200
    assert "on behalf of the resident" in run("grants", as_json=False)
    assert run("grants")["grants"][0]["on_behalf"] is True


def test_represented_person_stops_it_and_the_agency_reads_no_more(
    agency: Agency, wallet: Wallet, asked: Any
) -> None:
    rid, request = asked
    act_for(wallet, OPEN)
    given = grant(wallet, request, OPEN)
    assert agency.post(rid, given.form()).status_code == 200
    agency.log.stop(given.sealed.slot, revocation_secret(m.CODE, 1))
    with pytest.raises(Rejected, match="revoked"):
        read_grant(agency.desk, rid, [], PURPOSE)


STRETCHED: dict[str, dict[str, Any]] = {
    "a longer term": {"not_after": NOW + 100 * DAY + 1},
    "a foreign lock": {"lock": b64u_encode(lock_for(granting.CODE, 1))},
    "an attribute more": {},
}


@pytest.mark.parametrize("changes", STRETCHED.values(), ids=STRETCHED)
def test_attack_mandate_is_stretched(agency: Agency, wallet: Wallet, asked: Any, changes: dict[str, Any]) -> None:
    """Wallet and log let it through; the agency does not."""
    rid, request = asked
    act_for(wallet, NARROW)
    within = {"not_after": NOW + 50 * DAY, "without": ["geslachtsnaam"]}
    wide = grant(wallet, request, NARROW, **({**within, **changes} if changes else {}))
    refused(agency, rid, wide.form(), "mandate_widened")
    good = grant(wallet, request, NARROW, tag_key=b64u_encode(bytes(32)), **within)
    assert agency.post(rid, good.form()).status_code == 200


def test_attack_lock_of_a_version_that_the_others_do_not_look_for(
    agency: Agency, wallet: Wallet, asked: Any
) -> None:
    """One of the mandate's own locks, but the second of its code in a first grant."""
    rid, request = asked
    act_for(wallet, OPEN)
    code = code_from_seed(m.SEED, 5)
    made = grant(wallet, request, OPEN, lock=m.lock(2, code))
    hidden = replace(made, sealed=granting.change(made.sealed, mandate=m.shown(OPEN, code=code, version=2)))
    refused(agency, rid, hidden.form(), "mandate_widened")


def test_attack_mandate_for_another_service(agency: Agency, wallet: Wallet, asked: Any) -> None:
    rid, request = asked
    token = m.token(services=[{"recipient": AGENCY_ID, "service": "schuldhulp"}])
    act_for(wallet, token)
    refused(agency, rid, grant(wallet, request, token).form(), "mandate_widened")


def test_attack_mandate_by_a_party_itself(agency: Agency, wallet: Wallet, asked: Any) -> None:
    """A chain: the mandate is of nobody who may issue one."""
    rid, request = asked
    token = m.token(builders.STRANGER)
    act_for(wallet, token)
    refused(agency, rid, grant(wallet, request, token).form(), "bad_mandate")


def test_attack_card_of_a_mandate_passes_for_ones_own(agency: Agency, wallet: Wallet, asked: Any) -> None:
    rid, request = asked
    act_for(wallet, OPEN)
    refused(agency, rid, wallet.grant(request).form(), "mandate_mismatch")


def test_attack_one_parent_grants_what_both_have_to(agency: Agency, wallet: Wallet, asked: Any) -> None:
    rid, request = asked
    act_for(wallet, BOTH)
    alone = grant(wallet, request, BOTH)
    refused(agency, rid, alone.form(), "mandate_signature_missing")
    reference = StatusReference(idx=99, uri=builders.STATUS_URI)
    text = m.cosigned(
        BOTH, alone.sealed.terms, party=2, audience=request.client_id, status=reference
    )  # fmt: skip
    agency.net.statuses[99] = 1
    refused(agency, rid, alone.form(cosigned=[text]), "credential_revoked")
    agency.net.statuses[99] = 0
    agency.clock.time += 61  # the list that was fetched has grown old
    again = alone.form(alone.vp_token(iat=agency.clock.time), cosigned=[text])
    assert agency.post(rid, again).status_code == 200
    assert shown_grant(agency.desk.store.grants.get(rid), NOW).signers == 2


def test_card_that_was_taken_back_ends_reading(agency: Agency, wallet: Wallet, asked: Any) -> None:
    """Either side ended the mandate: the issuer revokes the cards under it."""
    rid, request = asked
    act_for(wallet, OPEN)
    assert agency.post(rid, grant(wallet, request, OPEN).form()).status_code == 200
    agency.net.statuses[4711] = 1
    agency.clock.time += 61
    with pytest.raises(Rejected, match="credential_revoked"):
        read_grant(agency.desk, rid, [], PURPOSE)


def test_attack_grant_under_an_ended_mandate_while_the_list_at_hand_is_old(
    agency: Agency, wallet: Wallet, asked: Any
) -> None:
    """The agency has a list that it may still use; the mandate was ended since, and the wallet has not asked."""
    rid, request = asked
    act_for(wallet, OPEN)
    assert agency.post(rid, grant(wallet, request, OPEN).form()).status_code == 200
    other, link = agency.ask()
    again = wallet.open(agency, link)
    agency.net.statuses[4711] = 1
    agency.clock.time += 1
    code = code_from_seed(m.SEED, 1)
    made = grant(wallet, again, OPEN, lock=m.lock(1, code), tag_key=b64u_encode(bytes(32)))
    made = replace(made, sealed=granting.change(made.sealed, mandate=m.shown(OPEN, code=code)))
    before = agency.stored()
    answer = agency.post(other, made.form(made.vp_token(iat=agency.clock.time)))
    assert error_of(answer) == "credential_revoked"
    assert agency.stored() == before


def given_by_both(agency: Agency, wallet: Wallet, asked: Any) -> Granted:
    """A grant that the other party signed too, with a card whose status is at place 99."""
    rid, request = asked
    act_for(wallet, BOTH)
    given = grant(wallet, request, BOTH)
    reference = StatusReference(idx=99, uri=builders.STATUS_URI)
    text = m.cosigned(BOTH, given.sealed.terms, party=2, audience=request.client_id, status=reference)
    assert agency.post(rid, given.form(cosigned=[text])).status_code == 200
    return given


def test_attack_refresh_sheds_a_co_signer_whose_card_was_revoked(
    agency: Agency, wallet: Wallet, asked: Any
) -> None:
    given = given_by_both(agency, wallet, asked)
    agency.log.stop(given.sealed.slot, revocation_secret(m.CODE, 1))
    new = refreshed(wallet, given, stop=False, lock=m.lock(2), on_behalf_of=m.behalf(BOTH))
    new = replace(new, sealed=granting.change(new.sealed, mandate=m.shown(BOTH, version=2)))
    agency.net.statuses[99] = 1
    agency.clock.time += 61
    refused_refresh(agency, new, "credential_revoked", iat=agency.clock.time)
    agency.net.statuses[99] = 0
    agency.clock.time += 61
    assert deliver(agency, new, iat=agency.clock.time).status_code == 200


def test_attack_second_refresh_sheds_a_co_signer_and_so_does_reading(
    agency: Agency, wallet: Wallet, asked: Any
) -> None:
    """The co-signature stands in the first version only; the card behind it is asked about for ever."""
    rid, _ = asked
    given = given_by_both(agency, wallet, asked)
    newest = given
    for version in (2, 3):
        agency.log.stop(newest.sealed.slot, revocation_secret(m.CODE, version - 1))
        made = refreshed(wallet, newest, stop=False, lock=m.lock(version), on_behalf_of=m.behalf(BOTH))
        made = replace(made, sealed=granting.change(made.sealed, mandate=m.shown(BOTH, version=version)))
        if version == 3:
            agency.net.statuses[99] = 1
            agency.clock.time += 61
            refused_refresh(agency, made, "credential_revoked", iat=agency.clock.time)
            break
        assert deliver(agency, made, iat=agency.clock.time).status_code == 200
        assert read_grant(agency.desk, rid, [], PURPOSE).values["postcode"] == "1234AB"
        agency.net.statuses[99] = 1
        agency.clock.time += 61
        before = agency.stored()
        with pytest.raises(Rejected, match="credential_revoked"):
            read_grant(agency.desk, rid, [], PURPOSE)
        assert agency.stored() == before
        agency.net.statuses[99] = 0
        agency.clock.time += 61
        newest = made


def test_attack_message_of_a_helper_whose_mandate_was_ended(agency: Agency, wallet: Wallet, asked: Any) -> None:
    rid, request = asked
    act_for(wallet, OPEN)
    given = grant(wallet, request, OPEN)
    assert agency.post(rid, given.form()).status_code == 200

    def send(number: int) -> Any:
        message = ResidentMessage(
            slot=given.sealed.slot, lock=given.sealed.terms.lock, kind="erasure_asked", iat=agency.clock.time,
            jti=b64u_encode(bytes([number]) * 16),
        )  # fmt: skip
        token = sign_message(message, m.HOLDERS[1])
        return agency.web.post(f"/v1/inbox/{rid}", json={"message": token})

    assert send(1).status_code == 202
    agency.net.statuses[4711] = 1
    agency.clock.time += 61
    before = agency.stored()
    answer = send(2)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "mandate_ended")
    assert agency.stored() == before


def test_attack_card_of_a_mandate_is_shared_as_a_copy(agency: Agency, wallet: Wallet) -> None:
    """Nobody could see or stop a copy; and the holder would pass for the person on it."""
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    own = wallet.show(request)
    act_for(wallet, OPEN)
    refused(agency, rid, copy_form(request, wallet.show(request)), "mandate_unsupported")
    with pytest.raises(Rejected, match="no_copy"):
        take_copy(agency.desk, rid)
    assert agency.post(rid, copy_form(request, own)).status_code == 200
