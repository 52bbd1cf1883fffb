"""A question to a cohort: who may ask it, what is computed, and the answer (**ours**, protocol section 14).

A service with `answers` other than `values` belongs to a counting party. It reads each grant as any agency does,
and hands the asker yes or no for each resident, or a noised number: never an attribute. Both messages are signed;
the answer is sealed to a key of its question, so that who copies a question learns nothing by sending it again.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, TypeVar

from msgspec import Meta

from protocol.canonical import (
    JsonValue,
    b64u_decode,
    b64u_encode,
    canonical_bytes,
    hkdf_sha256,
    hmac_sha256,
    parse_struct,
)
from protocol.errors import Rejected
from protocol.jws import parse_jws, sign_jws
from protocol.keys import Es256Private
from protocol.seal import KemPrivate, hpke_open, hpke_seal
from protocol.service_law import Condition
from protocol.terms import B64u16, B64uKem, Form, Name, Number, Oin, Time
from protocol.trust_list import Service, TrustList, verify_agency_jws

QUESTION_TYPE = "regie-cohort-question+jwt"
ANSWER_TYPE = "regie-cohort-answer+jwt"
QUESTION_SECONDS = 7 * 86_400
"""How long a question may be sent again: reading a large cohort takes its time."""
QUESTION_SKEW = 60
"""Seconds that the asker's clock may run ahead."""
MAX_REFERENCES = 20_000
"""Residents in one answer: a larger cohort asks for a number."""
MAX_ANSWER_BYTES = 1024 * 1024
"""Of a signed answer: `MAX_REFERENCES` of 27 characters, in base64url, fit."""
_INFO = b"regie/cohort-answer/v1"
Ordered = TypeVar("Ordered", int, str)
Reference: TypeAlias = B64u16
"""A resident, to one asker and for one service: nothing else knows it, and it is nowhere else the same."""


class CohortQuestion(Form, frozen=True):
    """The payload of a question. `aud`: OIN of the counting party; `jti`: the same one again is one question."""

    aud: Oin
    service: Name
    service_version: Number
    jti: B64u16
    iat: Time
    reply_key: B64uKem


class CohortAnswer(Form, frozen=True):
    """The payload of an answer: `yes` and `no` of a service that answers so, else `count` with what it cost.

    `epsilon_thousandths`: of pure differential privacy for adding or removing one resident; `count` is noised and
    may be below zero.
    """

    aud: Oin
    jti: B64u16
    iat: Time
    answers: Literal["yes_no", "count"]
    yes: Annotated[list[Reference], Meta(max_length=MAX_REFERENCES)] | None = None
    no: Annotated[list[Reference], Meta(max_length=MAX_REFERENCES)] | None = None
    count: Annotated[int, Meta(ge=-(2**53), le=2**53)] | None = None
    epsilon_thousandths: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


@dataclass(frozen=True)
class VerifiedQuestion:
    """A question that `asker` (OIN) signed, about a service that names it. Only `verify_question` makes one."""

    token: str
    question: CohortQuestion
    asker: str
    service: Service


def sign_question(question: CohortQuestion, key: Es256Private, x5c: Sequence[str]) -> str:
    """By the asker, as it signs its READs."""
    return sign_jws(question, key, typ=QUESTION_TYPE, header={"x5c": list(x5c)})


def verify_question(token: str, trust: TrustList, counting: str, now: int) -> VerifiedQuestion:
    """1. form; 2. for the party `counting` (OIN); 3. about a listed service that answers questions; 4. signed by
    the agency that this service names, and no other; 5. neither from the future nor overdue.

    Raises `Rejected`: `bad_cohort_question`, `no_question` 404, `not_asker` 403, `stale`.
    """
    question = parse_question(token)  # 1.
    if question.aud != counting:  # 2.
        raise Rejected("bad_cohort_question", "the question is for another organisation")
    service = _asked_service(question, trust)  # 3.
    asker = str(service.asked_by)
    try:
        agency = trust.agency(asker)
        verify_agency_jws(token, typ=QUESTION_TYPE, agency=agency, now=now)  # 4.
    except Rejected as error:
        raise Rejected("not_asker", "not signed by the agency that may ask this", status=403) from error
    if not question.iat - QUESTION_SKEW <= now < question.iat + QUESTION_SECONDS:  # 5.
        raise Rejected("stale", "the question is overdue, or from the future")
    return VerifiedQuestion(token, question, asker, service)


