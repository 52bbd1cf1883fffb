"""What an officer does besides asking: look with a reason, help under four eyes, answer who asks to erase."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.canonical import b64u_encode, b64u_fixed, sha256
from protocol.case_reference import parse_case_reference
from protocol.errors import Rejected, Unavailable
from protocol.reading import ResidentMessage, one_month_after, parse_message, sign_message
from protocol.rights import MessageKind
from tests.protocol.builders import ADRES, DAY, NOW
from tests.verifier.agency import PURPOSE, Agency, Granted, Wallet, copy_form
from verifier.access import access_answer, document_hash, salt_of
from verifier.assisted import confirm_help, note_help
from verifier.desk import Desk
from verifier.gate import Purpose
from verifier.inbox import answer_request
from verifier.look import look, look_once
from verifier.reader import read_grant, take_copy
from verifier.seen import Asked


def granted(agency: Agency, wallet: Wallet) -> tuple[str, Granted]:
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, made.form()).status_code == 200
    return rid, made


def code_of(act: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises((Rejected, Unavailable)) as info:
        act(*arguments, **named)
    return info.value.code


def ask_erasure(agency: Agency, wallet: Wallet, made: Granted, name: str = "one") -> str:
    """The resident's message in the inbox; its jti."""
    return ask_right(agency, wallet, made, "erasure_asked", name)


def ask_right(
    agency: Agency, wallet: Wallet, made: Granted, kind: MessageKind, name: str = "one", **more: Any
) -> str:
    """The same about any right."""
    jti = b64u_encode(sha256(name.encode())[:16])
    message = ResidentMessage(made.sealed.slot, made.sealed.terms.lock, kind, agency.clock.time, jti, **more)
    rid = made.request.response_uri.rpartition("/")[2]
    sent = agency.web.post(f"/v1/inbox/{rid}", json={"message": sign_message(message, wallet.keys[ADRES])})
    assert sent.status_code == 202
    return jti


def asked_of(agency: Agency, jti: str) -> Asked:
    found = agency.desk.store.seen.asked_by(jti)
    assert found is not None
    return found


# --- looking ---------------------------------------------------------------------------------------------


