"""The verdict: each step of an answer in words, the one that stopped it, and nothing of what was shared."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes
from protocol.errors import Rejected
from protocol.formats import Challenge, credential_format
from protocol.key_binding import sign_key_binding
from protocol.openid4vp import VerifiedRequest
from protocol.trust_list import ServiceClaim
from tests.protocol import builders, foreign
from tests.protocol.builders import ADRES, DAY, PERSOON, STRANGER
from tests.verifier.agency import Agency, Wallet, copy_form
from tests.verifier.holder import ELDERS, Holder
from verifier.explain import failed_step
from verifier.verdict import PRESENTATION_STEPS, STEPS, WORDS, Step, Trace, Verdict
from verifier.verdicts import MAX_KEPT


def judged(agency: Agency, rid: str) -> Verdict:
    """The newest verdict."""
    return agency.desk.store.verdicts.of(rid)[-1].verdict


def failed(verdict: Verdict) -> list[tuple[str, str | None, str | None]]:
    return [(step.name, step.credential, step.code) for step in verdict.steps if step.outcome == "failed"]


def names(verdict: Verdict, outcome: str, credential: str | None = None) -> list[str]:
    return [step.name for step in verdict.steps if step.outcome == outcome and step.credential == credential]


def post(
    agency: Agency, wallet: Wallet, changed: Callable[[dict[str, list[str]]], Any] = lambda shown: shown
) -> str:
    """Answer a request for a copy, `changed`; its id."""
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    agency.post(rid, copy_form(request, changed(wallet.show(request))))
    return rid


# --- of a copy -------------------------------------------------------------------------------------------------


def test_accepted_copy_passes_every_step(agency: Agency, wallet: Wallet) -> None:
    verdict = judged(agency, post(agency, wallet))
    assert (verdict.accepted, verdict.code, failed(verdict)) == (True, None, [])
    assert names(verdict, "passed") == [
        "form", "request_open", "answers_request", "presentations", "own_data", "one_person", "query",
        "transaction", "status_decision",
    ]  # fmt: skip
    for card in ("adres", "persoon"):
        assert names(verdict, "passed", card) == [*PRESENTATION_STEPS, "status"]
    assert {step.name for step in verdict.steps} == set(STEPS["copy"])


def test_steps_after_the_one_that_failed_are_not_reached(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    agency.post(rid, copy_form(request, wallet.show(request, nonce="another nonce that is long")))
    verdict = judged(agency, rid)
    ((step, credential, code),) = failed(verdict)
    assert (verdict.accepted, verdict.code) == (False, "wrong_nonce")
    assert (step, code) == ("nonce", "wrong_nonce")
    taken = PRESENTATION_STEPS[: PRESENTATION_STEPS.index("nonce")]
    assert names(verdict, "passed", credential) == list(taken)
    assert set(names(verdict, "not_reached")) == {
        "binding_time", "disclosures", "own_data", "one_person", "query", "transaction", "status",
        "status_decision",
    }  # fmt: skip


def spoil(part: str) -> Callable[[str], str]:
    """A presentation of which one part is not what it was."""

    def spoiled(text: str) -> str:
        jwt, *disclosures, kb_jwt = text.split("~")
        if part == "issuer signature":
            head, payload, signature = jwt.split(".")
            raw = bytearray(b64u_decode(signature))
            raw[3] ^= 1
            jwt = f"{head}.{payload}.{b64u_encode(bytes(raw))}"
        if part == "holder signature":
            kb_jwt = kb_jwt[:-4] + ("AAAA" if kb_jwt[-4:] != "AAAA" else "BBBB")
        if part == "disclosure dropped":
            disclosures = disclosures[1:]
        if part == "no key binding":
            kb_jwt = ""
        if part == "no parts":
            return "x"
        if part == "header":
            jwt = "x" + jwt
        return "~".join([jwt, *disclosures, kb_jwt])

    return spoiled


@pytest.mark.parametrize(
    ("part", "step", "code"),
    [
        ("no parts", "credential_form", "bad_sd_jwt"),
        ("header", "credential_form", None),
        ("no key binding", "key_binding", "no_key_binding"),
        ("issuer signature", "issuer_signature", "bad_signature"),
        ("holder signature", "holder_signature", None),
        ("disclosure dropped", "sd_hash", "bad_key_binding"),
    ],
)
def test_spoiled_part_is_named(agency: Agency, wallet: Wallet, part: str, step: str, code: str | None) -> None:
    rid = post(agency, wallet, lambda shown: {**shown, "adres": [spoil(part)(shown["adres"][0])]})
    verdict = judged(agency, rid)
    ((found, credential, why),) = failed(verdict)
    assert (found, credential) == (step, "adres")
    assert code in (None, why)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"audience": "x509_hash:another"}, "audience"),
        ({"nonce": "another nonce that is long"}, "nonce"),
        ({"iat": builders.NOW - 301}, "binding_time"),
        ({"iat": builders.NOW + 61}, "binding_time"),
    ],
)
def test_binding_to_something_else_is_named(
    agency: Agency, wallet: Wallet, changes: dict[str, Any], step: str
) -> None:
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    agency.post(rid, copy_form(request, wallet.show(request, **changes)))
    assert failed(judged(agency, rid))[0][0] == step


@pytest.mark.parametrize(
    ("card", "step"),
    [
        ({"signer": STRANGER}, "issuer_certificate"),
        ({"issuer": "https://nobody.example"}, "issuer_known"),
        ({"exp": builders.NOW}, "credential_dates"),
        ({"iat": builders.NOW + DAY}, "credential_dates"),
    ],
)
def test_card_that_its_issuer_may_not_have_made_is_named(agency: Agency, card: dict[str, Any], step: str) -> None:
    wallet = Wallet(agency.clock, agency.log, changes=card)
    assert failed(judged(agency, post(agency, wallet)))[0][0] == step


def test_type_that_the_issuer_may_not_issue_is_named(agency: Agency, wallet: Wallet) -> None:
    issuer = builders.issuer(vcts=[PERSOON])
    agency.enlist(builders.trust_list(version=2, issuers=[issuer]))
    assert ("issuer_may_issue", "adres", "vct_not_allowed") in failed(judged(agency, post(agency, wallet)))


def test_disclosure_that_does_not_belong_is_named(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    shown = wallet.show(request)
    foreign_one = shown["persoon"][0].split("~")[1]
    presented = shown["adres"][0].rpartition("~")[0] + f"~{foreign_one}~"
    bound = presented + sign_key_binding(
        presented, wallet.keys[ADRES], audience=request.client_id, nonce=request.nonce, iat=builders.NOW
    )
    agency.post(rid, copy_form(request, {**shown, "adres": [bound]}))
    assert failed(judged(agency, rid)) == [("disclosures", "adres", "unreferenced_disclosure")]


def test_unanswered_query_and_mixed_people_are_named(agency: Agency, wallet: Wallet) -> None:
    rid = post(agency, wallet, lambda shown: {"adres": shown["adres"]})
    assert failed(judged(agency, rid)) == [("query", None, "dcql_not_satisfied")]
    friend = Wallet(agency.clock, agency.log, name="friend", set_name="set 2")
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    mixed = {**wallet.show(request), "adres": friend.show(request)["adres"]}
    agency.post(rid, copy_form(request, mixed))
    assert failed(judged(agency, rid)) == [("one_person", None, "claim_mismatch")]


def test_revoked_and_undetermined_status_are_told_apart(agency: Agency, wallet: Wallet) -> None:
    agency.net.statuses[4711] = 1
    revoked = judged(agency, post(agency, wallet))
    assert ("status", "adres", "credential_revoked") in failed(revoked)
    assert ("status_decision", None, "credential_revoked") in failed(revoked)
    agency.start()
    agency.desk.store._file.database.conn.execute("DELETE FROM status_lists")
    agency.desk.store._file.database.conn.commit()
    agency.net.issuer_down = True
    unknown = judged(agency, post(agency, wallet))
    assert "status" in names(unknown, "undetermined", "adres")
    assert failed(unknown) == [("status_decision", None, "status_undetermined")]


def test_service_that_goes_on_without_the_status_is_told_so(tmp_path: Path) -> None:
    agency = Agency(tmp_path, accept_undetermined=(builders.SERVICE_ID,))
    agency.net.issuer_down = True
    verdict = judged(agency, post(agency, Wallet(agency.clock, agency.log)))
    assert verdict.accepted
    assert names(verdict, "undetermined", "adres") == ["status"]
    assert "status_decision" in names(verdict, "passed")


def test_verdict_admits_that_cards_of_strangers_may_be_of_anybody(tmp_path: Path) -> None:
    claims = [ServiceClaim(vct=foreign.PID, path=["given_name"], needed=True)]
    claims.append(ServiceClaim(vct=ADRES, path=["postcode"], needed=True))
    trust = builders.trust_list(agencies=[builders.agency(services=[builders.service(claims=claims)])])
    agency = Agency(tmp_path, trust=trust, anchors=ELDERS)
    agency.net.lists[foreign.STATUS["status_list"]["uri"]] = builders.FOREIGN
    key = builders.es256("ours")
    holder = Holder((foreign.pid(), builders.HOLDER), (builders.credential(ADRES, holder=key.public), key))
    rid, link = agency.ask(once=True)
    request: VerifiedRequest = Wallet(agency.clock, agency.log, trust=trust).open(agency, link)
    assert agency.post(rid, copy_form(request, holder.vp_token(request))).status_code == 200
    assert "one_person" in names(judged(agency, rid), "undetermined")


def test_answer_to_the_wrong_key_or_state_and_bad_forms_are_named(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    agency.post(rid, b"vp_token=x")
    assert failed(judged(agency, rid)) == [("form", None, "invalid_request")]
    agency.post(rid, b"response=a.b.c.d.e")
    assert failed(judged(agency, rid))[0][0] == "answers_request"
    agency.post(rid, copy_form(request, wallet.show(request), state="another"))
    assert failed(judged(agency, rid)) == [("answers_request", None, "invalid_request")]
    agency.clock.time += 3000
    agency.post(rid, copy_form(request, wallet.show(request)))
    assert failed(judged(agency, rid)) == [("request_open", None, "expired")]


def test_wallet_that_declines_is_not_at_fault(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    agency.web.post(f"/responses/{rid}", data={"error": "access_denied", "state": request.state})
    verdict = judged(agency, rid)
    assert (verdict.accepted, verdict.code) == (False, "access_denied")
    assert failed(verdict) == [("wallet_agrees", None, "access_denied")]


# --- of standing access ----------------------------------------------------------------------------------------


def test_grant_passes_its_own_steps(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask()
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
    verdict = judged(agency, rid)
    assert verdict.accepted
    assert {step.name for step in verdict.steps} == set(STEPS["standing"])
    assert not failed(verdict)


def test_grant_with_other_terms_is_named(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link)).with_terms(max_reads=5)
    assert agency.post(rid, made.form()).status_code == 400
    assert failed(judged(agency, rid))[0][0] == "grant"
    other_rid, _ = agency.ask()
    assert agency.post(other_rid, made.form()).status_code == 400
    assert failed(judged(agency, other_rid))[0][0] == "answers_request"


# --- keeping ---------------------------------------------------------------------------------------------------


def test_refusals_are_kept_within_bounds_and_the_accepted_one_stays(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(once=True)
    for _ in range(MAX_KEPT + 3):
        agency.post(rid, b"response=x")
    assert len(agency.desk.store.verdicts.of(rid)) == MAX_KEPT
    request = wallet.open(agency, link)
    agency.post(rid, copy_form(request, wallet.show(request)))
    for _ in range(MAX_KEPT + 3):
        agency.post(rid, b"response=x")
    kept = agency.desk.store.verdicts.of(rid)
    assert [one.verdict.accepted for one in kept] == [False] * (MAX_KEPT - 1) + [True]


def test_words_of_a_wallet_do_not_get_into_the_verdict(agency: Agency, wallet: Wallet) -> None:
    """Names under which nothing was asked, as long as an answer can be: refused before anything is looked at."""
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    shown = wallet.show(request)
    canary = "\x1b[2JCANARY" * 2000
    agency.post(rid, copy_form(request, {**shown, canary: shown["adres"]}))
    agency.post(rid, copy_form(request, {canary + str(number): ["a.b.c~d.e.f"] for number in range(5)}))
    for one in agency.desk.store.verdicts.of(rid):
        assert failed(one.verdict) == [("presentations", None, "dcql_not_satisfied")]
    assert len(agency.desk.store._file.rows("SELECT verdict FROM verdicts")[0]["verdict"]) < 4096


def test_unknown_request_leaves_no_verdict(agency: Agency) -> None:
    agency.post("nobody", b"response=x")
    assert not agency.desk.store._file.rows("SELECT * FROM verdicts")


def test_verdict_holds_nothing_of_what_was_shared(agency: Agency, wallet: Wallet) -> None:
    for changes in ({}, {"nonce": "another nonce that is long"}):
        rid, link = agency.ask(once=True)
        request = wallet.open(agency, link)
        shown = wallet.show(request, **changes)
        agency.post(rid, copy_form(request, shown))
        kept = json.dumps([json.loads(canonical_bytes(one.verdict)) for one in agency.desk.store.verdicts.of(rid)])
        secrets = ["1234AB", "Voorbeeld", request.nonce, request.state or "", request.client_id]
        assert not [secret for secret in secrets if secret in kept]
        assert not any(part in kept for text in shown["adres"] for part in text.split("~") if part)


def test_every_step_has_words_in_both_languages_and_a_clause() -> None:
    for kind in STEPS.values():
        assert set(kind) <= set(WORDS)
    for words in WORDS.values():
        assert words.nl
        assert words.en != words.nl
        assert words.clause
    with pytest.raises(ValueError, match="words"):
        Trace().note("made up", "passed")


# --- finding the step ------------------------------------------------------------------------------------------


def test_step_that_is_named_is_the_one_that_refused(agency: Agency, wallet: Wallet) -> None:
    """Whatever is spoiled: what the whole refuses has a step, and that one is named with a reason of its own."""
    _, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    text = wallet.show(request)["adres"][0]
    challenge = Challenge(request.client_id, request.nonce)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, len(text) - 1), st.sampled_from("A~.z-"))
    def run(place: int, letter: str) -> None:
        spoiled = text[:place] + letter + text[place + 1 :]
        if spoiled == text:
            return
        with pytest.raises(Rejected):
            credential_format("dc+sd-jwt").verify_presented(spoiled, builders.TRUST, challenge, builders.NOW)
        step, code = failed_step(spoiled, builders.TRUST, challenge, builders.NOW, "refused")
        assert step in PRESENTATION_STEPS
        assert code != "refused" or step in ("key_binding", "disclosures")

    run()


def test_trace_notes_what_passes_and_lets_what_fails_go_on() -> None:
    trace = Trace()
    with trace.step("form"):
        pass
    with pytest.raises(Rejected), trace.step("query"):
        raise Rejected("dcql_not_satisfied", "no")
    assert trace.steps == [Step("form", "passed"), Step("query", "failed", code="dcql_not_satisfied")]
