"""What a rule sees: reads, cases and officers, all under marks of this agency, never in clear."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TypeAlias, TypeVar

DAY = 86_400
Mark: TypeAlias = str
"""See `marks`: equal for what is equal, and nothing else can be read from it."""
K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class ReadFact:
    """One READ that the log answered. `at`: POSIX seconds; `by_hand`: an officer made it, no program.

    `resident`: a mark of the person where the values told who it is, else of the grant. `homes`, `persons`: marks
    of the address and of the person among the values; empty where these were not read.
    """

    id: str
    at: int
    officer: Mark
    resident: Mark
    case: Mark
    service: str
    by_hand: bool
    zone: str
    homes: frozenset[Mark] = frozenset()
    persons: frozenset[Mark] = frozenset()


@dataclass(frozen=True)
class CaseFact:
    """A case as the agency's case system has it; `acts`: when something was done in it, ascending."""

    opened: int
    closed: int | None
    acts: tuple[int, ...] = ()


@dataclass(frozen=True)
class OfficerFact:
    """What an officer told of himself: marks of the own street and of relatives."""

    homes: frozenset[Mark] = frozenset()
    relatives: frozenset[Mark] = frozenset()


@dataclass(frozen=True)
class Facts:
    """All that there is at `now`. `cases` is None when the agency has loaded no register of cases: the rules that
    need it stay silent then.
    """

    now: int
    reads: Sequence[ReadFact]
    cases: Mapping[Mark, CaseFact] | None = None
    officers: Mapping[Mark, OfficerFact] = field(default_factory=dict)

    def by_officer(self) -> Iterator[tuple[Mark, list[ReadFact]]]:
        """Reads by hand of each officer, in the order of time."""
        yield from grouped(self.by_hand(), lambda read: read.officer).items()

    def by_hand(self) -> list[ReadFact]:
        """Reads of people, in the order of time."""
        return sorted((read for read in self.reads if read.by_hand), key=lambda read: (read.at, read.id))


@dataclass(frozen=True)
class Alert:
    """Something to look into, no verdict. `officer` is None where it is about several.

    `reads`: ids, in the order of time; `numbers`: what the sentence of the rule says (`words`).
    """

    rule: str
    officer: Mark | None
    reads: tuple[str, ...]
    since: int
    until: int
    numbers: Mapping[str, int]

    @property
    def key(self) -> str:
        """The same for the same alert when more reads come to it."""
        return f"{self.rule}:{self.officer or ''}:{self.reads[0]}"


def alert_of(rule: str, reads: Sequence[ReadFact], *, about_many: bool = False, **numbers: int) -> Alert:
    """An alert about `reads`, which are in the order of time."""
    ids = tuple(read.id for read in reads)
    officer = None if about_many else reads[0].officer
    return Alert(rule, officer, ids, reads[0].at, reads[-1].at, {"reads": len(reads), **numbers})


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Items under their keys, in the order in which they came."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def episodes(
    reads: Sequence[ReadFact], span: int, is_enough: Callable[[Sequence[ReadFact]], bool]
) -> Iterator[list[ReadFact]]:
    """Stretches in which some `span` seconds hold enough; what overlaps or touches is one stretch.

    `is_enough` is asked with the reads of each window that ends at a read; it MUST stay true when reads are added.
    """
    first, found = 0, list[ReadFact]()
    last = -1
    for end, read in enumerate(reads):
        while reads[first].at <= read.at - span:
            first += 1
        if not is_enough(reads[first : end + 1]):
            continue
        if found and first > last:
            yield found
            found = []
        found += reads[max(first, last + 1) : end + 1]
        last = end
    if found:
        yield found


def at_least(count: float) -> Callable[[Sequence[ReadFact]], bool]:
    """Enough by their number alone."""
    return lambda window: len(window) >= count


def usual_count(worked: Sequence[ReadFact], counted: Sequence[ReadFact], days: int) -> float:
    """How many of `counted` a stretch of `days` has: the median of the stretches with any of `worked`."""
    spans = {read.at // (days * DAY) for read in worked}
    counts = Counter(read.at // (days * DAY) for read in counted)
    return median([counts[span] for span in spans]) if spans else 0.0
