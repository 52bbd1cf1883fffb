"""How the wallet puts things to the resident: plain sentences for the screen, plain values for scripts.

`show_request` words requests, this module all else. Attribute values appear in `cards --values` only.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from protocol.attributes import CREDENTIAL_TYPES, FLAG_NAMES, short_name
from protocol.canonical import to_builtins
from protocol.issuer_jwt import NO_END
from protocol.names import visible
from protocol.terms import MAX_TIME, places_of
from wallet.card import card_names, claims_of
from wallet.folding import Fold
from wallet.history import VerifiedEvent
from wallet.records import Activity, Copy, GrantRecord
from wallet.state import state_of, state_of_stop

_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_LAST_LOCAL = MAX_TIME - 86_400
"""The last second of UTC's calendar is in the year 10000 in Amsterdam, which no calendar here can show."""
_STATES = {
    "intended": "begun, not yet in the log",
    "logged": "in the log, the agency does not have it yet",
    "delivering": "the agency may have it",
    "active": "active",
    "renewing": "renewed in the log, the agency does not have it yet",
    "uncertain": "it is not certain that the agency has it",
    "failed": "refused by the log: nothing was given",
    "stopping": "stopped here, not yet confirmed by the log",
    "stopped": "stopped",
    "ended": "over",
}


ASKS = {
    "not_chosen": "Your data changed. Send them under this agreement?",
    "secrecy": "Your data changed and the register keeps them secret. Send them to this organisation?",
}
"""What waits for the resident after a change of the register, by reason."""


def _local(time: int) -> datetime:
    return datetime.fromtimestamp(min(time, _LAST_LOCAL), _AMSTERDAM)


def day(time: int) -> str:
    """A date in Amsterdam: 22 May 2027."""
    local = _local(time)
    return f"{local.day} {local:%B %Y}"


def moment(time: int | None) -> str:
    """A date with its time in Amsterdam; empty when there is none."""
    return "" if time is None else f"{day(time)} {_local(time):%H:%M:%S}"


def cards_data(copies: Mapping[str, Copy], now: int, *, values: bool) -> list[dict[str, Any]]:
    """One entry for each card: how many copies are left, until when; the newest values when asked."""
    names = card_names(copies)
    groups: dict[str, list[Copy]] = {}
    for name, copy in copies.items():
        groups.setdefault(names[name], []).append(copy)
    result = []
    for card, held in sorted(groups.items()):
        newest = max(held, key=lambda copy: copy.iat)
        entry: dict[str, Any] = {
            "card": card,
            "issuer": newest.issuer,
            "vct": newest.vct,
            "title": visible(newest.title),
            "copies": len(held),
            "unspent": sum(copy.agency is None and copy.exp > now for copy in held),
            "until": newest.exp,
        }
        if values:
            entry["values"] = claims_of(newest)
        result.append(entry)
    return result


def cards_text(cards: Sequence[Mapping[str, Any]]) -> str:
    """The cards, or where to get the first one."""
    if not cards:
        return (
            "You have no cards yet. Ask your municipality for an offer: regie wallet receive OFFER --tx-code CODE"
        )
    lines = []
    for card in cards:
        known = CREDENTIAL_TYPES.get(card["vct"])
        label = known.label_en if known else card["title"] or visible(card["vct"])
        until = f"valid until {day(card['until'])}" if card["until"] < NO_END else "without an end"
        lines.append(f"{card['card']}: {label}, from {visible(card['issuer'])}, {until}")
        lines.append(f"    {card['unspent']} of {card['copies']} copies left; each agency gets one of its own")
        lines += [f"    {visible(name)}: {value_text(value)}" for name, value in card.get("values", {}).items()]
    return "\n".join(lines)


def value_text(value: Any) -> str:
    """A value for the screen."""
    return "-" if value is None else visible(str(value), 2000)


def grant_data(grant_id: str, record: GrantRecord, now: int) -> dict[str, Any]:
    """One line of the list of grants."""
    terms = record.body.terms
    return {
        "id": grant_id,
        "agency": {"id": record.agency.id, "name": record.agency.name},
        "service": record.service,
        "state": state_of(record, now),
        "slot": record.slot,
        "index": record.index,
        "attributes": [f"{short_name(place.vct)}.{place.name}" for place in places_of(terms)],
        "until": terms.not_after,
        "max_reads": terms.max_reads,
        "context": to_builtins(terms.context),
        "reads_seen": record.seen.reads,
        "problem": record.problem,
        "follows": record.follow is True,
        "version": terms.version,
        "renewed_at": record.renewed_at,
    }


def context_text(context: Mapping[str, Any]) -> str:
    """When and from where, as `grant_data` has it: `on days 1, 2, from 8 to 18 h, at the office`."""
    parts = [f"on days {', '.join(map(str, context['days']))} (1: Monday)"] if context.get("days") else []
    parts += [f"from {context['hours'][0]} to {context['hours'][1]} h"] if context.get("hours") else []
    zones = {"office": "at the office", "remote": "away from the office"}
    parts += [zones[context["zone"]]] if context.get("zone") else []
    return ", ".join(parts)


