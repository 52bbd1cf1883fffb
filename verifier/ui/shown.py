"""What a desk shows of a service: what it asks, on which ground, and whether a resident can freely say no."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.attributes import CREDENTIAL_TYPES, FLAG_NAMES, short_name
from protocol.service_law import TestAnswer
from protocol.terms import BSN_ATTRIBUTE
from protocol.trust_list import Service, ServiceClaim, Words

Concern: TypeAlias = Literal[
    "no_law", "no_test", "not_free", "bsn_law", "nothing_optional", "much", "long_term", "kept_longer"
]
MUCH = 10
"""Data asked at once, above which a reader loses the overview."""
LONG_TERM = 366 * 86_400
_DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?",
)
_SECONDS = (365 * 86_400, 30 * 86_400, 7 * 86_400, 86_400, 3600, 60, 1)


@dataclass(frozen=True)
class Datum:
    """One attribute; `vct` and `name` as in the vocabulary."""

    vct: str
    name: str
    needed: bool = True

    @property
    def short(self) -> str:
        """`adres.postcode`: how a reading names it."""
        return f"{short_name(self.vct)}.{self.name}"


@dataclass(frozen=True)
class Card:
    """What is asked of one type of card."""

    vct: str
    data: tuple[Datum, ...]


@dataclass(frozen=True)
class ShownService:
    """A service as an officer chooses it; `retention` in seconds as months of 30 and years of 365 days.

    `product`: its uniform name; `result`: number in the retention list; `test`: the answers of free consent.
    """

    id: str
    version: int
    name: Words
    purpose: Words
    basis: Literal["consent", "legal_obligation", "public_task"]
    law: str | None
    cards: tuple[Card, ...]
    longest_term: int
    retention: int
    mode: Literal["view", "store"]
    privacy_policy: str
    concerns: tuple[Concern, ...]
    law_url: str | None
    bsn_law: str | None
    product: str | None
    result: str | None
    test: tuple[tuple[str, TestAnswer], ...]

    @property
    def key(self) -> str:
        """`id@version`, as `Desk.service` takes it."""
        return f"{self.id}@{self.version}"

    @property
    def count(self) -> int:
        """How many data are asked."""
        return sum(len(card.data) for card in self.cards)


def shown_service(service: Service) -> ShownService:
    """Without the register's flags, which travel by themselves."""
    return ShownService(
        service.id,
        service.version,
        service.name,
        service.purpose,
        service.basis,
        service.law,
        by_card(Datum(claim.vct, claim.path[0], claim.needed) for claim in service.claims),
        service.longest_term,
        retention_seconds(service.retention),
        service.mode,
        service.privacy_policy,
        concerns_of(service),
        service.law_url,
        service.bsn_law,
        service.upl,
        service.selectielijst,
        tuple(service.free_consent.answers) if service.free_consent else (),
    )


def newest(services: Iterable[Service]) -> list[Service]:
    """The newest version of each, in the order in which they are listed."""
    found: dict[str, Service] = {}
    for service in services:
        if service.id not in found or found[service.id].version < service.version:
            found[service.id] = service
    return list(found.values())


def by_card(data: Iterable[Datum]) -> tuple[Card, ...]:
    """Data under their cards, flags left out; cards in order of appearance, what is needed first."""
    found: dict[str, list[Datum]] = {}
    for datum in data:
        if datum.name not in FLAG_NAMES:
            found.setdefault(datum.vct, []).append(datum)
    return tuple(Card(vct, tuple(sorted(many, key=lambda datum: not datum.needed))) for vct, many in found.items())


def concerns_of(service: Service) -> tuple[Concern, ...]:
    """What a privacy officer should look at: is the consent of a resident free, specific and no wider than needed?

    An authority and a resident are not equals (GDPR recital 43), so consent to it must leave a choice, as the test
    of free consent shows; any other ground names its law (article 6 paragraph 3), and so does the BSN (Wabb 10).
    """
    claims = [claim for claim in service.claims if claim.path[0] not in FLAG_NAMES]
    found: dict[Concern, bool] = {
        "no_law": service.basis != "consent" and service.law is None,
        "no_test": service.basis == "consent" and service.free_consent is None,
        "not_free": service.free_consent is not None and not service.free_consent.is_passed,
        "bsn_law": service.bsn_law is None and any(claim.path == [BSN_ATTRIBUTE] for claim in claims),
        "nothing_optional": service.basis == "consent" and len(claims) > 1 and all(map(_is_needed, claims)),
        "much": len(claims) > MUCH,
        "long_term": service.longest_term > LONG_TERM,
        "kept_longer": retention_seconds(service.retention) > service.longest_term + LONG_TERM,
    }
    return tuple(concern for concern, is_so in found.items() if is_so)


def _is_needed(claim: ServiceClaim) -> bool:
    return claim.needed


def retention_seconds(duration: str) -> int:
    """Of an ISO 8601 duration of the trust list, for showing: a year as 365 days, a month as 30."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ValueError("the trust list has checked the form of a retention")
    return sum(int(part or 0) * seconds for part, seconds in zip(found.groups(), _SECONDS, strict=True))


def label(vct: str, name: str, language: str) -> str:
    """An attribute in words; one that the vocabulary does not know keeps its own name."""
    kind = CREDENTIAL_TYPES.get(vct)
    found = kind.by_name.get(name) if kind else None
    if found is None:
        return name
    return found.label_nl if language == "nl" else found.label_en


def card_label(vct: str, language: str) -> str:
    """A type of card in words."""
    kind = CREDENTIAL_TYPES.get(vct)
    if kind is None:
        return vct
    return kind.label_nl if language == "nl" else kind.label_en
