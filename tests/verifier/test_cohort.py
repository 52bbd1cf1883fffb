"""A municipality asks a counting party one question: what it hears, what it can never hear, what it costs."""

from pathlib import Path
from typing import Any

import pytest

from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, sha256
from protocol.cohort import CohortQuestion, open_cohort_answer, parse_question, reference_of, sign_question
from protocol.errors import Rejected, Unavailable
from protocol.openid4vp import check_registration, parse_authorization_url, verify_request_object
from protocol.reading import parse_read, sign_read, verify_read
from protocol.seal import KemPrivate
from protocol.service_law import Condition
from tests.protocol import builders
from tests.protocol.builders import ADRES, AGENCY_ID, DAY
from tests.verifier.agency import PURPOSE, Agency
from tests.verifier.counting import ASKER, ASKER_ID, OTHER, OTHER_ID, SERVICE, Municipality, Town, question_service
from verifier.cohort import Progress, reference_for, take_question
from verifier.config import CohortConfig
from verifier.evidence import export_evidence
from verifier.gate import make_read
from verifier.look import look
from verifier.machine import Agency as Machine
from verifier.reader import read_grant, read_predicate

SECRET = "4321ZZ"
"""A postal code that stands on a card and in no question."""


def town(path: Path, answers: str = "yes_no", **config: Any) -> Town:
    return Town(path, question_service(answers), builders.service(), **config)


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(Rejected) as info:
        call(*arguments)
    return info.value.code


def test_municipality_hears_yes_or_no_of_each_resident_and_a_leaf_stands_for_each(tmp_path: Path) -> None:
    t = town(tmp_path)
    ids = {name: t.resident(name, huisnummer=number)[0] for name, number in (("a", 9), ("b", 10), ("c", 11))}
    before = len(t.party.log.leaves)
    told = t.asker.ask()
    assert told.answer is None
    (done,) = t.answer()
    assert (done.read, done.left_out) == (3, 0)
    assert len(t.party.log.leaves) - before >= 3
    assert sorted(row["state"] for row in t.party.desk.store.reads.all()) == ["done"] * 3
    answer = t.asker.fetch(told.id).answer
    assert answer is not None
    names = {name: reference_for(t.party.desk, rid) for name, rid in ids.items()}
    assert sorted(answer.yes or []) == sorted([names["b"], names["c"]])
    assert answer.no == [names["a"]]
    assert answer.count is None
    reads = [parse_read(token).read for token in t.party.log.requests]
    assert {read.channel for read in reads} == {"batch"}


def test_reference_is_of_one_asker_and_one_service(tmp_path: Path) -> None:
    t = town(tmp_path)
    rid, _ = t.resident("a", huisnummer=12)
    mine = reference_for(t.party.desk, rid)
    assert mine == reference_for(t.party.desk, rid)
    key = t.party.desk.copies_key()
    assert mine == reference_of(key, ASKER_ID, SERVICE, rid)
    others = {reference_of(key, OTHER_ID, SERVICE, rid), reference_of(key, ASKER_ID, "anders", rid)}
    others |= {reference_of(bytes(32), ASKER_ID, SERVICE, rid), reference_of(key, ASKER_ID, SERVICE, rid + "0")}
    assert len(others) == 4
    assert mine not in others


def test_municipality_that_may_ask_cannot_open_any_attribute(tmp_path: Path) -> None:
    """Each way that there is, with the keys that it has."""
    t = town(tmp_path)
    rid, made = t.resident("a", huisnummer=12, postcode=SECRET)
    told = t.asker.ask()
    t.answer()
    t.asker.fetch(told.id)
    # 1. A READ of its own: the log takes READs of the recipient of the grant only.
    mine = make_read(
        made.sealed.terms,
        made.sealed.slot,
        [claim.digest for claim in made.sealed.terms.claims],
        PURPOSE,
        case_salt=None,
        key=ASKER.key,
        x5c=ASKER.x5c,
        now=t.party.clock.time,
        random=builders.random_of("attack"),
    )
    leaves = len(t.party.log.leaves)
    assert refused(verify_read, mine.token, builders.agency(), t.party.clock.time) == "not_recipient"
    assert refused(t.party.log._read, mine.request) == "not_recipient"
    # 2. A READ that the counting party signed is answered to the reply key in it; another key is none.
    taken = parse_read(t.party.log.requests[0])
    forged = sign_read(taken.read, ASKER.key, ASKER.x5c)
    assert refused(verify_read, forged, builders.agency(), t.party.clock.time) == "not_recipient"
    assert len(t.party.log.leaves) == leaves
    # 3. It cannot ask the service itself, nor read the grant in its own home.
    assert refused(t.asker.desk.service, t.asker.desk.trust(t.party.clock.time), SERVICE) == "not_listed"
    assert refused(read_grant, t.asker.desk, rid, [], PURPOSE) == "unknown_grant"
    # 4. Nothing that it received or keeps holds an attribute, or what a card or a grant is known by.
    seen = b"".join(
        [*t.asker.net.got, *(path.read_bytes() for path in t.asker.home.path.iterdir() if path.is_file())]
    )
    for secret in (SECRET, made.sealed.terms.lock, made.sealed.terms.tag_key, rid, builders.set_id("a")):
        assert secret.encode() not in seen


