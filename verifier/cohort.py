"""A counting party at work: it takes in a question, reads each grant through the gate, and seals one answer.

The asker hears yes or no for each resident under a reference that is the asker's alone, or a noised number. What a
number costs is spent when the question is taken in, so that no crash and no repetition gives a second one free.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from protocol.cohort import (
    MAX_REFERENCES,
    CohortAnswer,
    VerifiedQuestion,
    reference_of,
    seal_answer,
    verify_question,
)
from protocol.consent import verify_consent
from protocol.errors import Rejected
from verifier.cohort_store import CohortStore, TakenIn
from verifier.desk import Desk
from verifier.gate import Purpose
from verifier.grants import StoredGrant
from verifier.reader import read_predicate

OFFICER = "cohort"
"""Whom the log's READs name, hashed: a program, for which the agency answers."""
GONE = frozenset({403, 410})
"""Statuses of a refusal that stands: this resident stopped, or does not let it be read now, and is not counted."""
_OF_NO_RESIDENT = frozenset({"http_error", "not_recipient"})
"""Of these statuses, what says nothing of a resident: a gateway, or our own place in the trust list. A count of
nobody would be wrong, and would be told.
"""
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
Noise = Callable[[int, float], int]
"""(true count, epsilon) to a noised one: one resident more or less changes a count by 1."""


@dataclass(frozen=True)
class Progress:
    """How far a question is: grants read or left out, of all."""

    done: int
    total: int


@dataclass(frozen=True)
class Finished:
    """A question that has its answer now. `read`: grants that were counted; `left_out`: those that could not be
    read any more, and second grants of one resident.
    """

    id: str
    service: str
    read: int
    left_out: int


def take_question(desk: Desk, store: CohortStore, token: str) -> TakenIn:
    """A question of somebody else, verified, paid for and kept; the same one again changes nothing.

    Raises `Rejected`: those of `verify_question` and `CohortStore.take_in`.
    """
    now = desk.now()
    asked = verify_question(token, desk.trust(now), desk.config.oin, now)
    config = desk.config.cohort
    epsilon = config.epsilon_thousandths if asked.service.answers == "count" else 0
    return store.take_in(asked, year=year_of(now), epsilon=epsilon, yearly=config.yearly_thousandths, now=now)


def year_of(now: int) -> int:
    """The calendar year in Europe/Amsterdam."""
    return datetime.fromtimestamp(now, _AMSTERDAM).year


def answer_question(
    desk: Desk, store: CohortStore, taken: TakenIn, noise: Noise, progress: Callable[[Progress], None]
) -> Finished:
    """Read what was not read yet, then compute, sign, seal and keep the answer, in this order.

    1. the question once more, as of when it was taken in; 2. each live grant of exactly this version of the
    service, the newest of a resident: one entry in the log each; 3. the answer. A run that was killed goes on
    where it was. Raises `Unavailable` when the log or an issuer cannot be asked: nothing is answered then;
    `Rejected`: those of `verify_question`, `cohort_too_large`, and what a lying log is caught at.
    """
    asked = verify_question(taken.token, desk.trust(desk.now()), desk.config.oin, taken.received)  # 1.
    left_out = _read_all(desk, store, asked, progress)  # 2.
    outcomes = {grant: found for grant, (_, found) in store.outcomes(taken.id).items()}
    answer = _answer(desk, asked, outcomes, taken.epsilon, noise)
    signer = desk.signer(desk.now())
    store.answer(taken.id, seal_answer(answer, asked.question, signer.key, signer.x5c), desk.now())  # 3.
    return Finished(taken.id, taken.service, len(outcomes), left_out)


def grants_of(desk: Desk, asked: VerifiedQuestion) -> list[StoredGrant]:
    """Grants under exactly this version of the service that nobody ended, the newest first."""
    version = (asked.service.id, asked.service.version)
    return [
        grant
        for grant in desk.store.grants.all()
        if grant.state == "active" and (grant.answer.terms.service, grant.answer.terms.service_version) == version
    ]


def reference_for(desk: Desk, grant_id: str) -> str:
    """What the asker will know a grant by. Raises `Rejected`: `unknown_request`, `not_listed`, `no_question`."""
    request = desk.store.requests.get(grant_id).request
    service = desk.trust(desk.now()).service(desk.config.oin, request.service, request.service_version)
    if service.asked_by is None:
        raise Rejected("no_question", "this service has no question", status=404)
    return reference_of(desk.copies_key(), service.asked_by, service.id, grant_id)


def _read_all(
    desk: Desk, store: CohortStore, asked: VerifiedQuestion, progress: Callable[[Progress], None]
) -> int:
    """Every grant that counts is in the store when this returns; how many do not count."""
    known = store.outcomes(asked.question.jti)
    persons = {person for person, _ in known.values()}
    grants, left_out = grants_of(desk, asked), 0
    if asked.service.answers == "yes_no" and len(grants) > MAX_REFERENCES:
        raise Rejected("cohort_too_large", f"yes and no are told of at most {MAX_REFERENCES} residents")
    for number, grant in enumerate(grants):
        progress(Progress(number, len(grants)))
        if grant.id not in known and not _read_one(desk, store, asked, grant, persons):
            left_out += 1
    progress(Progress(len(grants), len(grants)))
    return left_out


def _read_one(
    desk: Desk, store: CohortStore, asked: VerifiedQuestion, grant: StoredGrant, persons: set[str]
) -> bool:
    """Whether it counts: not when it cannot be read any more, nor for who was counted by a newer grant."""
    question = asked.question.jti
    try:
        person = person_of(desk, grant)
        if person in persons:
            return False
        found = read_predicate(desk, grant.id, Purpose(f"cohort {question}", OFFICER, channel="batch"))
    except Rejected as error:
        if error.status not in GONE or error.code in _OF_NO_RESIDENT:
            raise
        return False
    persons.add(person)
    store.note_outcome(question, grant.id, person, holds=found)
    return True


def person_of(desk: Desk, grant: StoredGrant) -> str:
    """The `set` of the credentials that signed a grant: the same in all grants of a resident, until its cards are
    issued anew. Raises as `verify_consent`.
    """
    now = desk.now()
    trust = desk.trust(now)
    asked = desk.asked(trust, grant.request, grant.request_hash)
    return verify_consent(grant.answer, asked, trust=trust, now=now, fresh=False).set_id


def _answer(
    desk: Desk, asked: VerifiedQuestion, outcomes: Mapping[str, bool], epsilon: int, noise: Noise
) -> CohortAnswer:
    """Yes and no in the order of the references, which says nothing of who granted when; or a noised number."""
    answer = CohortAnswer(asked.asker, asked.question.jti, desk.now(), "count")
    if asked.service.answers == "count":
        count = noise(sum(outcomes.values()), epsilon / 1000)
        return replace(answer, count=count, epsilon_thousandths=epsilon)
    key = desk.copies_key()
    named = sorted(
        (reference_of(key, asked.asker, asked.service.id, grant), held) for grant, held in outcomes.items()
    )
    yes, no = ([name for name, held in named if held is wanted] for wanted in (True, False))
    return replace(answer, answers="yes_no", yes=yes, no=no)
