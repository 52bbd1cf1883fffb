"""What a service says of its lawfulness (protocol section 5, ours): the test of free consent, and its question.

The Dutch authority (AP, 25 February 2024) holds that consent to a public body can be free where it serves the
person, answers his concrete request, costs him nothing to refuse and uses no imbalance of power (AVG recital 43).
A service that asks a cohort gets no values out: only the outcome of its one question leaves the counting party.
"""

import datetime
from collections.abc import Collection, Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec

from protocol.errors import Rejected

Answers: TypeAlias = Literal["values", "yes_no", "count"]
"""What who asks gets: the attributes, yes or no for each resident, or a noised number of residents."""
Operator: TypeAlias = Literal["equal", "unequal", "less", "at_most", "more", "at_least"]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Oin = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{20}\Z")]
SelectionNumber = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,2}\.[0-9]{1,2}(\.[0-9]{1,3})?\Z")]
"""A result of the VNG retention list: process type, result and, for a specific one, its own number (`11.1.5`)."""
_EQUALITY = frozenset({"equal", "unequal"})
MAX_CONDITIONS = 8


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every member is always written: nothing about a ground in law goes without saying."""


class TestAnswer(_Entry, frozen=True):
    """One answer of the test: `yes` speaks for free consent; why, for the resident, in both languages."""

    __test__ = False  # no test class, whatever pytest thinks of its name

    yes: bool
    nl: Reason
    en: Reason


class FreeConsent(_Entry, frozen=True):
    """The vrije-toestemmingstoets: four times yes, and consent can be the ground for a public body.

    `interest`: it is in the interest of the person, and not also of the body; `request`: it answers his concrete
    request; `no_downside`: who refuses is none the worse; `no_imbalance`: no use is made of an imbalance of power.
    """

    interest: TestAnswer
    request: TestAnswer
    no_downside: TestAnswer
    no_imbalance: TestAnswer

    @property
    def answers(self) -> Sequence[tuple[str, TestAnswer]]:
        """Name and answer, in the order of the test."""
        return [(name, getattr(self, name)) for name in self.__struct_fields__]

    @property
    def is_passed(self) -> bool:
        """Whether every answer speaks for free consent."""
        return all(answer.yes for _, answer in self.answers)


class Condition(_Entry, frozen=True):
    """One comparison with one attribute that the service asks: what is at `path` `op` `value`.

    `path` is concrete (one name); an order (`less` to `at_least`) is one of numbers or of full dates
    (`YYYY-MM-DD`).
    """

    vct: Name
    path: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=8)]
    op: Operator
    value: bool | Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)] | Name


def check_question(
    answers: Answers,
    question: Sequence[Condition],
    asked_by: str | None,
    *,
    agency: str,
    mode: str,
    claims: Collection[tuple[str, ...]],
) -> None:
    """A service of values has no question; any other has one, and somebody else than the agency who asks it.

    1. conditions (all must hold) and asker are there exactly when there is something to answer; 2. who counts is
    not who asks (OIN `agency`), and keeps nothing; 3. each condition is about an attribute that the service asks
    (`claims`: type and path of each); 4. an order is one of numbers or dates. Raises `Rejected`: `bad_question`.
    """
    if answers == "values":
        if question or asked_by is not None:  # 1.
            raise _bad("a service that gets values has no question and no other asker")
        return
    if not question or asked_by is None:
        raise _bad("a service that answers yes, no or a number names its question and who asks it")
    if asked_by == agency or mode != "view":  # 2.
        raise _bad("who counts is another than who asks, and looks without keeping")
    if not all((condition.vct, *condition.path) in claims for condition in question):  # 3.
        raise _bad("the question is about an attribute that the service does not ask")
    if not all(condition.op in _EQUALITY or _has_order(condition.value) for condition in question):  # 4.
        raise _bad("smaller and larger are asked of a number or a full date")


def _has_order(value: bool | int | str) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool)
    try:
        return datetime.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _bad(detail: str) -> Rejected:
    return Rejected("bad_question", detail)
