"""Who may act for whom, as far as register, court and wish say (protocol section 10). Pure.

    gezag     parents and guardians of who is not 12 yet, and of who is not 16 yet together with him once he has a
              wallet of his own (AVG article 8, UAVG article 5: from 16 he decides about his data alone)
    court     curator, bewindvoerder, mentor: two officers register a decision; the register says only *that* there
              is a curatele, not who the curator is
    wish      "elkaar machtigen": who is 16 or older and under no curatele lets an adult help, for named services

Whatever was registered is held against the newest records again and again (`why_ended`): law is what counts, not
that somebody once had it. Where the register cannot tell, a clerk must look: nobody acts by a guess.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo

from issuer.brp import Bsn, Gezagsrelatie, Person
from issuer.change import end_of
from issuer.dates import PartialDate, is_of_age
from issuer.issue import DAY
from protocol.attributes import CREDENTIAL_TYPES, attribute
from protocol.errors import Rejected
from protocol.mandate import MandateClaims, MandateService
from protocol.mandate_api import RepresentationKind

JOINT_FROM, ALONE_FROM, ADULT = 12, 16, 18
MAX_WISH_SECONDS = 366 * DAY
"""A helper's mandate is looked at again at least each year."""
MAX_LIVE = 16
"""Mandates of one represented person at a time."""
Source: TypeAlias = Literal["gezag", "court", "wish"]
CourtKind: TypeAlias = Literal["curator", "bewindvoerder", "mentor"]
COURT_KINDS: tuple[CourtKind, ...] = get_args(CourtKind)
Why: TypeAlias = Literal[
    "gezag_undetermined", "gezag_none", "age_unknown", "delegate_unknown", "decides_alone", "under_investigation"
]
EndReason: TypeAlias = Literal[
    "deceased",
    "delegate_deceased",
    "gezag_changed",
    "no_curatele",
    "not_competent",
    "over",
    "by_party",
    "by_officer",
]
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_HAVE = frozenset({"GezamenlijkOuderlijkGezag", "EenhoofdigOuderlijkGezag", "GezamenlijkGezag", "Voogdij"})


@dataclass(frozen=True)
class Representation:
    """What the law makes of one minor: `delegates` sorted, numbered from 1 in `signers`. With a `why` there is
    nothing to register. `until` in POSIX seconds.
    """

    kind: RepresentationKind
    represented: Bsn
    delegates: tuple[Bsn, ...] = ()
    signers: tuple[tuple[int, ...], ...] = ()
    until: int = 0
    why: Why | None = None

    def party_of(self, bsn: Bsn) -> int | None:
        """Who somebody is in it: 0 the represented; None for others."""
        if bsn == self.represented:
            return 0
        return self.delegates.index(bsn) + 1 if bsn in self.delegates else None


@dataclass(frozen=True)
class Registered:
    """A mandate in the books. `id`: b64u of 16 bytes; `parties`: delegates from 1 on."""

    id: str
    source: Source
    kind: RepresentationKind
    represented: Bsn
    delegates: tuple[Bsn, ...]
    signers: tuple[tuple[int, ...], ...]
    until: int
    claims: tuple[MandateClaims, ...] | None = None
    services: tuple[MandateService, ...] | None = None
    token: str = ""
    ended: int | None = None
    reason: str | None = None

    def party_of(self, bsn: Bsn) -> int | None:
        """Who somebody is in it: 0 the represented; None for others."""
        if bsn == self.represented:
            return 0
        return self.delegates.index(bsn) + 1 if bsn in self.delegates else None

    def bsn_of(self, party: int) -> Bsn | None:
        """Inverse of `party_of`."""
        return dict(enumerate((self.represented, *self.delegates))).get(party)

    def signs(self, party: int) -> bool:
        """Whether this party has to sign, or may."""
        return any(party in group for group in self.signers)


def birthday(birth: PartialDate, years: int) -> int | None:
    """The first second, in Amsterdam, on which somebody may have reached an age: of the earliest birth date that
    the register leaves open, POSIX seconds. None when not even the year is known.
    """
    earliest = birth.earliest()
    if earliest is None:
        return None
    try:
        day = earliest.replace(year=earliest.year + years)
    except ValueError:  # 29 February, as `dates.age_on` counts
        day = datetime.date(earliest.year + years, 3, 1)
    return int(datetime.datetime(day.year, day.month, day.day, tzinfo=_AMSTERDAM).timestamp())