def test_counting_party_itself_has_no_way_to_show_an_attribute(tmp_path: Path) -> None:
    t = town(tmp_path)
    rid, _ = t.resident("a", huisnummer=12, postcode=SECRET)
    sent = len(t.party.log.requests)
    assert refused(read_grant, t.party.desk, rid, [], PURPOSE) == "answers_only"
    assert refused(read_grant, t.party.desk, rid, ["huisnummer"], PURPOSE) == "answers_only"
    assert refused(look, t.party.desk, rid, [], PURPOSE, "application") == "answers_only"
    machine = Machine(t.party.home.path, officer="system", parts=t.party.desk.parts)
    assert refused(machine.read, rid, "Z-1") == "answers_only"
    assert refused(lambda: t.party.ask(service=SERVICE, once=True)) == "answers_only"
    assert refused(lambda: t.party.ask(service=SERVICE, case="Z-1")) == "bad_wish"
    assert len(t.party.log.requests) == sent
    t.asker.ask()
    t.answer()
    file = tmp_path / "evidence.db"
    export_evidence(t.party.desk.store, t.party.desk.config, file, log=builders.LOG_ORIGIN, now=t.party.clock.time)
    assert SECRET.encode() not in file.read_bytes() + t.party.files()


def test_alarm_bell_keeps_not_even_a_mark_of_what_a_question_was_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = [Condition(vct=ADRES, path=["postcode"], op="equal", value=SECRET)]
    claims = builders.service().claims
    t = Town(tmp_path, question_service("yes_no", question=question, claims=claims))
    t.resident("a", postcode=SECRET)
    noted: list[object] = []
    bell = t.party.desk.bell
    monkeypatch.setattr(bell, "note", lambda *arguments: noted.append(arguments[-1]))
    told = t.asker.ask()
    t.answer()
    answer = t.asker.fetch(told.id).answer
    assert answer is not None
    assert len(answer.yes or []) == 1
    assert noted == [{}]


def test_wallet_gives_no_copy_for_a_service_that_answers_a_question(tmp_path: Path) -> None:
    """Its home is changed so that it asks all the same: nothing registered covers that."""
    t = town(tmp_path)
    honest = t.party.desk.service(t.party.trust, SERVICE)
    plain = question_service("values", question=[], asked_by=None)
    t.party.enlist(builders.trust_list(agencies=[builders.agency(services=[plain])]))
    _, link = t.party.ask(service=SERVICE, once=True)
    parsed = parse_authorization_url(link)
    token = t.party.web.get(f"/requests/{parsed.request_uri.rpartition('/')[2]}").text
    trust = builders.trust_list(agencies=[builders.agency(services=[honest])])
    request = verify_request_object(token, parsed.client_id, trust, t.party.clock.time)
    assert refused(check_registration, request) == "over_asking"


def test_question_of_somebody_else_is_refused_and_nothing_is_read(tmp_path: Path) -> None:
    t = town(tmp_path)
    t.resident("a", huisnummer=12)
    thief = Municipality(tmp_path / "thief", t.party, OTHER_ID, OTHER)
    assert refused(thief.ask) == "not_asker"
    body = question(t.party, OTHER)
    assert refused(take_question, t.party.desk, t.store, body) == "not_asker"
    assert (
        refused(take_question, t.party.desk, t.store, question(t.party, ASKER, aud=OTHER_ID))
        == "bad_cohort_question"
    )
    assert (
        refused(take_question, t.party.desk, t.store, question(t.party, ASKER, service="parkeervergunning"))
        == "no_question"
    )
    assert (
        refused(take_question, t.party.desk, t.store, question(t.party, ASKER, service_version=9)) == "no_question"
    )
    late = question(t.party, ASKER, iat=t.party.clock.time - 8 * DAY)
    assert refused(take_question, t.party.desk, t.store, late) == "stale"
    assert not t.store.questions()
    assert not t.party.log.requests


def question(party: Agency, signer: builders.Party, **changes: Any) -> str:
    """A question, signed by whom the test says."""
    members = {
        "aud": AGENCY_ID,
        "service": SERVICE,
        "service_version": 1,
        "jti": b64u_encode(sha256(canonical_bytes(changes))[:16]),
        "iat": party.clock.time,
        "reply_key": b64u_encode(builders.kem("reply").public_bytes()),
    }
    return sign_question(CohortQuestion(**{**members, **changes}), signer.key, signer.x5c)


