"""What the resident filled in on the page of a request, as text, and the choice that it is. Pure.

Nothing is given that was not ticked: what the asker can do without is left out until the resident says otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from protocol.errors import Rejected
from protocol.openid4vp import VerifiedRequest
from protocol.terms import Context
from wallet.consent import Asked, asked_attributes
from wallet.records import Choice, ShareChoice

MAX_TEXT = 16
"""Of a date or a number that is filled in."""
_CARD = "card:"
MOMENTS: Mapping[str, Context] = {
    "work": Context(days=[1, 2, 3, 4, 5], hours=[8, 18]),
    "weekdays": Context(days=[1, 2, 3, 4, 5]),
    "day": Context(hours=[7, 19]),
}
"""When somebody may look, by the name in the form."""
OFFICE = "office"
FIELDS = {
    "bad_date": "until",
    "too_long": "until",
    "bad_reads": "reads",
    "too_many_reads": "reads",
    "no_moment_left": "when",
    "nothing_left": "data",
    "bad_card_choice": "data",
    "no_copies_left": "data",
    "need_word": "unregistered",
    "secrecy": "secret",
}
"""Error codes that a resident can put right on the page itself, and the field that they are about."""


@dataclass(frozen=True)
class Wish:
    """`ticked`: names of attributes; `cards`: for each place the cards chosen for it, each as `QUERY=CARD`.

    `until` (a date, ISO 8601) and `reads` are as typed, empty when left alone; `when` (of `MOMENTS`) and `where`
    (`office`) likewise. `unregistered`, `reuse` and
    `secret`: the resident's own word, see `records.ShareChoice`.
    """

    ticked: frozenset[str] = frozenset()
    until: str = ""
    reads: str = ""
    when: str = ""
    where: str = ""
    cards: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unregistered: bool = False
    reuse: bool = False
    secret: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the resident has chosen nothing so far; a proposed last day is no choice yet."""
        return replace(self, until="") == NOTHING


NOTHING = Wish()
"""As every page begins."""


def read_wish(names: Sequence[str], values: Callable[[str], Sequence[str]]) -> Wish:
    """From a form: its field names, and all values of one. What it does not know it ignores."""
    one = {name: (values(name) or [""])[0].strip()[:MAX_TEXT] for name in ("until", "reads", "when", "where")}
    cards = {name.removeprefix(_CARD): tuple(values(name)) for name in names if name.startswith(_CARD)}
    return Wish(
        ticked=frozenset(values("give")),
        until=one["until"],
        reads=one["reads"],
        when=one["when"] if one["when"] in MOMENTS else "",
        where=one["where"] if one["where"] == OFFICE else "",
        cards={place: chosen for place, chosen in cards.items() if any(chosen)},
        unregistered="unregistered" in names,
        reuse="reuse" in names,
        secret="secret" in names,
    )


def only_needed(wish: Wish) -> Wish:
    """The same without anything that the asker can do without."""
    return Wish(
        until=wish.until,
        reads=wish.reads,
        when=wish.when,
        where=wish.where,
        cards=wish.cards,
        unregistered=wish.unregistered,
        secret=wish.secret,
    )


def is_free(item: Asked) -> bool:
    """Whether the resident may give it or leave it: the asker can do without, and it registered it."""
    return not item.needed and item.registered and not item.flag


def choice_of(request: VerifiedRequest, wish: Wish) -> Choice:
    """For standing access. What was not registered is never given, whatever was ticked.

    Raises `Rejected`: `bad_date`, `bad_reads` for what is no date or number.
    """
    out = [
        item.name
        for item in asked_attributes(request)
        if not item.flag and not item.needed and not (item.registered and item.name in wish.ticked)
    ]
    return Choice(tuple(out), _date(wish.until), _number(wish.reads), context_of(wish))


def context_of(wish: Wish) -> Context | None:
    """When and from where somebody may look; None when the resident left it alone."""
    moment = MOMENTS.get(wish.when, Context())
    context = Context(days=moment.days, hours=moment.hours, zone="office" if wish.where == OFFICE else None)
    return None if context == Context() else context


def share_choice_of(wish: Wish) -> ShareChoice:
    """For a copy: the cards chosen. What the asker can do without is answered only where one was."""
    cards = [card for chosen in wish.cards.values() for card in chosen if card]
    return ShareChoice(cards=tuple(cards), unregistered=wish.unregistered, reuse=wish.reuse, secret=wish.secret)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Rejected("bad_date", "this is not a date") from error


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise Rejected("bad_reads", "this is not a number")
    return int(text)
