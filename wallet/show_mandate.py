"""How the wallet puts mandates to the resident: plain sentences for the screen, plain values for scripts."""

from collections.abc import Mapping, Sequence
from typing import Any

from protocol.attributes import short_name
from protocol.mandate import Mandate
from protocol.names import visible
from protocol.terms import places_of
from wallet.errand_joint import Waiting
from wallet.errand_mandate import Found
from wallet.mandated import codes_of, held_mandate
from wallet.opened import OpenWallet
from wallet.records_mandate import MandateRecord
from wallet.show import day

KINDS = {
    "ouder": "parent",
    "voogd": "guardian",
    "curator": "curator",
    "bewindvoerder": "administrator",
    "mentor": "mentor",
    "helper": "helper",
}


def mandate_data(wallet: OpenWallet, key: str) -> dict[str, Any]:
    """One mandate that is here."""
    record = wallet.mandate(key)[1]
    mandate, now = held_mandate(record), wallet.now()
    return {
        "id": str(record.number),
        "hash": key,
        "for": visible(record.name),
        "kind": record.kind,
        "role": "self" if record.party == 0 else "delegate",
        "party": record.party,
        "state": "over" if record.is_over(now) else "active",
        "until": record.until,
        **scope_data(mandate),
        "signers": mandate.signers,
        "left": max(0, codes_of(mandate) - record.next_code),
        "grants": [name for name, one in wallet.grants().items() if one.mandate == key],
    }


def scope_data(mandate: Mandate) -> dict[str, Any]:
    """What it covers; None is everything."""
    services = [f"{one.recipient}/{one.service}" for one in mandate.services or ()]
    names = [f"{short_name(one.vct)}.{name}" for one in mandate.claims or () for name in one.names]
    return {
        "services": services if mandate.services is not None else None,
        "attributes": names if mandate.claims is not None else None,
    }


def found_data(found: Found, held: Mapping[str, MandateRecord]) -> dict[str, Any]:
    """What a register says; `mandate`: its number here, None while it is not."""
    one = found.representation
    return {
        "reference": one.reference,
        "issuer": found.issuer,
        "role": one.role,
        "kind": one.kind,
        "for": visible(one.name),
        "delegates": [visible(name) for name in one.delegates],
        "state": one.state,
        "why": one.why,
        "until": one.until,
        "party": one.party,
        "mandate": str(held[found.held].number) if found.held is not None else None,
    }


def mandates_text(held: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]], *, asked: bool) -> str:
    """What is here, and what may be taken."""
    lines = []
    for item in held:
        who = f"others act for {item['for']} (you)" if item["role"] == "self" else f"you act for {item['for']}"
        lines.append(f"{item['id']}. {who} as {KINDS[item['kind']]}: {item['state']}, until {day(item['until'])}")
        lines.append(f"    for {', '.join(item['services']) if item['services'] else 'every service'}")
        lines.append(f"    with {', '.join(item['attributes']) if item['attributes'] else 'all data'}")
    for item in told:
        lines.append(_found_text(item))
    if not lines:
        hint = "" if asked else " Ask the register: regie wallet mandates --ask"
        return f"You act for nobody, and nobody acts for you.{hint}"
    return "\n".join(lines)


def _found_text(item: Mapping[str, Any]) -> str:
    if item["role"] == "self":
        who = f"{', '.join(item['delegates']) or 'somebody'} may act for you as {KINDS[item['kind']]}"
    else:
        who = f"you may act for {item['for']} as {KINDS[item['kind']]}"
    if item["state"] == "closed":
        return f"{who} no more: {item['why']}"
    if item["state"] == "counter":
        return f"{who}: the register cannot tell ({item['why']}); go to the counter of your municipality"
    if item["mandate"] is not None:
        return f"{who}: you have this as mandate {item['mandate']}"
    return f"{who}: regie wallet mandate take {item['reference']}"


def taken_text(data: Mapping[str, Any], cards: Mapping[str, int]) -> str:
    """What can be done now."""
    if data["role"] == "self":
        watch = "You see what is given under it, and you can stop it."
        return f"You have mandate {data['id']}, of who acts for you. {watch}"
    names = ", ".join(cards) or "no cards"
    return (
        f"You can act for {data['for']} now, with mandate {data['id']} ({names}): "
        f"regie wallet grant REQUEST --for {data['id']}"
    )


def proposal_data(waiting: Waiting) -> dict[str, Any]:
    """One proposal: for whom, who asks, what, until when."""
    terms, agency = waiting.terms, waiting.request.asker
    service = waiting.request.service
    return {
        "number": waiting.number,
        "for": visible(waiting.name),
        "agency": {"id": agency.id, "name": visible(agency.name)},
        "service": visible(service.name.en) if service else terms.service,
        "attributes": [f"{short_name(place.vct)}.{place.name}" for place in places_of(terms)],
        "until": terms.not_after,
        "expires": waiting.expires,
        "signed": waiting.is_signed,
    }


def proposals_text(data: Sequence[Mapping[str, Any]]) -> str:
    """What waits for this wallet's signature."""
    if not data:
        return "Nobody asks you to sign anything."
    lines = []
    for item in data:
        done = " (you signed)" if item["signed"] else f": regie wallet agree {item['number']}"
        lines.append(f"{item['number']}. for {item['for']}: {item['agency']['name']}, {item['service']}{done}")
        lines.append(f"    {', '.join(item['attributes'])}, until {day(item['until'])}")
    return "\n".join(lines)