def test_thief_of_a_question_who_sends_it_again_gets_an_answer_that_he_cannot_open(tmp_path: Path) -> None:
    t = town(tmp_path)
    rid, _ = t.resident("a", huisnummer=12)
    told = t.asker.ask()
    t.answer()
    stolen = t.party.web.post("/v1/cohort-questions", data=t.asker.net.sent[0], content_type="application/json")
    assert stolen.json["state"] == "answered"
    sealed = b64u_decode(stolen.json["answer"], max_bytes=1 << 20)
    assert reference_for(t.party.desk, rid).encode() not in sealed
    kept = t.asker.store.asked(told.id)
    assert kept.reply_seed is not None
    assert t.asker.fetch(told.id).answer is not None
    other = KemPrivate(sha256(b"x") * 3)
    with pytest.raises(Rejected):
        from_other_key(t, told.id, sealed, other)


def from_other_key(t: Town, question_id: str, sealed: bytes, key: KemPrivate) -> None:
    asked = parse_question(t.asker.store.asked(question_id).token)
    open_cohort_answer(sealed, asked, key, asker=t.asker.oin, trust=t.party.trust, now=t.party.clock.time)


def test_who_stopped_is_not_counted_and_not_read(tmp_path: Path) -> None:
    t = town(tmp_path)
    t.resident("a", huisnummer=12)
    _, gone = t.resident("b", huisnummer=12)
    t.party.log.stop(gone.sealed.slot, gone.secret)
    told = t.asker.ask()
    (done,) = t.answer()
    assert (done.read, done.left_out) == (1, 1)
    answer = t.asker.fetch(told.id).answer
    assert answer is not None
    assert len(answer.yes or []) == 1
    assert answer.no == []


def test_resident_who_granted_twice_counts_once(tmp_path: Path) -> None:
    t = town(tmp_path, "count")
    _, made = t.resident("a", huisnummer=12)
    t.grant(made.wallet)
    told = t.asker.ask()
    (done,) = t.answer()
    assert (done.read, done.left_out) == (1, 1)
    answer = t.asker.fetch(told.id).answer
    assert answer is not None
    assert answer.count == 1


def test_killed_count_goes_on_without_a_second_entry_for_anybody(tmp_path: Path) -> None:
    t = town(tmp_path)
    for name in "abc":
        t.resident(name, huisnummer=12)
    told = t.asker.ask()

    def kill(step: Progress) -> None:
        if step.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        t.answer(told=kill)
    assert t.asker.fetch(told.id).answer is None
    t.party.start()
    (done,) = t.answer()
    assert done.read == 3
    assert len(t.party.log.requests) == 3
    assert t.store.outcomes(told.id) == {}


def test_log_that_is_down_answers_nothing(tmp_path: Path) -> None:
    t = town(tmp_path)
    t.resident("a", huisnummer=12)
    told = t.asker.ask()
    t.party.log.down = True
    with pytest.raises(Unavailable):
        t.answer()
    assert t.asker.fetch(told.id).answer is None
    t.party.log.down = False
    assert t.answer()[0].read == 1


def test_gateway_that_refuses_every_read_makes_no_count_of_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    t = town(tmp_path, "count")
    t.resident("a", huisnummer=12)
    told = t.asker.ask()
    answer = t.party.log.answer

    def gateway(path: str, body: bytes | None) -> bytes:
        if path == "/v1/reads":
            raise Rejected("http_error", "answered with status 403", status=403)
        return answer(path, body)

    with monkeypatch.context() as refusing:
        refusing.setattr(t.party.log, "answer", gateway)
        assert refused(t.answer) == "http_error"
    assert t.asker.fetch(told.id).answer is None
    assert t.answer()[0].read == 1


def test_number_is_noised_once_and_the_same_whenever_it_is_fetched(tmp_path: Path) -> None:
    t = town(tmp_path, "count")
    for name in "abc":
        t.resident(name, huisnummer=12)
    told = t.asker.ask()
    asked: list[tuple[int, float]] = []

    def noise(count: int, epsilon: float) -> int:
        asked.append((count, epsilon))
        return count + 40

    t.answer(noise)
    answers = [t.asker.fetch(told.id).answer for _ in range(3)]
    assert {(a.count, a.epsilon_thousandths) for a in answers if a is not None} == {(43, 500)}
    assert asked == [(3, 0.5)]
    assert answers[0] is not None
    assert answers[0].yes is None