def state_text(record: GrantRecord, now: int) -> str:
    """The state in words."""
    return _STATES[state_of(record, now)]


def grants_text(grants: Sequence[Mapping[str, Any]]) -> str:
    """The grants, or that there are none."""
    if not grants:
        return "You have not given anybody standing access."
    lines = []
    for item in grants:
        words = _STATES[item["state"]]
        lines.append(f"{item['id']}. {item['agency']['name']}, {item['service']}: {words}")
        lines.append(f"    until {day(item['until'])}; looked at {item['reads_seen']} times as far as seen here")
        lines.append(f"    {_in_words(item['attributes'])}")
        if item["renewed_at"] is not None:
            lines.append(f"    renewed on {day(item['renewed_at'])}")
    return "\n".join(lines)


def stop_text(grant_id: str, record: GrantRecord) -> str:
    """What a stop means now."""
    state = state_of_stop(record)
    name = record.agency.name
    if state == "confirmed":
        return f"Stopped. The log has it: {name} cannot look any more. What it has seen it may still know."
    if state == "never made":
        return f"Stopped. The log never had grant {grant_id}, so {name} could not look."
    cosigners = record.stop.cosigners if record.stop else []
    held = f" {len(cosigners)} watcher(s) of the log hold it." if cosigners else ""
    return (
        f"Stopped here, not yet confirmed: the log could not confirm it so far.{held} "
        "Your wallet sends it again; `regie wallet sync` does so at once."
    )


def event_data(grant_id: str, event: VerifiedEvent) -> dict[str, Any]:
    """One verified entry of the log."""
    data = {
        "grant": grant_id,
        "index": event.index,
        "kind": event.kind,
        "n": event.n,
        "reason": event.reason,
        "attributes": list(event.attributes),
        "officer": event.officer,
        "case": event.case,
        "channel": event.channel,
        "zone": event.zone,
        "time": event.time,
        "law": event.law,
        "until": event.until,
        "document": event.document,
        "erased": event.erased or None,
        "verified": True,
    }
    return {name: value for name, value in data.items() if value is not None}


def event_text(event: Mapping[str, Any], agency: str) -> str:
    """One entry as a sentence."""
    when = moment(event.get("time")) or f"entry {event['index']}"
    names = _in_words(event["attributes"])
    if event.get("erased"):
        return f"  {when}: {event['kind']} (details erased)"
    if event["kind"] == "read":
        how = f"by officer {event['officer'][:8]}…, {event['channel']}, {event['zone']}, case {event['case'][:8]}…"
        return f"  {when}: {agency} looked at {names} ({how})"
    if event["kind"] == "refusal":
        return f"  {when}: {agency} was refused ({event['reason']}): {names}"
    if event["kind"] == "grant":
        return f"  {when}: you gave access to {names}"
    if event["kind"] == "refresh":
        return f"  {when}: {agency} got your new data: {names}"
    if event["kind"] == "revocation":
        return f"  entry {event['index']}: stopped"
    until = f" until {day(event['until'])}" if event.get("until") else ""
    law = f" (under {event['law']}{until})" if event.get("law") else ""
    about = f": {names}" if event["attributes"] else ""
    return f"  {when}: message: {str(event['reason']).replace('_', ' ')}{law}{about}"


def fold_text(grant_id: str, found: Fold[VerifiedEvent], agency: str) -> str:
    """One entry as a sentence, or what programs read in a month."""
    if found.count == 1:
        return event_text(event_data(grant_id, found.item), agency)
    first, last = moment(found.item.time), moment(found.last.time)
    return f"  {first} to {last}: {agency} read {_in_words(found.item.attributes)} {found.count} times by a system"


def activity_data(activity: Activity) -> dict[str, Any]:
    """What the wallet did without a log."""
    return {
        "number": activity.number,
        "kind": activity.kind,
        "time": activity.time,
        "agency": {"id": activity.agency, "name": activity.agency_name},
        "service": activity.service,
        "asked": activity.asked,
        "given": activity.given,
    }


def activity_text(activity: Activity) -> str:
    """The same as a sentence."""
    words = {
        "shared": f"you gave {activity.agency_name} a copy of {', '.join(activity.given)}",
        "maybe_shared": f"{activity.agency_name} may have a copy of {', '.join(activity.given)}",
        "declined": f"you said no to {activity.agency_name}",
        "reported": f"you made a complaint about {activity.agency_name}",
        "deletion_begun": f"you asked {activity.agency_name} to erase a copy of {', '.join(activity.given)}",
    }
    return f"  {moment(activity.time)}: {words[activity.kind]}"


def _in_words(attributes: Sequence[str]) -> str:
    """What was chosen; the register flags, which go with every card, in one word at the end."""
    chosen = [name for name in attributes if name.rpartition(".")[2] not in FLAG_NAMES]
    flags = ["the register's flags"] if len(chosen) < len(attributes) else []
    return ", ".join([*chosen, *flags])
