"""What is asked, and what the resident makes of it: attribute by attribute, never wider than asked and registered.

Under standing access register flags (`geheimhouding` and its like) travel with every attribute of their card,
asked or not: they tell the agency how to handle the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from protocol.asker import Wanted
from protocol.attributes import CREDENTIAL_TYPES, attribute, credential_type
from protocol.dcql import PathElement
from protocol.errors import Rejected
from protocol.names import visible
from protocol.openid4vp import VerifiedRequest
from protocol.terms import MAX_READS, ConsentElement, Place, with_flags
from protocol.trust_list import Service
from wallet.records import Choice

_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_MAX_DATE = date(9998, 12, 31)


@dataclass(frozen=True)
class Asked:
    """One attribute of a request. `credential`: the DCQL id; `vct`: the first type that could answer.

    `registered`: trust list or registration certificate let this asker ask it, of each type that could answer.
    """

    credential: str
    vct: str
    path: tuple[PathElement, ...]
    needed: bool
    registered: bool
    flag: bool = False

    @property
    def place(self) -> Place:
        """Where it stands in terms; for types of our vocabulary, which open whole attributes."""
        return Place(self.credential, self.vct, str(self.path[0]))

    @property
    def name(self) -> str:
        """As the resident writes it: `adres.postcode`; of a stranger's type under the query's id."""
        known = CREDENTIAL_TYPES.get(self.vct)
        return f"{known.configuration_id if known else self.credential}.{path_text(self.path)}"

    @property
    def label(self) -> str:
        """In English, from the vocabulary; the path where the vocabulary has no word."""
        known = CREDENTIAL_TYPES.get(self.vct)
        found = known.by_name.get(str(self.path[0])) if known and len(self.path) == 1 else None
        return found.label_en if found else path_text(self.path)


def path_text(path: Sequence[PathElement]) -> str:
    """A path in one line: `person.family_name`, `courses.*`, `courses.0`. It may be a stranger's."""
    return visible(".".join("*" if element is None else str(element) for element in path))


def asked_attributes(request: VerifiedRequest) -> tuple[Asked, ...]:
    """Every attribute that would leave the wallet, in the request's order; under standing access flags last.

    Raises `Rejected`: `unknown_vct`, `unknown_attribute`, when standing access is asked to what has no name here.
    """
    if request.consent is None:
        return tuple(_asked_once(request))
    wanted = _wanted(request.consent, request.vcts)
    return tuple(
        Asked(
            place.credential,
            place.vct,
            (place.name,),
            needed=wanted.get(place, True),
            registered=request.allows(Wanted(place.vct, (place.name,))),
            flag=place.name in credential_type(place.vct).flags,
        )
        for place in with_flags(wanted)
    )


def _asked_once(request: VerifiedRequest) -> Iterator[Asked]:
    """A copy's query names no optional attributes."""
    for item in request.query.credentials:
        for claim in item.claims or ():
            path, values = tuple(claim.path), tuple(claim.values or ())
            registered = all(request.allows(Wanted(vct, path, values)) for vct in item.meta.vct_values)
            vct = request.vcts.get(item.id, "")
            known = CREDENTIAL_TYPES.get(vct)
            flag = known is not None and path[0] in known.flags
            yield Asked(item.id, vct, path, needed=True, registered=registered, flag=flag)


def _wanted(element: ConsentElement, vcts: Mapping[str, str]) -> dict[Place, bool]:
    """Places asked, and whether the agency calls them needed."""
    wanted = {
        Place(claim.credential, vcts[claim.credential], claim.path[0]): claim.needed for claim in element.claims
    }
    for place in wanted:
        attribute(place.vct, place.name)
    return wanted


def decide_places(request: VerifiedRequest, choice: Choice) -> list[Place]:
    """What is given under standing access, flags included.

    1. what is left out was asked; 2. it is no flag; 3. nothing `needed` is left out; 4. nothing unregistered is
    kept in; 5. something remains. Raises `Rejected`: `unknown_attribute`, `ambiguous_attribute`, `flag_needed`,
    `needed_missing`, `over_asking`, `nothing_left`.
    """
    asked = asked_attributes(request)
    out = {find_asked(asked, name) for name in choice.without}  # 1.
    for item in out:
        if item.flag:  # 2.
            raise Rejected(
                "flag_needed", f"{item.name} goes with every attribute of its card; it cannot be left out"
            )
        if item.needed and item.registered:  # 3.
            raise Rejected(
                "needed_missing",
                f"{request.asker.name} cannot do this without {item.name}; give it, or decline the whole request",
            )
    kept = [item for item in asked if item not in out]
    if too_much := [item.name for item in kept if not item.registered]:  # 4.
        raise over_asking(request, too_much, needed=any(i.needed and not i.registered for i in kept))
    if all(item.flag for item in kept):  # 5.
        raise Rejected("nothing_left", "nothing is left to give; decline the request instead")
    wanted = _wanted(request.consent, request.vcts) if request.consent else {}
    needed_flags = {place for place, needed in wanted.items() if needed}
    return with_flags(item.place for item in kept if not item.flag or item.place in needed_flags)


def over_asking(request: VerifiedRequest, names: Sequence[str], *, needed: bool) -> Rejected:
    """What the resident is told of a request for more than was registered: no more than names of attributes."""
    way_out = (
        "decline the request and report it" if needed else "leave it out with --without, or decline the request"
    )
    return Rejected(
        "over_asking",
        f"{request.asker.name} asks for more than it registered ({', '.join(names)}); nothing was given; "
        f"{way_out}",
        status=403,
    )


def find_asked(asked: tuple[Asked, ...], name: str) -> Asked:
    """The asked attribute that a resident means by `postcode` or `adres.postcode`.

    Raises `Rejected`: `unknown_attribute`, `ambiguous_attribute`.
    """
    found = [item for item in asked if name in (item.name, item.place.name)]
    if not found:
        raise Rejected("unknown_attribute", "an attribute that you left out was not asked for; check its name")
    if len(found) > 1:
        names = ", ".join(item.name for item in found)
        raise Rejected("ambiguous_attribute", f"say which one you mean: {names}")
    return found[0]


def decide_end(element: ConsentElement, service: Service, choice: Choice, not_before: int, exp: int) -> int:
    """not_after: the end of the resident's day in Amsterdam, else as long as asked, registered and valid.

    `exp`: the earliest end of the credentials used. Raises `Rejected`: `bad_date`, `too_long`.
    """
    limit = min(element.max_not_after, not_before + service.longest_term, exp)
    if choice.until is None:
        return limit
    if choice.until > _MAX_DATE:
        raise Rejected("bad_date", "this date is too far ahead")
    start, end = _midnight(choice.until), _midnight(choice.until + timedelta(days=1))
    if start >= limit:
        last = datetime.fromtimestamp(limit, _AMSTERDAM).date().isoformat()
        raise Rejected("too_long", f"this grant can last until {last} at most; choose an earlier day")
    if end <= not_before:
        raise Rejected("bad_date", "this day is over; choose a later one")
    return min(end, limit)


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), _AMSTERDAM).timestamp())


def decide_reads(element: ConsentElement, choice: Choice) -> int | None:
    """max_reads: at most what is asked; None is without limit.

    Raises `Rejected`: `bad_reads`, `too_many_reads`.
    """
    if choice.max_reads is None:
        return element.max_reads
    if choice.max_reads < 1:
        raise Rejected("bad_reads", "a grant allows at least one read")
    if choice.max_reads > (limit := element.max_reads or MAX_READS):
        raise Rejected("too_many_reads", f"a grant for this request allows {limit} reads at most; choose fewer")
    return choice.max_reads
