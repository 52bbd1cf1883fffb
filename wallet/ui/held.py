"""What the pages of cards show: each card's state, what it says, and who has which datum of it now. Pure.

A state is a word, an icon and a sentence, never a colour alone. Whether an issuer took a card back is known only
after looking (`errand_check`); what was found then is given in.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.attributes import CREDENTIAL_TYPES, FLAG_NAMES, short_name
from protocol.issuer_jwt import NO_END
from protocol.names import visible
from protocol.terms import places_of
from wallet.card import card_names, claims_of
from wallet.errand_check import CheckedCard
from wallet.records import Activity, Awaited, Copy, GrantRecord
from wallet.state import RUNNING, state_of
from wallet.ui.names import card_label, label, value_lines
from wallet.ui.offered import card_name

DAY = 86_400
SOON_SECONDS = 30 * DAY
"""How long before its end a card is said to end soon."""
CardState: TypeAlias = Literal["valid", "soon", "over", "taken_back", "suspended", "unsure", "used_up"]
"""`unsure`: its issuer is not trusted any more; `used_up`: every copy is in use at somebody."""
STATE_KINDS: Mapping[CardState, str] = {
    "valid": "ok",
    "soon": "wait",
    "over": "stopped",
    "taken_back": "wrong",
    "suspended": "wait",
    "unsure": "unsure",
    "used_up": "wait",
}


@dataclass(frozen=True)
class Holder:
    """Who has a datum. `grant_id`: under an agreement, which can be stopped; None for a copy, which cannot."""

    name: str
    grant_id: str | None
    until: int | None


@dataclass(frozen=True)
class Value:
    """One attribute: its value by lines, none for what is empty; `is_investigated`: the register doubts it."""

    name: str
    label: str
    lines: tuple[str, ...]
    is_investigated: bool
    holders: tuple[Holder, ...]

    @property
    def organisations(self) -> int:
        """How many have it, each once."""
        return len({holder.name for holder in self.holders})


@dataclass(frozen=True)
class CardView:
    """One card. `id` is fit for a path. `until`: POSIX seconds, None without an end; `days` until then.

    `fresh`: copies that nobody has seen, of `copies`. `flags`: the register's warnings, label and lines of value.
    """

    id: str
    title: str
    name: str
    issuer: str
    address: str
    received: int
    until: int | None
    days: int | None
    state: CardState
    fresh: int
    copies: int
    values: tuple[Value, ...]
    flags: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def is_investigated(self) -> bool:
        """Whether the register doubts any of it."""
        return any(value.is_investigated for value in self.values)

    @property
    def organisations(self) -> int:
        """How many have anything of it, each once."""
        return len({holder.name for value in self.values for holder in value.holders})

    @property
    def kind(self) -> str:
        """Of the state, as the macro `state` draws it."""
        return STATE_KINDS[self.state]


@dataclass(frozen=True)
class AwaitedView:
    """A card that its issuer makes later; `next`: not to be asked before, POSIX seconds."""

    title: str
    issuer: str
    next: int
    is_ready: bool


def card_id(name: str) -> str:
    """For a path: opaque, the same each time."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def view_cards(
    copies: Mapping[str, Copy],
    issuers: Mapping[str, str],
    now: int,
    language: str,
    *,
    checked: Sequence[CheckedCard] = (),
    holders: Mapping[str, tuple[Holder, ...]] | None = None,
) -> tuple[CardView, ...]:
    """Every card, by name. `issuers`: names of those that are trusted now; `checked`: what was found last time."""
    names = card_names(copies)
    groups: dict[str, list[Copy]] = {}
    for name, copy in copies.items():
        groups.setdefault(names[name], []).append(copy)
    found = {(item.card, item.issuer): item for item in checked if item.mandate is None}
    return tuple(
        _card(name, held, issuers, now, language, found, holders or {}) for name, held in sorted(groups.items())
    )


