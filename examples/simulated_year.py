"""A simulated year of reads at one municipality: what an alarm bell is tried on.

Written before any rule of the alarm bell, from how such an office works and not from what a rule can see: overtime
and Saturdays before a deadline, an evening counter, people who work at home, colleagues who stand in, crisis work
at night, days on which a whole list is gone through, cases that are registered an hour late, numbers with a typing
error, readings after a case is closed, cases that lie still, officers who by chance read a neighbour, and programs
that poll at night. All of it is ordinary, and a rule that rings for it is wrong.

`simulated_misuse` puts twelve patterns of misuse into it. The same seed gives the same year.
"""

from bisect import bisect
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import accumulate
from random import Random

from examples.simulated_misuse import misuse
from examples.simulated_office import DAYS, WORKS, YEAR, Case, Office, Officer, Resident, SimRead, at, day_of, hire

ORDINARY_READS = 100_000
PROGRAM_SHARE = 0.4
"""Reads of programs, of all ordinary ones."""
_MINUTES_OF_WORK = (8 * 60, 17 * 60 + 30)


@dataclass(frozen=True)
class Year:
    """Everything that happened: `cases` as the case system has them at the end, `reads` in the order of time."""

    office: Office
    cases: tuple[Case, ...]
    reads: tuple[SimRead, ...]

    @property
    def ordinary(self) -> int:
        """Reads that nobody did wrong with."""
        return sum(not read.misuse for read in self.reads)


def simulate(seed: int, *, reads: int = ORDINARY_READS, instances: int = 3) -> Year:
    """A year with `reads` ordinary reads, and each of the twelve patterns `instances` times.

    Fewer reads are a smaller municipality: as many officers and residents as that takes.
    """
    random = Random(seed)  # noqa: S311 - a year that can be had again, no secret
    scale = reads / ORDINARY_READS
    office = hire(random, max(20, round(64 * scale)), max(1_000, round(45_000 * scale)))
    by_hand = reads - round(reads * PROGRAM_SHARE)
    cases, made = _year_of_cases(office, by_hand)
    made += _programs(office, reads - len(made))
    wrong = misuse(office, cases, instances)
    return Year(office, tuple(cases), tuple(sorted([*made, *wrong], key=lambda read: (read.at, read.officer))))


