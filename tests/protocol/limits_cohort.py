"""Probes of the limits of questions to a cohort, for `test_every_limit`."""

from collections.abc import Callable

from msgspec.structs import replace

from protocol import cohort
from protocol.canonical import b64u_encode, convert, to_builtins
from tests.protocol import builders as b
from tests.protocol import peer_input_cohort as i


def _answer(size: int) -> object:
    """A token of the counting party that is as long as this, by a member that nobody knows."""
    return i.opened_token("A" * size)


def _named(count: int) -> object:
    return convert(
        {**to_builtins(i.ANSWER), "yes": [b64u_encode(n.to_bytes(16, "big")) for n in range(count)]},
        cohort.CohortAnswer,
    )


def _age(seconds: int) -> object:
    return cohort.verify_question(i.TOKEN, i.TRUST, b.AGENCY_ID, b.NOW + seconds)


def _ahead(seconds: int) -> object:
    token = cohort.sign_question(replace(i.QUESTION, iat=b.NOW + seconds), i.ASKER.key, i.ASKER.x5c)
    return i.verified(token)


LIMITS: dict[str, tuple[Callable[[int], object], str, str | None]] = {
    "cohort.MAX_ANSWER_BYTES": (_answer, "too_large", "bad_jws"),
    "cohort.MAX_REFERENCES": (_named, "bad_form", None),
}
ALSO: dict[str, tuple[Callable[[int], object], str, str | None, bool]] = {
    "cohort.QUESTION_SECONDS": (_age, "stale", None, True),
    "cohort.QUESTION_SKEW": (_ahead, "stale", None, False),
}
