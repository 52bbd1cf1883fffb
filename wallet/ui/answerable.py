"""What an answer to a request would be as things stand, or why there can be none: the rules, asked ahead.

Pure; nothing is kept and nothing leaves. The errand that gives asks the same rules again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol.dcql import PathElement, select
from protocol.errors import Rejected
from protocol.narrowing import meet_contexts
from protocol.openid4vp import VerifiedRequest
from protocol.terms import Context
from wallet.card import always_shown, claims_of
from wallet.choose import Chosen, choose_copies
from wallet.consent import asked_attributes, decide_end, decide_reads
from wallet.grant import CLOCK_MARGIN, decide_grant, latest_end, presented_query
from wallet.mandated import Acting, check_acting, check_decision
from wallet.pick import Picked, pick_cards
from wallet.present import decide_share
from wallet.records import Copy, ShareChoice
from wallet.ui.names import card_label, label, value_lines
from wallet.ui.wish import Wish, choice_of, is_free, share_choice_of

NOTHING = Picked({}, {}, ())


@dataclass(frozen=True)
class Seen:
    """What the asker would see of one card: (label, lines of the value) of each attribute."""

    card: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Answer:
    """`obstacle`: code of what keeps the wallet from answering at all, whatever is chosen; `error`: of what the
    resident filled in. `until` (POSIX seconds), `reads` and `context` of standing access. `may_reuse`: a copy
    that somebody else has would do.
    """

    obstacle: str | None = None
    error: str | None = None
    seen: tuple[Seen, ...] = ()
    picked: Picked = NOTHING
    until: int | None = None
    reads: int | None = None
    context: Context | None = None
    may_reuse: bool = False


def answer_to(
    request: VerifiedRequest,
    copies: Mapping[str, Copy],
    wish: Wish,
    now: int,
    language: str,
    acting: Acting | None = None,
) -> Answer:
    """What giving would give, for oneself or `acting` for somebody. Never raises for what was asked or typed."""
    if request.consent is None:
        return _copy_answer(request, copies, wish, now, language)
    obstacle = _code(lambda: _standing(request, copies, Wish(), now, language, acting))
    if obstacle == "nothing_left":  # the asker can do without each of them, not without all
        free = frozenset(item.name for item in asked_attributes(request) if is_free(item))
        obstacle = _code(lambda: _standing(request, copies, Wish(ticked=free), now, language, acting))
    if obstacle is not None:
        return Answer(obstacle=obstacle)
    try:
        return _standing(request, copies, wish, now, language, acting)
    except Rejected as error:
        return Answer(error=error.code, until=latest_end(request, now))


def _code(attempt: Callable[[], object]) -> str | None:
    try:
        attempt()
    except Rejected as error:
        return error.code
    return None


def _standing(
    request: VerifiedRequest,
    copies: Mapping[str, Copy],
    wish: Wish,
    now: int,
    language: str,
    acting: Acting | None,
) -> Answer:
    choice = choice_of(request, wish)
    decision = decide_grant(request, choice)
    if acting is not None:
        check_acting(acting, now)
        check_decision(acting, decision)
    under = acting.hash if acting else None
    chosen = choose_copies(copies, presented_query(request, decision), decision.agency.id, now, mandate=under)
    ends = [item.copy.exp for item in chosen.values()] + ([acting.record.until] if acting else [])
    begin, exp = now - CLOCK_MARGIN, min(ends)
    until = decide_end(decision.element, decision.service, choice, begin, exp)
    by_card: dict[str, list[Sequence[PathElement]]] = {}
    for place in decision.places:
        by_card.setdefault(place.credential, []).append((place.name,))
    seen = tuple(_seen(chosen[query_id], paths, language) for query_id, paths in by_card.items())
    context = meet_contexts(choice.context, decision.element.context)
    return Answer(seen=seen, until=until, reads=decide_reads(decision.element, choice), context=context)


def _copy_answer(
    request: VerifiedRequest, copies: Mapping[str, Copy], wish: Wish, now: int, language: str
) -> Answer:
    obstacle = _code(lambda: decide_share(request, ShareChoice(unregistered=True)))
    if obstacle is not None:
        return Answer(obstacle=obstacle)

    def pick(choice: ShareChoice) -> Picked:
        return pick_cards(copies, request.query, request.asker.id, now, choice)

    try:
        picked = pick(share_choice_of(wish))
    except Rejected as error:
        if error.code == "bad_card_choice":
            return Answer(error=error.code, picked=pick(ShareChoice(reuse=wish.reuse)))
        reusable = error.code == "no_copies_left" and _code(lambda: pick(ShareChoice(reuse=True))) is None
        return Answer(obstacle=error.code, may_reuse=reusable)
    going = [chosen for items in picked.given.values() for chosen in items]
    return Answer(seen=tuple(_seen(chosen, chosen.paths, language) for chosen in going), picked=picked)


def _seen(chosen: Chosen, paths: Sequence[Sequence[PathElement]], language: str) -> Seen:
    """What a copy shows: what is asked of it, and what its issuer hid in none of its kind."""
    copy, claims = chosen.copy, claims_of(chosen.copy)
    rows = [(label(copy.vct, path, language), _lines(claims, path, language)) for path in paths]
    rows += [(name, value_lines(claims.get(name), language)) for name in always_shown(copy)]
    return Seen(card_label(copy.vct, copy.title, language), tuple(dict.fromkeys(rows)))


def _lines(claims: Mapping[str, Any], path: Sequence[PathElement], language: str) -> tuple[str, ...]:
    values = select(claims, path)
    return value_lines(values[0] if len(values) == 1 else values, language)