def parse_question(token: str) -> CohortQuestion:
    """The payload, whose signature nobody has looked at: it says who has to have signed. `bad_cohort_question`."""
    try:
        return parse_struct(parse_jws(token, typ=QUESTION_TYPE).payload, CohortQuestion)
    except Rejected as error:
        raise Rejected("bad_cohort_question", error.detail) from error


def _asked_service(question: CohortQuestion, trust: TrustList) -> Service:
    try:
        service = trust.service(question.aud, question.service, question.service_version)
    except Rejected as error:
        raise _no_question() from error
    if service.answers == "values":
        raise _no_question()
    return service


def _no_question() -> Rejected:
    return Rejected("no_question", "no listed service answers this question", status=404)


def holds(condition: Condition, value: JsonValue) -> bool:
    """Whether an attribute meets a condition. What is not known, or of another kind, does not: nobody is guessed.

    Numbers compare with numbers, full dates (`YYYY-MM-DD`) with full dates; `true` is no number.
    """
    wanted, op = condition.value, condition.op
    if type(value) is not type(wanted):
        return False
    if op in ("equal", "unequal"):
        return (value == wanted) == (op == "equal")
    if isinstance(value, str) and isinstance(wanted, str) and _is_date(value):
        return _in_order(op, value, wanted)
    if isinstance(value, int) and isinstance(wanted, int):
        return _in_order(op, value, wanted)
    return False


def _in_order(op: str, value: Ordered, wanted: Ordered) -> bool:
    if op in ("less", "at_most"):
        return value < wanted or (op == "at_most" and value == wanted)
    return value > wanted or (op == "at_least" and value == wanted)


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def reference_of(key: bytes, asker: str, service: str, grant: str) -> str:
    """What the asker knows a grant of this service by: b64u of 16 bytes, from a `key` of the counting party."""
    name = canonical_bytes([asker, service, grant])
    return b64u_encode(hmac_sha256(hkdf_sha256(key, b"regie/cohort-reference/v1"), name)[:16])


def seal_answer(answer: CohortAnswer, question: CohortQuestion, key: Es256Private, x5c: Sequence[str]) -> bytes:
    """Signed by the counting party, then sealed to the key of its question. Raises `Rejected`: `bad_key`."""
    token = sign_jws(answer, key, typ=ANSWER_TYPE, header={"x5c": list(x5c)})
    return hpke_seal(b64u_decode(question.reply_key), token.encode("ascii"), _info(question))


def open_cohort_answer(
    sealed: bytes, question: CohortQuestion, reply: KemPrivate, *, asker: str, trust: TrustList, now: int
) -> CohortAnswer:
    """1. sealed to this question's key; 2. signed by the party that it went to; 3. the answer to this question, to
    `asker` (OIN); 4. of the form that the service answers in, one resident once.

    Raises `Rejected`: `unsealable`, `bad_cohort_answer`, `not_listed`, and those of `verify_agency_jws`.
    """
    token = hpke_open(reply, sealed, _info(question)).decode("ascii", "replace")  # 1.
    service = _asked_service(question, trust)
    signed = verify_agency_jws(
        token, typ=ANSWER_TYPE, agency=trust.agency(question.aud), now=now, max_bytes=MAX_ANSWER_BYTES
    )  # 2.
    answer = parse_struct(signed, CohortAnswer, max_bytes=MAX_ANSWER_BYTES)
    if (answer.jti, answer.aud) != (question.jti, asker):  # 3.
        raise _bad_answer("it answers another question")
    if answer.answers != service.answers:  # 4.
        raise _bad_answer("the service does not answer like this")
    _check_form(answer)
    return answer


def _check_form(answer: CohortAnswer) -> None:
    is_count = answer.answers == "count"
    if is_count != (answer.count is not None) or is_count != (answer.epsilon_thousandths is not None):
        raise _bad_answer("a number with its epsilon belongs to a count, and only there")
    if is_count == (answer.yes is not None) or is_count == (answer.no is not None):
        raise _bad_answer("residents belong to yes and no, and only there")
    both = [*(answer.yes or ()), *(answer.no or ())]
    if len(set(both)) != len(both):
        raise _bad_answer("a resident is named twice")


def _bad_answer(detail: str) -> Rejected:
    return Rejected("bad_cohort_answer", detail)


def _info(question: CohortQuestion) -> bytes:
    return _INFO + canonical_bytes([question.aud, question.service, question.service_version, question.jti])