def _year_of_cases(office: Office, wanted: int) -> tuple[list[Case], list[SimRead]]:
    """Cases until there are `wanted` reads by people."""
    random = office.random
    cases: list[Case] = []
    reads: list[SimRead] = _list_days(office, cases)
    teams = {work: office.team(work) for work in WORKS}
    paces = {work: list(accumulate(officer.pace for officer in team)) for work, team in teams.items()}
    # Few people have much to do with the municipality, and most have little.
    known = random.sample(office.residents, len(office.residents) // 3)
    while len(reads) < wanted:
        work = random.choices(WORKS, [each.weight for each in WORKS])[0]
        officer = teams[work][bisect(paces[work], random.random() * paces[work][-1])]
        place = int((random.paretovariate(1.1) - 1) * len(known) / 8)
        if random.random() < 0.6 or place >= len(known):
            resident = random.choice(office.residents)
        else:
            resident = known[place]
        if resident.n in officer.relatives and random.random() < 0.97:
            continue  # a colleague takes it over
        case, its_reads = _live(office, officer, resident, f"Z-{len(cases) + 1:06d}")
        cases.append(case)
        reads += its_reads
    return cases, reads[:wanted]


def _live(office: Office, officer: Officer, resident: Resident, number: str) -> tuple[Case, list[SimRead]]:
    """One case from its first day to its last, with the reads it takes."""
    random, work = office.random, officer.work
    who, day = _turn(office, officer, random.choice(DAYS[:350]))
    first = _moment(random, who, day)
    opened = first - random.randint(60, 3600 * 30)
    if random.random() < 0.02:
        opened = first + random.randint(300, 3 * 3600)  # it was registered after the first look
    case = Case(number, resident, work, officer, opened)
    reads, acts, now = [], [], first
    lies_still, withdrawn = random.random() < 0.06, random.random() < 0.03
    for _ in range(1 + min(25, int(random.expovariate(1 / max(0.1, work.reads - 1))))):
        other = random.choice(office.team(work))
        if random.random() < 0.08 and other.works_on(day):
            who = other
        reads.append(_read(office, who, case, now))
        if not withdrawn and random.random() < 0.9:
            acts.append(now + int(random.expovariate(1 / (3 * 86_400))) + 600)
        ahead = max(1, int(random.expovariate(1 / (work.days / work.reads)))) + (60 if lies_still else 0)
        who, day = _turn(office, officer, day + timedelta(days=ahead))
        if day.year != YEAR:
            break
        now = _moment(random, who, day)
    closed = None
    if not lies_still:
        closed = max([reads[-1].at, *acts]) + random.randint(600, 20 * 86_400)
        if random.random() < 0.004:
            # After the decision: it is printed again, or somebody phones about it.
            after = date_of_work(random, officer, day_of(closed) + timedelta(days=random.randint(1, 14)))
            reads.append(_read(office, officer, case, _moment(random, officer, after)))
    return replace(case, closed=closed, acts=tuple(sorted(acts))), reads


def _turn(office: Office, officer: Officer, day: date) -> tuple[Officer, date]:
    """Who does the work of a day and when: during leave mostly a colleague, else the officer when back."""
    if day in officer.holidays and office.random.random() < 0.9:
        others = [each for each in office.team(officer.work) if each.works_on(day)]
        if others:
            return office.random.choice(others), day
    return officer, date_of_work(office.random, officer, day)


def date_of_work(random: Random, officer: Officer, day: date) -> date:
    """The first day on or after `day` on which the officer works; now and then a Saturday before it."""
    for _ in range(60):
        if officer.works_on(day):
            return day
        if day.isoweekday() == 6 and day >= officer.first and random.random() < 0.0008:
            return day
        day += timedelta(days=1)
    return day


def _moment(random: Random, officer: Officer, day: date) -> int:
    """When on a day: mostly in the morning and the early afternoon, sometimes late."""
    first, last = _MINUTES_OF_WORK
    if officer.work.crisis:
        return at(day, random.random() * 24 * 60)
    if officer.work.counter and day.isoweekday() == 4 and random.random() < 0.3:
        return at(day, random.uniform(17.5 * 60, 20 * 60))
    if random.random() < 0.004:
        return at(day, last + min(240, random.expovariate(1 / 60)))
    if random.random() < 0.002:
        return at(day, first - min(90, random.expovariate(1 / 30)))
    return at(day, first + random.betavariate(1.6, 2.0) * (last - first))


def _read(office: Office, officer: Officer, case: Case, time: int) -> SimRead:
    random, day = office.random, day_of(time)
    number = case.number
    if random.random() < 0.0003:
        number = number[:-1] + "X"  # a typing error
    zone = officer.zone(day)
    if day.isoweekday() > 5 and not officer.work.crisis:
        zone = random.choice(("office", "remote"))
    work = case.work
    return SimRead(
        time, officer.name, case.resident, number, work.name, "desk", zone, work.shows_address, work.shows_person
    )


def _list_days(office: Office, cases: list[Case]) -> list[SimRead]:
    """Four days in the year somebody goes through a list, each entry with its own case."""
    random, reads = office.random, []
    for _ in range(4):
        officer = random.choice([each for each in office.officers if not each.work.crisis])
        day = date_of_work(random, officer, random.choice(DAYS[40:330]))
        for resident in random.sample(office.residents, random.randint(25, 55)):
            time = at(day, random.uniform(8.5 * 60, 17 * 60))
            number = f"Z-{len(cases) + 1:06d}"
            acts = (time + random.randint(600, 3 * 86_400),)
            closed = acts[-1] + 86_400
            case = Case(number, resident, officer.work, officer, time - 86_400 * 3, closed, acts)
            cases.append(case)
            reads.append(_read(office, officer, case, time))
    return reads


def _programs(office: Office, wanted: int) -> list[SimRead]:
    """Programs that poll the same agreements night by night, and one that checks at every use."""
    random = office.random
    polled = random.sample(office.residents, max(1, wanted * 3 // 4 // 250))
    nights = [day for day in DAYS if day.isoweekday() < 6]
    reads = []
    for day in nights:
        for place, resident in enumerate(polled):
            time = at(day, 120) + place * 2 + random.randint(0, 1)
            reads.append(_by_program("system:nacht", resident, time, "kwijtschelding", "batch"))
    reads = reads[: wanted * 3 // 4]
    while len(reads) < wanted:
        day, minute = random.choice(DAYS), random.uniform(6 * 60, 23 * 60)
        resident = random.choice(office.residents)
        reads.append(_by_program("system:slagboom", resident, at(day, minute), "parkeren", "api"))
    return reads


def _by_program(name: str, resident: Resident, time: int, service: str, channel: str) -> SimRead:
    return SimRead(time, name, resident, f"A-{resident.n:06d}", service, channel, "office", False, False)
