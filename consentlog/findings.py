"""What a look at the store finds: faults with a code and a place, never what is stored there."""

from dataclasses import dataclass, field

MAX_FAULTS = 1000
"""Beyond that the store is lost anyhow, and the list of no use."""


class Enough(Exception):
    """There is no room for more faults."""


@dataclass(frozen=True)
class Fault:
    """`code`: stable; `place`: `leaf 12`, `slot 3`, `tile 0/7`; `text`: for people."""

    code: str
    place: str
    text: str


@dataclass
class Findings:
    """Faults in the order in which they were found."""

    faults: list[Fault] = field(default_factory=list)

    def add(self, code: str, place: str, text: str) -> None:
        """One more. Raises `Enough` when it is the last one that is kept."""
        self.add_last(code, place, text)
        if len(self.faults) >= MAX_FAULTS:
            raise Enough

    def add_last(self, code: str, place: str, text: str) -> None:
        """One more, of an end that came by itself."""
        self.faults.append(Fault(code, place, text))

    def expect(self, is_so: bool, code: str, place: str, text: str) -> bool:
        """Add a fault unless `is_so`; returns it."""
        if not is_so:
            self.add(code, place, text)
        return is_so
