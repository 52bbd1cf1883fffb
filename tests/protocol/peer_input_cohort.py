"""Rows for questions to a cohort and their answers."""

from typing import Any

from protocol import cohort
from protocol.canonical import b64u_encode, to_builtins
from protocol.cohort import CohortAnswer, CohortQuestion
from protocol.seal import hpke_seal
from protocol.service_law import Condition
from tests.protocol import builders as b
from tests.protocol.builders import ADRES, NOW
from tests.protocol.peer_input import Row, forge, forge_header, header_of, payload_of

ASKER_ID = "00000099000000002000"
ASKER = b.party("asker of a cohort", san_dns="vraag.voorbeeld.example")
X5C = {"x5c": ASKER.x5c}
SERVICE = b.service(
    mode="view",
    answers="yes_no",
    asked_by=ASKER_ID,
    question=[Condition(vct=ADRES, path=["postcode"], op="equal", value="1234AB")],
)
TRUST = b.trust_list(
    agencies=[
        b.agency(services=[SERVICE]),
        b.agency(id=ASKER_ID, name="Gemeente Vraag", roots=ASKER.roots, services=[]),
    ]
)
REPLY = b.kem("reply")
QUESTION = CohortQuestion(
    aud=b.AGENCY_ID,
    service=SERVICE.id,
    service_version=1,
    jti=b64u_encode(bytes(16)),
    iat=NOW,
    reply_key=b64u_encode(REPLY.public_bytes()),
)
TOKEN = cohort.sign_question(QUESTION, ASKER.key, ASKER.x5c)
ANSWER = CohortAnswer(
    aud=ASKER_ID,
    jti=QUESTION.jti,
    iat=NOW,
    answers="yes_no",
    yes=[b64u_encode(bytes([1] * 16))],
    no=[b64u_encode(bytes([2] * 16))],
)
CONDITION = SERVICE.question[0]


def verified(token: str) -> object:
    """As the counting party reads it."""
    return cohort.verify_question(token, TRUST, b.AGENCY_ID, NOW)


def opened(answer: Any) -> object:
    """The counting party signs and seals anything."""
    return opened_token(forge(answer, b.AGENCY.key, cohort.ANSWER_TYPE, {"x5c": b.AGENCY.x5c}))


def opened_token(token: str) -> object:
    """The same with a token that it has already."""
    sealed = hpke_seal(REPLY.public_bytes(), token.encode("utf-8", "replace"), cohort._info(QUESTION))
    return opened_bytes(sealed)


def opened_bytes(sealed: bytes) -> object:
    """What came back."""
    return cohort.open_cohort_answer(sealed, QUESTION, REPLY, asker=ASKER_ID, trust=TRUST, now=NOW)


ROWS = [
    Row("cohort.parse_question", TOKEN, cohort.parse_question),
    Row("cohort.verify_question", TOKEN, verified),
    Row(
        "cohort.verify_question",
        payload_of(TOKEN),
        lambda value: verified(forge(value, ASKER.key, cohort.QUESTION_TYPE, X5C)),
        "payload",
    ),
    Row(
        "cohort.verify_question",
        header_of(TOKEN),
        lambda value: verified(forge_header(value, TOKEN.split(".")[1], ASKER.key)),
        "header",
    ),
    Row(
        "cohort.seal_answer",
        QUESTION.reply_key,
        lambda value: cohort.seal_answer(
            ANSWER, CohortQuestion(**{**to_builtins(QUESTION), "reply_key": value}), b.AGENCY.key, b.AGENCY.x5c
        ),
    ),
    Row(
        "cohort.open_cohort_answer",
        cohort.seal_answer(ANSWER, QUESTION, b.AGENCY.key, b.AGENCY.x5c),
        opened_bytes,
    ),
    Row("cohort.open_cohort_answer", to_builtins(ANSWER), opened, "payload"),
]
