"""Twelve patterns of misuse of a register by those who may look into it, as they were found in practice.

Each instance is one officer who goes wrong some time in the year, between hardly and grossly; `strength` says how
far. What the officer fills in is made to pass: the number of an own open case, of a colleague's, of one that lies
still. Written before any rule of the alarm bell.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from random import Random

from examples.simulated_office import DAYS, Case, Office, Officer, Resident, SimRead, at, day_of


@dataclass(frozen=True)
class Scene:
    """Who goes wrong in one instance; `strength` from 0 (hardly) to 1 (grossly); `own`: cases by officer."""

    office: Office
    cases: Sequence[Case]
    own: Mapping[str, Sequence[Case]]
    officer: Officer
    start: date
    strength: float
    label: str

    @property
    def random(self) -> Random:
        """The year's randomness."""
        return self.office.random

    def between(self, least: int, most: int) -> int:
        """A number according to the strength."""
        return round(least + (most - least) * self.strength)

    def days(self, span: int) -> list[date]:
        """Days of work of the officer in the `span` days from the start."""
        days = [self.start + timedelta(days=n) for n in range(span)]
        return [day for day in days if self.officer.works_on(day)] or [self.start]

    def in_hours(self, span: int) -> int:
        """Some moment of work in the `span` days from the start."""
        return at(self.random.choice(self.days(span)), self.random.uniform(8.5 * 60, 17 * 60))

    def cover(self, time: int) -> str:
        """The number of a case that is open: mostly an own one."""
        own = [case for case in self.own.get(self.officer.name, ()) if is_open(case, time)]
        return (self.random.choice(own) if own else self.some_case(lambda case: is_open(case, time))).number

    def some_case(self, fits: Callable[[Case], bool]) -> Case:
        """Any case that fits; after many tries any case."""
        found = self.random.choice(self.cases)
        for _ in range(5_000):
            if fits(found):
                break
            found = self.random.choice(self.cases)
        return found

    def read(self, resident: Resident, time: int, case: str | None = None, who: Officer | None = None) -> SimRead:
        """A reading that passes for an ordinary one."""
        officer = who or self.officer
        work, number = officer.work, self.cover(time) if case is None else case
        return SimRead(
            time, officer.name, resident, number, work.name, "desk", officer.zone(day_of(time)),
            work.shows_address, work.shows_person, self.label,
        )  # fmt: skip

    def strangers(self, count: int) -> list[Resident]:
        """Different residents."""
        return self.random.sample(self.office.residents, count)


def is_open(case: Case, time: int) -> bool:
    """Whether a case is open at a moment."""
    return case.opened <= time and (case.closed is None or time < case.closed)


def outside_hours(scene: Scene) -> list[SimRead]:
    """In the evening or before dawn, from the town hall, some evenings of a few weeks."""
    reads = []
    for resident in scene.strangers(scene.between(6, 15)):
        hour = scene.random.choice((20, 21, 22, 23, 4, 5))
        day = scene.random.choice(scene.days(21))
        reads.append(scene.read(resident, at(day, hour * 60 + scene.random.uniform(0, 59))))
    return [replace(read, zone="office") for read in reads]


def weekend_home(scene: Scene) -> list[SimRead]:
    """At home on a Saturday or Sunday, one weekend or several."""
    weekends = [scene.start + timedelta(days=n) for n in range(28)]
    weekends = [day for day in weekends if day.isoweekday() > 5][: scene.between(2, 8)]
    reads = []
    for resident in scene.strangers(scene.between(3, 12)):
        day = scene.random.choice(weekends)
        reads.append(scene.read(resident, at(day, scene.random.uniform(9 * 60, 22 * 60))))
    return [replace(read, zone="remote") for read in reads]


def mass(scene: Scene) -> list[SimRead]:
    """A day on which somebody reads one resident after another."""
    day = scene.days(21)[0]
    return [
        scene.read(resident, at(day, scene.random.uniform(8.5 * 60, 17.5 * 60)))
        for resident in scene.strangers(scene.between(80, 250))
    ]


def own_street(scene: Scene) -> list[SimRead]:
    """Neighbours, one by one, over some weeks."""
    neighbours = scene.office.streets[scene.officer.postcode or 0]
    wanted = scene.random.sample(neighbours, min(len(neighbours), scene.between(2, 8)))
    return [scene.read(resident, scene.in_hours(40)) for resident in wanted]