def test_budget_of_a_year_is_spent_when_a_question_is_taken_in_and_then_refused(tmp_path: Path) -> None:
    t = town(tmp_path, "count", cohort=CohortConfig(epsilon_thousandths=400, yearly_thousandths=1000))
    t.resident("a", huisnummer=12)
    first = t.asker.ask()
    assert t.store.spent(SERVICE, 2026) == 400
    assert refused(t.asker.ask) == "question_open"
    t.answer()
    t.asker.fetch(first.id)
    assert t.store.spent(SERVICE, 2026) == 400
    t.asker.ask()
    t.answer()
    sent = len(t.party.log.requests)
    assert refused(t.asker.ask) == "budget_spent"
    assert t.store.spent(SERVICE, 2026) == 800
    assert len(t.party.log.requests) == sent


def test_budget_begins_again_with_the_year_and_yes_and_no_cost_none(tmp_path: Path) -> None:
    t = town(tmp_path, "count", cohort=CohortConfig(epsilon_thousandths=400, yearly_thousandths=400))
    t.asker.ask()
    t.answer()
    assert refused(t.asker.ask) == "budget_spent"
    plain = town(tmp_path / "other")
    for _ in range(3):
        plain.asker.ask()
        plain.answer()
    assert plain.store.spent(SERVICE, 2026) == 0


def test_another_question_under_a_known_number_is_refused(tmp_path: Path) -> None:
    t = town(tmp_path)
    first = question(t.party, ASKER, jti=b64u_encode(bytes(16)))
    take_question(t.party.desk, t.store, first)
    assert take_question(t.party.desk, t.store, first).answered is None
    other = question(t.party, ASKER, jti=b64u_encode(bytes(16)), iat=t.party.clock.time - 1)
    assert refused(take_question, t.party.desk, t.store, other) == "question_changed"
    assert len(t.store.questions()) == 1


def test_changed_question_is_another_version_and_counts_nobody_who_granted_the_old_one(tmp_path: Path) -> None:
    t = town(tmp_path)
    t.resident("a", huisnummer=12)
    wider = question_service(
        "yes_no", version=2, question=[Condition(vct=ADRES, path=["huisnummer"], op="at_least", value=1)]
    )
    municipality, other = t.party.trust.agencies[1:]
    agencies = [builders.agency(services=[question_service("yes_no"), wider]), municipality, other]
    t.party.enlist(builders.trust_list(version=2, agencies=agencies))
    told = t.asker.ask()
    assert told.service.version == 2
    (done,) = t.answer()
    assert done.read == 0
    assert not t.party.log.requests


def test_answer_is_forgotten_when_the_question_is_overdue(tmp_path: Path) -> None:
    t = town(tmp_path)
    told = t.asker.ask()
    t.answer()
    t.party.clock.time += 8 * DAY
    t.asker.ask()
    assert t.store.questions()[0].sealed is None
    assert refused(t.asker.fetch, told.id) == "question_overdue"
    assert refused(t.asker.fetch, "nothing") == "unknown_question"


def test_question_that_was_never_answered_stands_in_nobodys_way_and_leaves_no_outcome(tmp_path: Path) -> None:
    t = town(tmp_path)
    for name in "ab":
        t.resident(name, huisnummer=12)
    told = t.asker.ask()

    def kill(step: Progress) -> None:
        if step.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        t.answer(told=kill)
    assert len(t.store.outcomes(told.id)) == 1
    assert refused(t.asker.ask) == "question_open"
    t.party.clock.time += 8 * DAY
    assert t.store.waiting(t.party.clock.time) == []
    assert t.store.outcomes(told.id) == {}
    again = t.asker.ask()
    assert [each.id for each in t.store.waiting(t.party.clock.time)] == [again.id]


def test_run_beside_a_faster_one_leaves_no_outcome_of_anybody(tmp_path: Path) -> None:
    t = town(tmp_path)
    rid, _ = t.resident("a", huisnummer=12)
    told = t.asker.ask()
    t.answer()
    with pytest.raises(Rejected, match="has been answered"):
        t.store.note_outcome(told.id, rid, "person", holds=True)
    assert t.store.outcomes(told.id) == {}


def test_service_of_values_has_no_predicate(agency: Agency, wallet: Any) -> None:
    rid, link = agency.ask()
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
    assert refused(read_predicate, agency.desk, rid, PURPOSE) == "no_question"
    assert not agency.log.requests


def test_reference_needs_a_service_with_a_question(tmp_path: Path) -> None:
    t = town(tmp_path)
    rid, _ = t.party.ask(service=builders.SERVICE_ID)
    assert refused(reference_for, t.party.desk, rid) == "no_question"


def test_edge_takes_json_only(tmp_path: Path) -> None:
    t = town(tmp_path)
    assert t.party.web.post("/v1/cohort-questions", data=b"x", content_type="text/plain").status_code == 415
    assert t.party.web.post("/v1/cohort-questions", json={"question": "x"}).json["code"] == "bad_cohort_question"
