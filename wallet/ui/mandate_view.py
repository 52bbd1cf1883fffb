"""What the pages of mandates show: for whom, on what ground, what for, with what, until when. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from protocol.attributes import short_name
from protocol.errors import Rejected
from protocol.mandate import Mandate, MandateService
from protocol.mandate_api import RepresentationKind
from protocol.names import visible
from protocol.openid4vp import VerifiedRequest
from protocol.trust_list import TrustList
from service.ui.words import lazy as _l
from wallet.errand_mandate import Found
from wallet.mandated import codes_of, held_mandate
from wallet.records import GrantRecord
from wallet.records_mandate import MandateRecord
from wallet.ui.names import in_language, label_of

_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
MAX_YEARS = 5
GROUNDS: Mapping[RepresentationKind, object] = {
    "ouder": _l("as a parent"),
    "voogd": _l("as a guardian"),
    "curator": _l("as a curator"),
    "bewindvoerder": _l("as an administrator"),
    "mentor": _l("as a mentor"),
    "helper": _l("as a helper"),
}
WHY = {
    "gezag_undetermined": _l("The register does not know who has parental authority."),
    "gezag_none": _l("Nobody has parental authority for now."),
    "decides_alone": _l("From 16 on somebody decides alone."),
}
"""Codes of issuers after which somebody has to come to the counter; of others a general sentence is shown."""


@dataclass(frozen=True)
class MandateView:
    """One mandate. `is_self`: others act for the resident; `services` and `data` in words, None for everything.

    `together`: others have to agree to each grant; `left`: how many grants it still lets be made.
    """

    number: int
    key: str
    name: str
    ground: str
    is_self: bool
    is_over: bool
    until: int
    services: tuple[str, ...] | None
    data: tuple[str, ...] | None
    together: bool
    may_act: bool
    left: int
    grants: tuple[tuple[str, GrantRecord], ...]


@dataclass(frozen=True)
class FoundView:
    """What a register says. `issuer` and `reference` name it there; `number`: of the mandate, if held."""

    issuer: str
    reference: str
    name: str
    ground: str
    is_self: bool
    delegates: tuple[str, ...]
    state: str
    why: str | None
    until: int | None
    number: int | None


@dataclass(frozen=True)
class ForWhom:
    """Somebody in whose name a request may be answered."""

    number: int
    name: str


def view_mandate(
    key: str,
    record: MandateRecord,
    grants: Mapping[str, GrantRecord],
    trust: TrustList | None,
    now: int,
    language: str,
) -> MandateView:
    """A mandate as it is kept. `trust`: for the names of services; None while there is none."""
    mandate = held_mandate(record)
    services, claims = mandate.services, mandate.claims
    return MandateView(
        number=record.number,
        key=key,
        name=visible(record.name),
        ground=str(GROUNDS[record.kind]),
        is_self=record.party == 0,
        is_over=record.is_over(now),
        until=record.ended_at or record.until,
        services=None if services is None else tuple(service_words(one, trust, language) for one in services),
        data=None
        if claims is None
        else tuple(label_of(f"{short_name(one.vct)}.{name}", language) for one in claims for name in one.names),
        together=is_joint(mandate, record.party),
        may_act=record.party in mandate.parties,
        left=max(0, codes_of(mandate) - record.next_code),
        grants=tuple((name, one) for name, one in grants.items() if one.mandate == key),
    )


def view_found(found: Sequence[Found], held: Mapping[str, MandateRecord]) -> list[FoundView]:
    """What registers said, in their order."""
    return [
        FoundView(
            issuer=one.issuer,
            reference=one.representation.reference,
            name=visible(one.representation.name),
            ground=str(GROUNDS[one.representation.kind]),
            is_self=one.representation.role == "self",
            delegates=tuple(map(visible, one.representation.delegates)),
            state=one.representation.state,
            why=str(WHY[one.representation.why]) if one.representation.why in WHY else None,
            until=one.representation.until,
            number=held[one.held].number if one.held is not None and one.held in held else None,
        )
        for one in found
    ]


def service_words(one: MandateService, trust: TrustList | None, language: str) -> str:
    """The newest version of a listed service with its agency; its id where it is not listed any more."""
    if trust is not None:
        for agency in trust.agencies:
            named = [service for service in agency.services if service.id == one.service]
            if agency.id == one.recipient and named:
                newest = max(named, key=lambda service: service.version)
                return f"{in_language(newest.name, language)} ({visible(agency.name)})"
    return visible(one.service)


def listed_services(trust: TrustList, language: str) -> list[tuple[str, str]]:
    """Every service that can be named in a wish: (`OIN/id`, words), by words."""
    found = {
        f"{agency.id}/{service.id}": service_words(MandateService(agency.id, service.id), trust, language)
        for agency in trust.agencies
        for service in agency.services
    }
    return sorted(found.items(), key=lambda item: item[1])


def for_whom(request: VerifiedRequest, mandates: Mapping[str, MandateRecord], now: int) -> list[ForWhom]:
    """In whose name the resident could answer a request for standing access."""
    if request.consent is None or request.agency is None or request.service is None:
        return []
    found = []
    for record in mandates.values():
        mandate = held_mandate(record)
        fits = mandate.is_for(request.agency.id, request.service.id) and record.party in mandate.parties
        if fits and not record.is_over(now):
            found.append(ForWhom(record.number, visible(record.name)))
    return found


def is_joint(mandate: Mandate, party: int) -> bool:
    """Whether somebody else has to agree to each grant of this party."""
    return any(party not in group for group in mandate.signers)


def end_of_day(text: str, now: int) -> int:
    """The end of a day in Amsterdam, POSIX seconds. Raises `Rejected`: `bad_date`."""
    try:
        last = date.fromisoformat(text)
        end = int(datetime.combine(last + timedelta(days=1), time(), _AMSTERDAM).timestamp())
    except (ValueError, OverflowError) as error:
        raise Rejected("bad_date", "this is not a date") from error
    if not now < end <= now + MAX_YEARS * 366 * 86_400:
        raise Rejected("bad_date", "this day is over or too far ahead")
    return end
