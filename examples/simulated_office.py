"""The people and files of a simulated year: officers, residents, cases and reads. No data of anybody; see
`simulated_year`, which lets them work, and `simulated_misuse`, which lets twelve of them go wrong.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
YEAR = 2025
HOLIDAYS = frozenset(
    date(YEAR, month, day)
    for month, day in ((1, 1), (4, 18), (4, 20), (4, 21), (4, 26), (5, 5), (5, 29), (6, 8), (6, 9),
                       (12, 25), (12, 26))
)  # fmt: skip
"""Days on which the town hall is closed (Good Friday and 5 May too)."""
DAYS = tuple(date(YEAR, 1, 1) + timedelta(days=n) for n in range(365))
HOUSEHOLD = 2.2
"""Residents of one address, on average."""


@dataclass(frozen=True)
class Work:
    """A service as it is worked on: `reads` of one case on average, `days` that a case takes.

    `shows_address`, `shows_person`: which marks of the resident a reading brings along; `crisis`: works day and
    night, from home; `counter`: open on Thursday evening.
    """

    name: str
    weight: float
    reads: float
    days: int
    shows_address: bool = True
    shows_person: bool = True
    crisis: bool = False
    counter: bool = False


WORKS = (
    Work("parkeren", 0.20, 1.6, 6, shows_person=False),
    Work("bijstand", 0.16, 4.5, 60),
    Work("schuldhulp", 0.12, 7.0, 200),
    Work("wmo", 0.16, 3.5, 50),
    Work("jeugd", 0.10, 4.0, 90),
    Work("balie", 0.14, 1.4, 5, counter=True),
    Work("kwijtschelding", 0.09, 2.2, 30, shows_address=False),
    Work("crisis", 0.03, 2.5, 14, crisis=True),
)


@dataclass(frozen=True)
class Resident:
    """Somebody; `postcode` stands for about seventeen addresses."""

    n: int
    postcode: int


@dataclass(frozen=True)
class Officer:
    """Somebody who reads: `pace` beside that of colleagues, `home_days` on which reads are remote.

    `postcode`: None for who lives out of town; `relatives`: numbers of residents; `first`: first day of work.
    """

    name: str
    work: Work
    pace: float
    days: tuple[int, ...]
    home_days: tuple[int, ...]
    first: date
    holidays: frozenset[date]
    postcode: int | None
    relatives: tuple[int, ...]

    def works_on(self, day: date) -> bool:
        """Whether this is a day of work for this officer."""
        is_day = day.isoweekday() in self.days and day >= self.first
        return is_day and day not in HOLIDAYS and day not in self.holidays

    def zone(self, day: date) -> str:
        """Where the officer works on a day."""
        return "remote" if self.work.crisis or day.isoweekday() in self.home_days else "office"


@dataclass(frozen=True)
class Case:
    """A case as a case system keeps it; times are POSIX seconds, `acts` what was done in it, ascending."""

    number: str
    resident: Resident
    work: Work
    officer: Officer
    opened: int
    closed: int | None = None
    acts: tuple[int, ...] = ()


@dataclass(frozen=True)
class SimRead:
    """One reading. `officer`: a name, or `system:...` for a program; `misuse`: `pattern/number`, or empty.

    `shows_address`, `shows_person`: see `Work`.
    """

    at: int
    officer: str
    resident: Resident
    case: str
    service: str
    channel: str
    zone: str
    shows_address: bool
    shows_person: bool
    misuse: str = ""


@dataclass(frozen=True)
class Office:
    """Who there is."""

    random: Random
    residents: tuple[Resident, ...]
    officers: tuple[Officer, ...]
    streets: dict[int, list[Resident]] = field(repr=False)

    def team(self, work: Work) -> list[Officer]:
        """Officers of one service."""
        return [officer for officer in self.officers if officer.work == work]


def at(day: date, minute: float) -> int:
    """POSIX seconds of a minute of a day in Amsterdam."""
    start = datetime(day.year, day.month, day.day, tzinfo=AMSTERDAM)
    return int((start + timedelta(minutes=minute)).timestamp())


def day_of(time: int) -> date:
    """The day in Amsterdam."""
    return datetime.fromtimestamp(time, AMSTERDAM).date()


def hire(random: Random, officers: int, residents: int) -> Office:
    """A town of so many residents with so many officers, at least two for each service."""
    postcodes = max(8, int(residents / HOUSEHOLD / 17))
    people = tuple(Resident(n, random.randrange(postcodes)) for n in range(residents))
    streets: dict[int, list[Resident]] = {}
    for person in people:
        streets.setdefault(person.postcode, []).append(person)
    shares = {work: max(2, round(work.weight * officers)) for work in WORKS}
    staff = []
    for work, count in shares.items():
        for n in range(count):
            staff.append(_officer(random, f"{work.name}-{n + 1}", work, people))
    return Office(random, people, tuple(staff), streets)


def _officer(random: Random, name: str, work: Work, people: tuple[Resident, ...]) -> Officer:
    days = tuple(sorted(random.sample(range(1, 6), random.choice((3, 4, 4, 5, 5)))))
    home = tuple(day for day in days if random.random() < 0.35) if not work.counter else ()
    # One in twelve is new in the year; six in ten live in the town where they work.
    first = date(YEAR, random.randint(2, 10), 1) if random.random() < 1 / 12 else date(YEAR - 5, 1, 1)
    lives_here = random.random() < 0.6
    home_of = random.choice(people)
    kin = tuple(person.n for person in random.sample(people, random.randint(1, 5))) if lives_here else ()
    officer = Officer(
        name=name,
        work=work,
        pace=random.lognormvariate(0, 0.3),
        days=days,
        home_days=home,
        first=first,
        holidays=_weeks_off(random),
        postcode=home_of.postcode if lives_here else None,
        relatives=kin,
    )
    return replace(officer, days=(1, 2, 3, 4, 5, 6, 7)) if work.crisis else officer


def _weeks_off(random: Random) -> frozenset[date]:
    """Three weeks in the summer, one at another time."""
    summer = date(YEAR, 7, 1) + timedelta(days=random.randint(0, 40))
    other = date(YEAR, 1, 1) + timedelta(days=random.randint(0, 350))
    off = [summer + timedelta(days=n) for n in range(21)] + [other + timedelta(days=n) for n in range(7)]
    return frozenset(off)