def relatives(scene: Scene) -> list[SimRead]:
    """The own family."""
    residents = [scene.office.residents[n] for n in scene.officer.relatives]
    wanted = [scene.random.choice(residents) for _ in range(scene.between(1, 4))]
    return [scene.read(resident, scene.in_hours(60)) for resident in wanted]


def many_residents(scene: Scene) -> list[SimRead]:
    """Some more each day than the work takes, week after week, always somebody else."""
    reads = []
    for day in scene.days(40):
        for resident in scene.strangers(scene.between(8, 20)):
            reads.append(scene.read(resident, at(day, scene.random.uniform(8.5 * 60, 17.5 * 60))))
    return reads


def no_open_case(scene: Scene) -> list[SimRead]:
    """With numbers that no case has."""
    return [
        scene.read(resident, scene.in_hours(30), f"Z-{scene.random.randint(700_000, 999_999)}")
        for resident in scene.strangers(scene.between(3, 14))
    ]


def burst(scene: Scene) -> list[SimRead]:
    """Many within minutes."""
    start, minutes = scene.in_hours(21), scene.between(12, 5)
    return [
        scene.read(resident, start + int(scene.random.uniform(0, minutes * 60)))
        for resident in scene.strangers(scene.between(18, 60))
    ]


def many_officers(scene: Scene) -> list[SimRead]:
    """Somebody is in the news, and officers of all teams are curious."""
    famous = scene.random.choice(scene.office.residents)
    others = scene.random.sample(
        [each for each in scene.office.officers if not each.work.crisis], scene.between(6, 14)
    )
    reads = []
    for officer in others:
        theirs = replace(scene, officer=officer)
        reads.append(theirs.read(famous, theirs.in_hours(8)))
    return reads


def no_follow_up(scene: Scene) -> list[SimRead]:
    """Under cases that lie still, in which nobody does anything."""
    reads = []
    for resident in scene.strangers(scene.between(12, 40)):
        time = scene.in_hours(30)
        reads.append(scene.read(resident, time, scene.some_case(partial(_lies_still, time=time)).number))
    return reads


def _lies_still(case: Case, time: int) -> bool:
    return is_open(case, time) and not any(-7 * 86_400 < act - time < 45 * 86_400 for act in case.acts)


def after_closed(scene: Scene) -> list[SimRead]:
    """Own cases that were closed a month ago or longer."""
    reads = []
    for _ in range(scene.between(3, 12)):
        time = scene.in_hours(30)
        own = [case for case in scene.own.get(scene.officer.name, ()) if _is_old(case, time)]
        case = scene.random.choice(own) if own else scene.some_case(partial(_is_old, time=time))
        reads.append(scene.read(case.resident, time, case.number))
    return reads


def _is_old(case: Case, time: int) -> bool:
    return case.closed is not None and case.closed < time - 30 * 86_400


def same_resident(scene: Scene) -> list[SimRead]:
    """A former partner, again and again over the months, each time under another case."""
    former = scene.random.choice(scene.office.residents)
    return [scene.read(former, scene.in_hours(120)) for _ in range(scene.between(7, 20))]


PATTERNS: dict[str, Callable[[Scene], list[SimRead]]] = {
    pattern.__name__: pattern
    for pattern in (
        outside_hours, weekend_home, mass, own_street, relatives, many_residents, no_open_case, burst,
        many_officers, no_follow_up, after_closed, same_resident,
    )
}  # fmt: skip


def misuse(office: Office, cases: Sequence[Case], instances: int) -> list[SimRead]:
    """Each pattern `instances` times, by different officers where there are enough."""
    reads: list[SimRead] = []
    own: dict[str, list[Case]] = {}
    for case in cases:
        own.setdefault(case.officer.name, []).append(case)
    for name, pattern in PATTERNS.items():
        needs_home = name in ("own_street", "relatives")
        able = [
            each
            for each in office.officers
            if not each.work.crisis
            and each.first.year < DAYS[0].year
            and (not needs_home or each.relatives)
            and (each.work.shows_person or name not in ("relatives", "many_officers", "same_resident"))
            and (each.work.shows_address or name != "own_street")
        ]
        for n, officer in enumerate(office.random.sample(able, min(instances, len(able)))):
            # Not in the first weeks, when there are no old cases yet to hide behind.
            start = office.random.choice(DAYS[75:240])
            strength = n / (instances - 1) if instances > 1 else 0.5
            reads += pattern(Scene(office, cases, own, officer, start, strength, f"{name}/{n}"))
    return reads
