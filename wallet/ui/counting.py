"""A service that answers a question, as pages tell it: who works it out, who hears what, what is asked. Pure."""

from dataclasses import dataclass

from protocol.errors import Rejected
from protocol.names import visible
from protocol.service_law import Operator
from protocol.trust_list import Service, TrustList
from wallet.ui.names import label, value_lines


@dataclass(frozen=True)
class Condition:
    """One part of the question: the attribute, how it is compared, and with what; all in words but `op`."""

    label: str
    op: Operator
    value: str


@dataclass(frozen=True)
class Counting:
    """`asker`: who hears the answer, by name, or by OIN when no list has it; `is_count`: a number only."""

    asker: str
    is_count: bool
    conditions: tuple[Condition, ...]


def counting_of(service: Service | None, trust: TrustList | None, language: str) -> Counting | None:
    """None for a service that gets values. All conditions have to hold."""
    if service is None or service.answers == "values" or service.asked_by is None:
        return None
    return Counting(
        _name(service.asked_by, trust),
        service.answers == "count",
        tuple(
            Condition(label(one.vct, one.path, language), one.op, ", ".join(value_lines(one.value, language)))
            for one in service.question
        ),
    )


def _name(oin: str, trust: TrustList | None) -> str:
    try:
        return oin if trust is None else visible(trust.agency(oin).name)
    except Rejected:
        return oin
