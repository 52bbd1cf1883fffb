"""How the wallet puts a request to the resident: who asks, what, why, and which cards could answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from protocol.asker import Asker
from protocol.canonical import to_builtins
from protocol.errors import Rejected
from protocol.names import shown_host, visible
from protocol.openid4vp import VerifiedRequest
from wallet.card import always_shown
from wallet.choose import Chosen
from wallet.consent import Asked, asked_attributes
from wallet.pick import Picked, pick_cards
from wallet.present import NO_WAY_BACK
from wallet.records import Copy, ShareChoice
from wallet.show import context_text, day

_GROUNDS = {
    "consent": "your consent: you are free to say no",
    "legal_obligation": "a legal duty",
    "public_task": "a public task",
}

_TEST = {
    "interest": "In your interest",
    "request": "You ask for it yourself",
    "no_downside": "Saying no has no downside",
    "no_imbalance": "Nobody puts you under pressure",
}


def request_data(
    request: VerifiedRequest,
    copies: Mapping[str, Copy],
    now: int,
    *,
    is_known: bool = True,
    picked: Picked | None = None,
) -> dict[str, Any]:
    """Who asks what, why, how long and on what ground; all of it from certificates and trust list.

    `is_known`: the resident has given this asker something before; `picked`: the cards chosen, else found here.
    """
    asked = asked_attributes(request)
    service, element = request.service, request.consent
    held = {copy.vct for copy in copies.values() if copy.exp > now}
    data: dict[str, Any] = {
        "kind": "once" if element is None else "standing",
        "agency": {"id": request.asker.id, "name": request.asker.name},
        "listed": request.asker.is_listed,
        "first_contact": not is_known,
        "service": None,
        "attributes": [_asked_data(item, not held.isdisjoint(_types(request, item))) for item in asked],
        "over_asking": [item.name for item in asked if not item.registered],
        "request_until": request.exp,
    }
    if service is not None:
        data["service"] = {"id": service.id, "version": service.version, "name": service.name.en}
        data["purpose"] = service.purpose.en
        data["basis"], data["law"], data["law_url"] = service.basis, service.law, service.law_url
        data["bsn_law"], data["free_consent"] = service.bsn_law, to_builtins(service.free_consent)
        data["retention"], data["mode"] = service.retention, service.mode
        data["answers"], data["asked_by"] = service.answers, service.asked_by
        data["question"] = to_builtins(service.question)
        data["privacy_policy"] = service.privacy_policy
    if not request.asker.is_listed:
        data["stranger"] = _stranger_data(request.asker, encrypted=request.encryption is not None)
    if element is not None:
        data["log"] = element.log.origin
        data["until"] = min(element.max_not_after, now + service.longest_term if service else now)
        data["max_reads"], data["context"] = element.max_reads, to_builtins(element.context)
        data["one_case"] = element.case is not None
    else:
        data["queries"] = _queries_data(request, copies, now, picked)
    return data


def _stranger_data(asker: Asker, *, encrypted: bool) -> dict[str, Any]:
    registration = asker.registration
    return {
        "host": None if asker.host is None else shown_host(asker.host),
        "registered": registration is not None,
        "registered_name": registration.name if registration else None,
        "purpose": _in_language(registration.purpose) if registration else None,
        "privacy_policy": visible(registration.privacy_policy or "") if registration else None,
        "encrypted": encrypted,
    }


def _in_language(texts: Mapping[str, str]) -> str | None:
    """English, else Dutch, else whatever there is."""
    for wanted in ("en", "nl"):
        for tag, text in texts.items():
            if tag.lower().split("-")[0] == wanted:
                return text
    return next(iter(texts.values()), None)


def _queries_data(
    request: VerifiedRequest, copies: Mapping[str, Copy], now: int, picked: Picked | None
) -> list[dict[str, Any]]:
    """Of each credential query the cards that could answer it, and what would be given. None without any.

    `unnamed`: the claims asked do not tell which card goes.
    """
    try:
        picked = picked or pick_cards(copies, request.query, request.asker.id, now, ShareChoice())
    except Rejected:
        picked = Picked({}, {}, ())
    result = []
    for item in request.query.credentials:
        options = picked.options.get(item.id, ())
        chosen = {option.chosen.name: option.card for option in options}
        result.append(
            {
                "id": item.id,
                "cards": [option.card for option in options],
                "given": [chosen[one.name] for one in picked.given.get(item.id, ())],
                "always": _always(picked.given.get(item.id, ())),
                "optional": item.id in picked.optional,
                "multiple": item.multiple,
                "unnamed": not item.claims or len(item.meta.vct_values) > 1,
            }
        )
    return result


def _always(given: Sequence[Chosen]) -> list[str]:
    """What the cards to be given show besides, because their issuer hid it in none of them."""
    return list(dict.fromkeys(name for one in given for name in always_shown(one.copy)))


def _types(request: VerifiedRequest, item: Asked) -> Sequence[str]:
    """The types of card of which each could answer this."""
    return request.query.credential(item.credential).meta.vct_values


def _asked_data(item: Asked, card_here: bool) -> dict[str, Any]:
    return {
        "name": item.name,
        "label": item.label,
        "needed": item.needed,
        "registered": item.registered,
        "flag": item.flag,
        "card_here": card_here,
    }


def request_text(data: Mapping[str, Any]) -> str:
    """The request as a resident reads it before deciding."""
    lines = _who_lines(data)
    lines.append("It asks:" if data["attributes"] else "It asks to see a card, and nothing that is hidden in it.")
    lines += [_asked_line(item) for item in data["attributes"]]
    lines += _card_lines(data.get("queries", ()))
    if data["over_asking"] and (data["listed"] or data["stranger"]["registered"]):
        lines.append(f"Beware: it asks for more than it registered: {', '.join(data['over_asking'])}.")
    if data["kind"] == "once":
        lines.append(f"This gives a copy. {NO_WAY_BACK}")
    else:
        reads = f", {data['max_reads']} times at most" if data["max_reads"] else ""
        lines.append(
            f"It may look until {day(data['until'])} at the latest{reads}. You see every look in the log."
        )
        if data["one_case"]:
            lines.append("It may look for one case only. Ask it for the number.")
        if data["context"]:
            lines.append(f"It may look only {context_text(data['context'])}.")
        lines.append("You can stop it at any moment. Left out what you do not want to give: --without NAME")
    return "\n".join(lines)


def _who_lines(data: Mapping[str, Any]) -> list[str]:
    service = data["service"]
    if data["listed"]:
        lines = [f"{data['agency']['name']} (OIN {data['agency']['id']}) asks for your data."]
    else:
        lines = _stranger_lines(data["agency"]["name"], data["stranger"])
    if data["first_contact"]:
        lines.append("You have never given it anything before.")
    if service is not None:
        lines.append(f"For: {service['name']}. {data['purpose']}")
        law = f" ({data['law']})" if data["law"] else ""
        place = f" Read it: {data['law_url']}" if data["law_url"] else ""
        lines.append(f"The ground is {_GROUNDS[data['basis']]}{law}.{place}")
        if data["bsn_law"]:
            lines.append(f"It may use your citizen service number (BSN) by {data['bsn_law']}.")
        lines += _test_lines(data["free_consent"])
        lines += _counting_lines(data)
        kept = "may keep it for" if data["mode"] == "store" else "looks at it and keeps nothing beyond"
        lines.append(f"The agency {kept} {data['retention']}. Privacy policy: {data['privacy_policy']}")
    return lines


def _counting_lines(data: Mapping[str, Any]) -> list[str]:
    """Who hears what, when it is not the attributes."""
    if data["answers"] == "values":
        return []
    heard = "yes or no about you" if data["answers"] == "yes_no" else "a noised number of people"
    lines = [f"This agency works it out. OIN {data['asked_by']} hears only {heard}. It is yes when:"]
    return lines + [f"  {one['path'][0]} {one['op'].replace('_', ' ')} {one['value']}" for one in data["question"]]


def _test_lines(test: Mapping[str, Any] | None) -> list[str]:
    """Why the asker holds that the resident is free to choose, in its own words."""
    answers = test.items() if test else ()
    return [f"  {_TEST[name]}: {'yes' if answer['yes'] else 'NO'}. {answer['en']}" for name, answer in answers]


def _stranger_lines(name: str, told: Mapping[str, Any]) -> list[str]:
    place = f" at {told['host']}" if told["host"] else ""
    lines = [f"{name}{place} asks for your data. It is NOT on your trust list: no agency of the registrar's."]
    if told["registered"]:
        lines.append(f"It is registered as {told['registered_name']}. For: {told['purpose']}")
        if told["privacy_policy"]:
            lines.append(f"Privacy policy: {told['privacy_policy']}")
    else:
        lines.append(
            "Beware: no registration that can be checked shows that it may ask this. "
            "`--unregistered` gives it all the same."
        )
    if not told["encrypted"]:
        lines.append("Your answer will not be encrypted beyond the connection.")
    return lines


def _card_lines(queries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Only where there is something to choose, or where what is asked does not tell which card goes."""
    lines = []
    for query in queries:
        cards, given = query["cards"], query["given"]
        if query["always"]:
            lines.append(f"Whoever gets {', '.join(given)} also sees: {', '.join(query['always'])}.")
        if query["optional"]:
            lines.append(f"It can do without {', '.join(cards)}: add it with --card {query['id']}={cards[0]}")
        elif len(cards) > 1 and given:
            others = ", ".join(card for card in cards if card not in given) or "none"
            lines.append(f"For {query['id']} it gets {', '.join(given)}; choose another with --card: {others}")
        elif query["unnamed"] and given:
            lines.append(f"For {query['id']} it gets {', '.join(given)}.")
    return lines


def _asked_line(item: Mapping[str, Any]) -> str:
    notes = []
    if item["flag"]:
        notes.append("always goes along")
    else:
        notes.append("needed" if item["needed"] else "you may leave it out")
    if not item["registered"]:
        notes.append("NOT REGISTERED")
    if not item["card_here"]:
        notes.append("you have no card with this yet")
    return f"  - {item['label']} [{item['name']}]: {', '.join(notes)}"