def is_competent(person: Person, day: datetime.date, years: int = ADULT) -> bool:
    """Alive, under no curatele and not known to be younger: who may give or take a mandate (BW 1:246, 3:63)."""
    birth = person.geboorte.datum.partial() if person.geboorte and person.geboorte.datum else None
    is_young = is_of_age(birth, years, day) == "nee"
    return end_of(person) is None and not person.indicatieCurateleRegister and not is_young


def by_gezag(
    child: Person, others: Mapping[Bsn, Person], day: datetime.date, *, has_wallet: bool
) -> tuple[Representation, ...]:
    """Who may act for this minor by the newest records; empty for who never was anybody's minor.

    `others`: the records of everybody who is named in the minor's, as far as the register has them.
    1. who decides alone already is nobody's to act for; 2. of unknown age, of undetermined gezag, or under
    investigation: the counter; 3. who has the gezag by the minor's record AND by his own, and is competent;
    4. together with the minor from 12 on, once he has a wallet.
    """
    bsn = Bsn(child.burgerservicenummer)
    relations = [one for one in child.gezag if one.minderjarige.burgerservicenummer == bsn]
    if not relations or end_of(child) is not None:
        return ()
    return tuple(_one_relation(bsn, child, one, others, day, has_wallet=has_wallet) for one in relations)


def _one_relation(
    bsn: Bsn,
    child: Person,
    relation: Gezagsrelatie,
    others: Mapping[Bsn, Person],
    day: datetime.date,
    *,
    has_wallet: bool,
) -> Representation:
    kind: RepresentationKind = "voogd" if relation.type == "Voogdij" else "ouder"
    birth = child.geboorte.datum.partial() if child.geboorte and child.geboorte.datum else None
    alone, joint = (is_of_age(birth, years, day) for years in (ALONE_FROM, JOINT_FROM))
    named = _named(relation)
    why: Why | None = None
    if alone == "ja":  # 1
        why = "decides_alone"
    elif "onbekend" in (alone, joint) or birth is None:  # 2
        why = "age_unknown"
    elif relation.type not in _HAVE:
        why = "gezag_none" if relation.type == "TijdelijkGeenGezag" else "gezag_undetermined"
    elif relation.inOnderzoek:
        why = "under_investigation"
    able = tuple(one for one in named if one in others and _has_gezag(others[one], bsn, day))  # 3
    if why is None and not able:
        why = "delegate_unknown"
    if why is not None or birth is None:
        return Representation(kind, bsn, named, why=why)
    group = tuple(range(1, len(able) + 1))
    if joint == "ja":  # 4
        signers = ((0,), group) if has_wallet else (group,)
        return Representation(kind, bsn, able, signers, birthday(birth, ALONE_FROM) or 0)
    return Representation(kind, bsn, able, (group,), birthday(birth, JOINT_FROM) or 0)


def _named(relation: Gezagsrelatie) -> tuple[Bsn, ...]:
    """Sorted, since the order in which records name two parents differs from record to record."""
    people = (*relation.parents, *relation.others)
    return tuple(sorted({Bsn(one.burgerservicenummer) for one in people if one.burgerservicenummer}))


def _has_gezag(person: Person, child: Bsn, day: datetime.date) -> bool:
    own = any(one.minderjarige.burgerservicenummer == child for one in person.gezag)
    return own and is_competent(person, day)


def minors_of(person: Person) -> tuple[Bsn, ...]:
    """Over whom somebody has gezag, as his own record says."""
    found = {one.minderjarige.burgerservicenummer for one in person.gezag} - {person.burgerservicenummer, None}
    return tuple(sorted(Bsn(one) for one in found if one))


def named_in(person: Person) -> tuple[Bsn, ...]:
    """Who is named in somebody's own relations."""
    own = [one for one in person.gezag if one.minderjarige.burgerservicenummer == person.burgerservicenummer]
    return tuple(sorted({bsn for one in own for bsn in _named(one)}))


