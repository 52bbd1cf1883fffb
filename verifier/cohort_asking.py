"""Who asks a cohort: an agency that learns the answer to one question, and has no key to anything else."""

from dataclasses import dataclass

from msgspec import Struct

from protocol.canonical import b64u_decode, b64u_encode
from protocol.cohort import (
    MAX_ANSWER_BYTES,
    CohortAnswer,
    CohortQuestion,
    open_cohort_answer,
    parse_question,
    sign_question,
)
from protocol.errors import Rejected
from protocol.seal import KEM_SEED_BYTES, KemPrivate
from protocol.trust_list import Service, TrustList
from verifier.cohort_store import Asked, CohortStore
from verifier.desk import Desk

PATH = "/v1/cohort-questions"
MAX_REPLY_BYTES = 2 * MAX_ANSWER_BYTES
"""Sealed and in base64url it grows by a third."""


class QuestionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /v1/cohort-questions`: a signed question."""

    question: str


class QuestionReply(Struct, frozen=True, omit_defaults=True):
    """`waiting`, or `answered` with the sealed answer (base64url), or `forgotten` when it is overdue."""

    state: str
    answer: str | None = None


@dataclass(frozen=True)
class Told:
    """What came back; `answer` is None while the counting party has not counted yet."""

    id: str
    service: Service
    answer: CohortAnswer | None


def ask_cohort(desk: Desk, store: CohortStore, party: str, url: str, service_id: str) -> Told:
    """Ask the newest version of a service of the counting party `party` (OIN), which is reached at `url`.

    1. the service names us as who may ask; 2. the question with its key is kept; 3. it is sent.
    Raises `Rejected`: `not_listed`, `not_asker` 403, and what the counting party refuses; `Unavailable`.
    """
    now = desk.now()
    service = _service(desk.trust(now), party, service_id)
    if service.asked_by != desk.config.oin:  # 1.
        raise Rejected("not_asker", "the trust list names another agency as who may ask this", status=403)
    signer, reply = desk.signer(now), KemPrivate(desk.parts.random(KEM_SEED_BYTES))
    question = CohortQuestion(
        aud=party,
        service=service.id,
        service_version=service.version,
        jti=b64u_encode(desk.parts.random(16)),
        iat=now,
        reply_key=b64u_encode(reply.public_bytes()),
    )
    token = sign_question(question, signer.key, signer.x5c)
    store.keep_asked(Asked(question.jti, token, url.rstrip("/"), now, reply.seed))  # 2.
    return fetch_answer(desk, store, question.jti)  # 3.


def _service(trust: TrustList, party: str, service_id: str) -> Service:
    found = [each for each in trust.agency(party).services if each.id == service_id]
    if not found:
        raise Rejected("not_listed", "the trust list has no such service of this agency", status=403)
    return max(found, key=lambda each: each.version)


def fetch_answer(desk: Desk, store: CohortStore, question_id: str) -> Told:
    """Send a kept question (again), and open the answer if there is one; as often as wanted for seven days.

    Raises `Rejected`: `unknown_question` 404, `question_overdue` 410, what the counting party refuses, and those
    of `open_cohort_answer`; `Unavailable`.
    """
    asked, now = store.asked(question_id), desk.now()
    if asked.reply_seed is None:
        raise Rejected("question_overdue", "this question is older than seven days", status=410)
    question, trust = parse_question(asked.token), desk.trust(now)
    service = trust.service(question.aud, question.service, question.service_version)
    body = QuestionRequest(asked.token)
    reply = desk.parts.fetcher.post_json(f"{asked.url}{PATH}", body, max_bytes=MAX_REPLY_BYTES).json(QuestionReply)
    if reply.answer is None:
        if reply.state == "forgotten":
            raise Rejected("question_overdue", "the counting party has forgotten its answer", status=410)
        return Told(question_id, service, None)
    answer = open_cohort_answer(
        b64u_decode(reply.answer, max_bytes=MAX_REPLY_BYTES),
        question,
        KemPrivate(asked.reply_seed),
        asker=desk.config.oin,
        trust=trust,
        now=now,
    )
    return Told(question_id, service, answer)