def test_look_stands_in_the_book_with_officer_case_and_reason(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    opened = look(agency.desk, rid, ["postcode"], PURPOSE, "application")
    (kept,) = agency.desk.store.book.looks_of(rid)
    assert (kept.officer, kept.case_number, kept.reason) == (PURPOSE.officer, PURPOSE.case, "application")
    assert (kept.outcome, kept.entry, kept.at) == ("done", opened.index, NOW)
    assert b"1234AB" not in agency.files()


def test_refused_look_stands_in_the_book_too(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    wallet.log.stop(made.sealed.slot, made.secret)
    assert code_of(look, agency.desk, rid, [], PURPOSE, "objection") == "revoked"
    (kept,) = agency.desk.store.book.looks_of(rid)
    assert (kept.outcome, kept.entry) == ("revoked", None)


def test_look_without_a_log_gives_nothing(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    agency.log.down = True
    assert code_of(look, agency.desk, rid, [], PURPOSE, "application") == "unreachable"
    assert agency.desk.store.book.looks_of(rid)[0].outcome == "unreachable"


def test_look_gives_nothing_when_the_book_cannot_be_written(
    agency: Agency, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rid, _ = granted(agency, wallet)

    def broken(*_: Any) -> None:
        raise Unavailable("database", "the disk is full")

    monkeypatch.setattr(agency.desk.store.book, "begin_look", broken)
    assert code_of(look, agency.desk, rid, [], PURPOSE, "application") == "database"
    assert not agency.log.requests


def test_look_at_nothing_leaves_no_line(agency: Agency) -> None:
    assert code_of(look, agency.desk, "0" * 32, [], PURPOSE, "application") == "unknown_request"
    assert agency.desk.store.book.looks(1)[1] == []


@pytest.mark.parametrize(("text", "case"), [(" Z-1 ", "Z-1"), ("x" * 256, "x" * 256)])
def test_case_number_is_taken_without_spaces(text: str, case: str) -> None:
    assert parse_case_reference(text).text == case


@pytest.mark.parametrize("text", ["", "  ", "x" * 257, "Z\x00", "Z\n1", "Z\u202e1"])
def test_case_number_that_nobody_can_see_is_refused(text: str) -> None:
    assert code_of(parse_case_reference, text) == "bad_case"


# --- four eyes -------------------------------------------------------------------------------------------


def test_nothing_is_read_of_what_was_decided_with_help_before_a_second_officer(
    agency: Agency, wallet: Wallet
) -> None:
    rid, link = agency.ask()
    note_help(agency.desk, rid, "officer 1")
    assert code_of(confirm_help, agency.desk, rid, "officer 2") == "not_answered"
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
    assert code_of(read_grant, agency.desk, rid, [], PURPOSE) == "second_officer"
    assert not agency.log.requests
    confirm_help(agency.desk, rid, "officer 2")
    assert read_grant(agency.desk, rid, [], PURPOSE).n == 0


def test_one_officer_is_never_both(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    note_help(agency.desk, rid, "officer 1")
    before = agency.desk.store.book.helped(rid)
    assert code_of(confirm_help, agency.desk, rid, "officer 1") == "same_officer"
    assert agency.desk.store.book.helped(rid) == before
    assert code_of(read_grant, agency.desk, rid, [], PURPOSE) == "second_officer"


def test_who_helped_stays_who_helped(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    assert code_of(confirm_help, agency.desk, rid, "officer 2") == "not_helped"
    note_help(agency.desk, rid, "officer 1")
    assert code_of(note_help, agency.desk, rid, "officer 2") == "helped_already"
    confirm_help(agency.desk, rid, "officer 2")
    confirm_help(agency.desk, rid, "officer 2")
    assert code_of(confirm_help, agency.desk, rid, "officer 3") == "helped_already"
    helped = agency.desk.store.book.helped(rid)
    assert helped is not None
    assert (helped.officer, helped.second) == ("officer 1", "officer 2")


def test_copy_that_was_shared_with_help_waits_for_the_second_officer(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(once=True)
    note_help(agency.desk, rid, "officer 1")
    request = wallet.open(agency, link)
    assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
    assert code_of(take_copy, agency.desk, rid) == "second_officer"
    confirm_help(agency.desk, rid, "officer 2")
    assert look_once(agency.desk, rid, PURPOSE, "application")


def test_nobody_helps_with_what_is_over(agency: Agency) -> None:
    rid, _ = agency.ask()
    agency.clock.time += DAY
    assert code_of(note_help, agency.desk, rid, "officer 1") == "request_ended"
    assert agency.desk.store.book.helped(rid) is None


# --- erasing ---------------------------------------------------------------------------------------------


def test_agency_answers_that_data_are_erased(agency: Agency, wallet: Wallet) -> None:
    _, made = granted(agency, wallet)
    jti = ask_erasure(agency, wallet, made)
    answer_request(agency.desk, jti, "erased")
    (asked,) = agency.desk.store.seen.asked()
    assert asked.answer is not None
    assert [parse_message(token).kind for token in agency.log.messages] == ["erasure_acknowledged", "erased"]
    assert parse_message(asked.answer).kind == "erased"
    assert code_of(answer_request, agency.desk, jti, "erased") == "answered_already"
    assert len(agency.log.messages) == 2


def test_agency_names_the_law_under_which_it_keeps(agency: Agency, wallet: Wallet) -> None:
    _, made = granted(agency, wallet)
    jti = ask_erasure(agency, wallet, made)
    answer_request(agency.desk, jti, "kept", law="AWR artikel 52", until=NOW + 7 * 365 * DAY)
    said = parse_message(agency.log.messages[-1])
    assert (said.kind, said.law, said.until) == ("kept", "AWR artikel 52", NOW + 7 * 365 * DAY)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("kept", {}),
        ("kept", {"law": "AWR artikel 52"}),
        ("kept", {"law": "AWR artikel 52", "until": NOW}),
        ("kept", {"law": "<b>", "until": NOW + DAY}),
        ("kept", {"law": "x" * 129, "until": NOW + DAY}),
        ("erased", {"law": "AWR artikel 52", "until": NOW + DAY}),
    ],
)
def test_answer_that_the_law_does_not_know_is_not_given(
    agency: Agency, wallet: Wallet, kind: Any, given: dict[str, Any]
) -> None:
    _, made = granted(agency, wallet)
    jti = ask_erasure(agency, wallet, made)
    before = agency.stored()
    assert code_of(answer_request, agency.desk, jti, kind, **given) == "bad_answer"
    assert agency.stored() == before


def test_answer_counts_only_when_the_log_has_it(agency: Agency, wallet: Wallet) -> None:
    _, made = granted(agency, wallet)
    jti = ask_erasure(agency, wallet, made)
    agency.log.down = True
    before = agency.stored()
    assert code_of(answer_request, agency.desk, jti, "erased") == "unreachable"
    assert agency.stored() == before
    agency.log.down = False
    answer_request(agency.desk, jti, "erased")


def test_receipt_that_the_log_missed_goes_before_the_answer(agency: Agency, wallet: Wallet) -> None:
    _, made = granted(agency, wallet)
    agency.log.down = True
    jti = ask_erasure(agency, wallet, made)
    assert code_of(answer_request, agency.desk, jti, "erased") == "log"
    agency.log.down = False
    answer_request(agency.desk, jti, "erased")
    assert [parse_message(token).kind for token in agency.log.messages] == ["erasure_acknowledged", "erased"]


def test_who_asks_to_see_gets_what_the_agency_did_and_its_hash_stands_in_the_log(
    agency: Agency, wallet: Wallet, run: Any, tmp_path: Path
) -> None:
    rid, made = granted(agency, wallet)
    look(agency.desk, rid, ["postcode"], PURPOSE, "application")
    jti = ask_right(agency, wallet, made, "access_asked")
    file = tmp_path / "access.json"
    shown = run("access", rid, str(file))["document"]
    agency.clock.time += 60
    look(agency.desk, rid, ["postcode"], PURPOSE, "application")  # after the question: not part of the answer
    document = json.loads(file.read_bytes())
    (read,) = document["reads"]
    assert "adres.postcode" in read["attributes"]
    assert (read["case"], read["reason"]) == (PURPOSE.case, "application")
    assert "adres.postcode" in document["agreement"]["attributes"]
    assert PURPOSE.officer not in file.read_text()
    assert "1234AB" not in file.read_text()
    run("answer", rid, "access_answered")
    said = parse_message(agency.log.messages[-1])
    assert (said.kind, said.document) == ("access_answered", shown)
    assert b64u_encode(sha256(file.read_bytes())) == shown
    assert code_of(answer_request, agency.desk, jti, "access_answered") == "answered_already"


def test_what_was_answered_is_printed_again_with_the_same_hash(agency: Agency, wallet: Wallet, run: Any) -> None:
    rid, made = granted(agency, wallet)
    jti = ask_right(agency, wallet, made, "access_asked")
    run("answer", rid, "access_answered")
    renamed = [replace(each, name="A new name") for each in agency.trust.agencies]
    agency.enlist(replace(agency.trust, version=agency.trust.version + 1, agencies=renamed))
    agency.desk = Desk(agency.desk.home, agency.desk.parts)
    assert agency.desk.agency(agency.desk.trust(NOW)).name == "A new name"
    again = access_answer(agency.desk, asked_of(agency, jti))
    assert document_hash(again) == parse_message(agency.log.messages[-1]).document


def test_attack_content_of_an_answer_is_not_guessed_from_the_log(agency: Agency, wallet: Wallet) -> None:
    """All but the salt may be known: it is 32 bytes that no other answer has and no log sees."""
    _, made = granted(agency, wallet)
    jtis = [ask_right(agency, wallet, made, "access_asked", name) for name in ("one", "two")]
    first, second = (access_answer(agency.desk, asked_of(agency, jti)) for jti in jtis)
    salts = [b64u_fixed(each.pop("salt"), 32) for each in (first, second)]
    assert first == second
    assert salts[0] != salts[1]
    assert document_hash(first) != document_hash(first | {"salt": b64u_encode(salts[0])})
    assert salt_of(bytes(32), jtis[0]) not in salts


def test_agency_corrects_or_names_the_law_under_which_it_does_not(agency: Agency, wallet: Wallet) -> None:
    _, made = granted(agency, wallet)
    wrong = [made.sealed.terms.claims[0].digest]
    first = ask_right(agency, wallet, made, "rectification_asked", claims=wrong)
    answer_request(agency.desk, first, "rectification_refused", law="Wet BRP artikel 2.58")
    agency.clock.time += DAY
    second = ask_right(agency, wallet, made, "rectification_asked", "two", claims=wrong)
    answer_request(agency.desk, second, "rectified")
    kinds = [parse_message(token).kind for token in agency.log.messages]
    heard = "rectification_acknowledged"
    assert kinds == [heard, "rectification_refused", heard, "rectified"]


def test_request_to_correct_what_was_never_given_is_refused(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    before = agency.stored()
    message = ResidentMessage(
        made.sealed.slot,
        made.sealed.terms.lock,
        "rectification_asked",
        NOW,
        b64u_encode(bytes(16)),
        claims=[b64u_encode(sha256(b"another"))],
    )
    sent = agency.web.post(f"/v1/inbox/{rid}", json={"message": sign_message(message, wallet.keys[ADRES])})
    assert (sent.status_code, sent.get_json()["code"]) == (400, "bad_message")
    assert agency.stored() == before


def test_each_right_has_its_own_answers(agency: Agency, wallet: Wallet) -> None:
    _, made = granted(agency, wallet)
    access = ask_right(agency, wallet, made, "access_asked", "access")
    erasure = ask_right(agency, wallet, made, "erasure_asked", "erasure")
    before = agency.stored()
    for jti, kind, more in (
        (access, "erased", {}),
        (erasure, "access_answered", {}),
        (access, "access_acknowledged", {}),
        (access, "access_refused", {}),
        (access, "access_refused", {"law": "UAVG artikel 41", "until": NOW + DAY}),
        (erasure, "erased", {"document": b64u_encode(bytes(32))}),
    ):
        assert code_of(answer_request, agency.desk, jti, kind, **more) == "bad_answer", kind
    assert agency.stored() == before


def test_unknown_request_to_erase_is_not_answered(agency: Agency) -> None:
    assert code_of(answer_request, agency.desk, "x" * 22, "erased") == "unknown_message"


def test_officer_lists_and_answers_on_the_command_line(run: Any, agency: Agency, wallet: Wallet) -> None:
    assert run("inbox")["messages"] == []
    rid, made = granted(agency, wallet)
    ask_erasure(agency, wallet, made)
    (item,) = run("inbox")["messages"]
    assert (item["grant"], item["due"]) == (rid, one_month_after(NOW))
    assert "bad_answer" in run("answer", rid, "kept", exit_code=1)
    run("answer", rid, "kept", "--law", "AWR artikel 52", "--until", "2034-01-01")
    (item,) = run("inbox")["messages"]
    assert (item["answer"], item["law"]) == ("kept", "AWR artikel 52")
    assert "unknown_message" in run("answer", rid, "erased", exit_code=1)


def test_log_never_learns_who_looked(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    look(agency.desk, rid, [], Purpose("ZAAK-CANARY", "CANARY"), "still_entitled")
    sent = "".join(agency.log.requests)
    assert "CANARY" not in sent
