"""Whether they may ask this, as the page of a request says it: the law, the test of free consent, how sure. Pure.

Levels of assurance (eIDAS) are shown as words and never as codes: how surely the issuer knew whose card it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from protocol.names import visible
from protocol.trust_list import Service
from wallet.card import assurance_of
from wallet.records import Copy

LEVELS = ("low", "substantial", "high")
"""From less to more."""


@dataclass(frozen=True)
class Reason:
    """One answer of the test of free consent: which question, whether it speaks for it, and why."""

    question: str
    yes: bool
    text: str


@dataclass(frozen=True)
class Lawful:
    """`law` as the service names it, `link` to its text; `reasons`: the test; `bsn_law`: lets it use the BSN."""

    law: str | None
    link: str | None
    reasons: tuple[Reason, ...]
    bsn_law: str | None


def lawful_of(service: Service, language: str) -> Lawful:
    """What the service version says of its own ground."""
    test = service.free_consent
    return Lawful(
        law=visible(service.law, 2000) if service.law else None,
        link=service.law_url,
        reasons=tuple(
            Reason(name, answer.yes, visible(answer.en if language == "en" else answer.nl, 500))
            for name, answer in (test.answers if test else ())
        ),
        bsn_law=visible(service.bsn_law, 2000) if service.bsn_law else None,
    )


def sureness_of(copies: Iterable[Copy]) -> str | None:
    """The least of the levels of these cards; None where none of them says one."""
    levels = [level for level in map(assurance_of, copies) if level in LEVELS]
    return min(levels, key=LEVELS.index, default=None)