def why_ended(
    mandate: Registered, people: Mapping[Bsn, Person], now: int, day: datetime.date, *, has_wallet: bool
) -> EndReason | None:
    """Why a mandate that was registered counts no more; None while it does.

    `people`: the records of the represented, of the delegates, and of all that the represented's names.
    """
    represented = people.get(mandate.represented)
    if represented is None or end_of(represented) is not None:
        return "deceased"
    delegates = [people.get(bsn) for bsn in mandate.delegates]
    if any(one is None or end_of(one) is not None for one in delegates):
        return "delegate_deceased"
    if mandate.until <= now:
        return "over"
    if mandate.source == "gezag":
        law = by_gezag(represented, people, day, has_wallet=has_wallet)
        same = [one for one in law if one.why is None and one.delegates == mandate.delegates]
        return None if any(one.signers == mandate.signers for one in same) else "gezag_changed"
    if not all(one is not None and is_competent(one, day) for one in delegates):
        return "not_competent"
    if mandate.kind == "curator" and not represented.indicatieCurateleRegister:
        return "no_curatele"
    if mandate.source == "wish" and not is_competent(represented, day, ALONE_FROM):
        return "not_competent"
    return None


# ---- what may be registered by a wish or a court


def check_wish(
    represented: Person,
    helper: Person,
    claims: Sequence[MandateClaims] | None,
    until: int,
    now: int,
    day: datetime.date,
) -> None:
    """A resident lets somebody help him; the services are named, by the form.

    1. both may; 2. nobody is his own helper; 3. not longer than a year; 4. attributes that there are, named once.
    Raises `Rejected`: `not_competent` 403, `bad_wish`, `mandate_widened` 403, `unknown_vct`, `unknown_attribute`.
    """
    if not is_competent(represented, day, ALONE_FROM) or not is_competent(helper, day):  # 1
        raise Rejected("not_competent", "one of the two may not do this by law", status=403)
    if represented.burgerservicenummer == helper.burgerservicenummer:  # 2
        raise Rejected("bad_wish", "nobody is his own helper")
    if until > now + MAX_WISH_SECONDS:  # 3
        raise Rejected("mandate_widened", "a helper's mandate lasts a year at most", status=403)
    check_end(until, now)
    check_claims(claims)  # 4


def check_court(
    kind: CourtKind,
    represented: Person,
    delegates: Sequence[Person],
    services: Sequence[MandateService] | None,
    day: datetime.date,
) -> None:
    """A decision of a court, as an officer reads it.

    1. a kind that courts appoint, of one or two competent others; 2. for somebody who is alive; 3. a curator only
    where the register knows of a curatele; 4. a bewindvoerder for named services only (BW 1:431: property).
    Raises `Rejected`: `bad_mandate`, `not_competent`, `deceased`, `no_curatele`, `services_missing`.
    """
    if kind not in COURT_KINDS or not 1 <= len(delegates) <= 2:  # 1
        raise Rejected("bad_mandate", f"one or two people, as {', '.join(COURT_KINDS)}")
    numbers = {one.burgerservicenummer for one in (represented, *delegates)}
    if len(numbers) != 1 + len(delegates):
        raise Rejected("bad_mandate", "everybody is somebody else")
    if not all(is_competent(one, day) for one in delegates):
        raise Rejected(
            "not_competent", "who acts for another is an adult, alive and under no curatele", status=409
        )
    if end_of(represented) is not None:  # 2
        raise Rejected("deceased", "the register says that this person has died", status=409)
    if kind == "curator" and not represented.indicatieCurateleRegister:  # 3
        raise Rejected("no_curatele", "the register knows of no curatele of this person", status=409)
    if kind == "bewindvoerder" and not services:  # 4
        raise Rejected("services_missing", "a bewindvoerder acts for named services")


def check_end(until: int, now: int) -> None:
    """At least until the end of tomorrow, so that a credential can be issued. Raises `Rejected`: `bad_wish`."""
    if until - until % DAY < now - now % DAY + DAY:
        raise Rejected("bad_wish", "the mandate would end before a card could be given")


def check_claims(claims: Sequence[MandateClaims] | None) -> None:
    """Types and attributes of ours, each named once. Raises `Rejected`: `bad_wish`, `unknown_vct`,
    `unknown_attribute`.
    """
    for one in claims or ():
        for name in one.names:
            attribute(one.vct, name)
        if len(set(one.names)) != len(one.names):
            raise Rejected("bad_wish", "an attribute is named twice")
    if len({one.vct for one in claims or ()}) != len(claims or ()):
        raise Rejected("bad_wish", "a type is named twice")


ALL_VCTS = tuple(CREDENTIAL_TYPES)
"""What this issuer gives, under a mandate too."""