def _card(
    name: str,
    held: list[Copy],
    issuers: Mapping[str, str],
    now: int,
    language: str,
    checked: Mapping[tuple[str, str], CheckedCard],
    holders: Mapping[str, tuple[Holder, ...]],
) -> CardView:
    newest = max(held, key=lambda copy: (copy.iat, copy.received))
    fresh = sum(copy.agency is None and copy.exp > now for copy in held)
    end = newest.exp if newest.exp < NO_END else None
    standing = checked.get((newest.configuration, newest.issuer))
    claims = claims_of(newest)
    doubted = set(claims.get("inOnderzoek") or ())
    return CardView(
        id=card_id(name),
        title=card_label(newest.vct, newest.title, language),
        name=name,
        issuer=visible(issuers.get(newest.issuer, newest.issuer)),
        address=visible(newest.issuer),
        received=max(copy.received for copy in held),
        until=end,
        days=None if end is None else max(0, (end - now) // DAY),
        state=_state(newest, fresh, now, issuers, standing),
        fresh=fresh,
        copies=len(held),
        values=tuple(
            Value(
                each,
                label(newest.vct, (each,), language),
                value_lines(claims[each], language),
                each in doubted,
                holders.get(f"{short_name(newest.vct)}.{each}", ()),
            )
            for each in _order(newest.vct, claims)
            if each not in FLAG_NAMES
        ),
        flags=tuple(
            (label(newest.vct, (each,), language), _flag_lines(newest.vct, each, claims[each], language))
            for each in FLAG_NAMES
            if each in claims
        ),
    )


def _order(vct: str, claims: Mapping[str, object]) -> list[str]:
    """Of the vocabulary; a stranger's by name."""
    known = CREDENTIAL_TYPES.get(vct)
    return [name for name in known.names if name in claims] if known else sorted(claims)


def _flag_lines(vct: str, name: str, value: object, language: str) -> tuple[str, ...]:
    """What is under investigation by its label instead of its name."""
    if name == "inOnderzoek" and isinstance(value, list):
        return tuple(label(vct, (str(each),), language) for each in value)
    return value_lines(value, language)


def _state(
    newest: Copy, fresh: int, now: int, issuers: Mapping[str, str], standing: CheckedCard | None
) -> CardState:
    """The first of these that is so, the gravest first."""
    found = standing.copies if standing else {}
    if newest.exp <= now:
        return "over"
    if found.get("revoked"):
        return "taken_back"
    if found.get("suspended"):
        return "suspended"
    if found.get("untrusted") or newest.issuer not in issuers:
        return "unsure"
    if not fresh:
        return "used_up"
    return "soon" if newest.exp <= now + SOON_SECONDS else "valid"


def view_awaited(
    awaited: Mapping[str, Awaited], issuers: Mapping[str, str], now: int, language: str
) -> list[AwaitedView]:
    """Cards that issuers make later, the first one first. `Awaited.access` begins with the issuer's identifier."""
    found = [
        AwaitedView(
            title=card_name(item.configuration, item.title, language),
            issuer=visible(issuers.get(item.access.split(" ")[0], item.access.split(" ")[0])),
            next=item.next,
            is_ready=item.next <= now,
        )
        for item in awaited.values()
    ]
    return sorted(found, key=lambda item: item.next)


def find_holders(
    grants: Mapping[str, GrantRecord], activities: Sequence[Activity], now: int
) -> dict[str, tuple[Holder, ...]]:
    """Who has what now, by `adres.postcode`: by agreements that run, and by copies, which nothing takes back."""
    found: dict[str, dict[Holder, None]] = {}
    for grant_id, record in grants.items():
        if state_of(record, now) in RUNNING:
            holder = Holder(visible(record.agency.name), grant_id, record.body.terms.not_after)
            for place in places_of(record.body.terms):
                found.setdefault(f"{short_name(place.vct)}.{place.name}", {})[holder] = None
    for activity in activities:
        if activity.kind in ("shared", "maybe_shared"):
            holder = Holder(visible(activity.agency_name), None, None)
            for name in activity.given:
                found.setdefault(name, {})[holder] = None
    return {name: tuple(holders) for name, holders in found.items()}
