"""What the page of a request shows: who asks, what, why, whether they may, how long, and what a no means. Pure.

Three kinds of page (GDPR articles 6 and 7, recital 43):

    consent   the resident decides, and may stop it at any moment
    task      a law is the ground: no consent is asked, the law is named, and how to object
    copy      the resident supplies a copy, once; nothing takes it back

What may be given is decided by the rules of giving, which `answerable` asks ahead.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from protocol.asker import Asker
from protocol.names import visible
from protocol.openid4vp import VerifiedRequest
from protocol.terms import Context
from protocol.trust_list import Service
from wallet.consent import Asked, asked_attributes
from wallet.grant import latest_end
from wallet.mandated import Acting
from wallet.records import Copy
from wallet.ui.answerable import Answer, answer_to
from wallet.ui.lawful import Lawful, lawful_of, sureness_of
from wallet.ui.names import card_label, in_language, label
from wallet.ui.organisation import Organisation, organisation_of
from wallet.ui.slots import Slot, find_slots
from wallet.ui.wish import Wish, is_free

Kind: TypeAlias = Literal["consent", "task", "copy"]
Need: TypeAlias = Literal["needed", "free", "too_much"]
"""`too_much`: not registered, so that the wallet does not give it, whatever the asker calls it."""
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_EARLIER = (7, 30, 90, 180)
_HALF_DAY = 43_200


@dataclass(frozen=True)
class Datum:
    """One attribute. `is_going`: it goes if the resident says yes now."""

    name: str
    label: str
    need: Need
    is_going: bool


@dataclass(frozen=True)
class Group:
    """What is asked of one card. `is_here`: the resident has such a card. `flags`: labels of warnings.

    `slot`: of a copy, where more than one card could do or none is needed; `sure`: the level of assurance of the
    cards that are here.
    """

    title: str
    data: tuple[Datum, ...]
    flags: tuple[str, ...]
    is_here: bool
    slot: Slot | None = None
    sure: str | None = None


@dataclass(frozen=True)
class Why:
    """What it is for, on what ground, and what becomes of it. `retention`: ISO 8601; `mode`: view or store.

    `lawful`: what the service says of its ground; None of who has none.
    """

    service: str
    purpose: str
    basis: str | None
    law: str | None = None
    retention: str | None = None
    mode: str | None = None
    product: str | None = None
    lawful: Lawful | None = None


@dataclass(frozen=True)
class Term:
    """Of standing access: until when as things stand and at most (POSIX seconds); looks likewise, None for any;
    when and from where as things stand.

    `earlier`: last days to choose from instead: ISO 8601, noon of that day and how long from now, in seconds.
    """

    until: int
    latest: int
    reads: int | None
    most_reads: int | None
    earlier: tuple[tuple[str, int, int], ...]
    context: Context | None = None


@dataclass(frozen=True)
class RequestView:
    """All that the page shows. `needs_word`: an unknown asker gets nothing unless the resident says so besides."""

    kind: Kind
    organisation: Organisation
    why: Why
    groups: tuple[Group, ...]
    term: Term | None
    answer: Answer
    wish: Wish
    needs_word: bool
    asked_until: int

    @property
    def too_much(self) -> tuple[str, ...]:
        """Labels of what is asked and not registered."""
        return tuple(datum.label for group in self.groups for datum in group.data if datum.need == "too_much")

    @property
    def can_give(self) -> bool:
        """Whether a yes is possible at all."""
        return self.answer.obstacle is None or self.answer.may_reuse

    @property
    def flags(self) -> tuple[str, ...]:
        """Labels of warnings that go along."""
        return tuple(dict.fromkeys(flag for group in self.groups if group.is_here for flag in group.flags))

    @property
    def has_free(self) -> bool:
        """Whether the resident has something to choose."""
        free = any(datum.need == "free" for group in self.groups if group.is_here for datum in group.data)
        return free or any(group.slot is not None and group.slot.is_optional for group in self.groups)

    @property
    def going(self) -> int:
        """How many data go as things stand, warnings of the register apart."""
        return sum(datum.is_going for group in self.groups for datum in group.data)

    @property
    def missing(self) -> tuple[str, ...]:
        """Cards that are asked for and not here."""
        return tuple(dict.fromkeys(group.title for group in self.groups if not group.is_here))


def view_request(
    request: VerifiedRequest,
    copies: Mapping[str, Copy],
    wish: Wish,
    now: int,
    language: str,
    *,
    is_known: bool = True,
    agreements: tuple[str, ...] = (),
    acting: Acting | None = None,
) -> RequestView:
    """The page of a verified request for a wallet with these copies. `agreements`: with this asker, in
    force; `acting`: for whom, if not for the resident.

    Raises `Rejected`: `unknown_vct`, `unknown_attribute`, of a request for standing access to what has no name.
    """
    own = {name: copy for name, copy in copies.items() if copy.mandate == (acting.hash if acting else None)}
    answer = answer_to(request, own, wish, now, language, acting)
    asker = request.asker
    return RequestView(
        kind=_kind(request),
        organisation=organisation_of(request, is_known=is_known, agreements=agreements),
        why=_why(asker, request.service, language),
        groups=tuple(_groups(request, own, answer, wish, now, language)),
        term=_term(request, answer, now),
        answer=answer,
        wish=wish,
        needs_word=_is_unknown(asker),
        asked_until=request.exp,
    )


def _kind(request: VerifiedRequest) -> Kind:
    if request.consent is None:
        return "copy"
    return "consent" if request.service is None or request.service.basis == "consent" else "task"


def _why(asker: Asker, service: Service | None, language: str) -> Why:
    if service is not None:
        return Why(
            service=in_language(service.name, language),
            purpose=in_language(service.purpose, language),
            basis=service.basis,
            law=visible(service.law) if service.law else None,
            retention=service.retention,
            mode=service.mode,
            product=visible(service.upl) if service.upl else None,
            lawful=lawful_of(service, language),
        )
    told = asker.registration.purpose if asker.registration else {}
    return Why("", visible(_spoken(told, language), 2000), None)


def _spoken(texts: Mapping[str, str], language: str) -> str:
    """In the language of the page, else the other one, else whatever there is."""
    by_tag = {tag.lower().split("-")[0]: text for tag, text in texts.items()}
    for tag in (language, "en", "nl"):
        if tag in by_tag:
            return by_tag[tag]
    return next(iter(texts.values()), "")


def _term(request: VerifiedRequest, answer: Answer, now: int) -> Term | None:
    latest = latest_end(request, now)
    if request.consent is None or latest is None:
        return None
    return Term(
        until=answer.until or latest,
        latest=latest,
        reads=answer.reads or request.consent.max_reads,
        most_reads=request.consent.max_reads,
        earlier=tuple(_earlier_days(now, latest)),
        context=answer.context or request.consent.context,
    )


def _earlier_days(now: int, latest: int) -> Iterator[tuple[str, int, int]]:
    """A week, a month, a quarter and half a year from now, as far as they end before `latest`."""
    today = datetime.fromtimestamp(now, _AMSTERDAM).date()
    for days in _EARLIER:
        last = today + timedelta(days=days)
        noon = int(datetime.combine(last, time(12), _AMSTERDAM).timestamp())
        if noon + _HALF_DAY < latest:
            yield last.isoformat(), noon, days * 2 * _HALF_DAY


def _groups(
    request: VerifiedRequest, copies: Mapping[str, Copy], answer: Answer, wish: Wish, now: int, language: str
) -> Iterator[Group]:
    asked = _as_told(request)
    slots = {slot.id: slot for slot in find_slots(request.query, answer.picked, language)}
    held = [copy for copy in copies.values() if copy.exp > now]
    for item in request.query.credentials:
        mine = [one for one in asked if one.credential == item.id]
        if item.id in slots:
            yield _slot_group(slots[item.id], mine, language)
        elif not answer.picked.options:
            yield _group(mine, list(item.meta.vct_values), held, wish, language)


def _as_told(request: VerifiedRequest) -> tuple[Asked, ...]:
    """What is asked; of an unknown asker none of it is more than registered, for nobody registered anything."""
    asked = asked_attributes(request)
    if _is_unknown(request.asker):
        return tuple(replace(one, registered=True) for one in asked)
    return asked


def _is_unknown(asker: Asker) -> bool:
    return not asker.is_listed and asker.registration is None


def _group(mine: list[Asked], vcts: list[str], held: list[Copy], wish: Wish, language: str) -> Group:
    """Of a card for standing access, or of one that is not here."""
    data = [
        Datum(
            one.name,
            label(one.vct, one.path, language),
            _need(one),
            _need(one) == "needed" or one.name in wish.ticked,
        )
        for one in mine
        if not one.flag
    ]
    flags = tuple(label(one.vct, one.path, language) for one in mine if one.flag)
    here = [copy for copy in held if copy.vct in vcts]
    title = card_label(vcts[0], "", language) if vcts else ""
    return Group(title, tuple(data), flags, is_here=bool(here), sure=sureness_of(here))


def _slot_group(slot: Slot, mine: list[Asked], language: str) -> Group:
    """Of a card that would go, or could: what it shows of what was asked."""
    paths = {path for chosen in slot.going for path in chosen.paths}
    vct = slot.going[0].copy.vct
    shown = [one for one in mine if one.path in paths]
    data = [
        Datum(one.name, label(vct, one.path, language), _need(one), slot.is_given) for one in shown if not one.flag
    ]
    flags = tuple(label(vct, one.path, language) for one in shown if one.flag)
    sure = sureness_of(chosen.copy for chosen in slot.going)
    return Group(slot.title, tuple(data), flags, is_here=True, slot=slot, sure=sure)


def _need(one: Asked) -> Need:
    if not one.registered:
        return "too_much"
    return "free" if is_free(one) else "needed"
