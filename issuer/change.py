"""When the register says something else of a person: what becomes of what was issued to him. Pure.

    died, or never was    every copy is revoked, and the right to come back for more ends
    anything else         copies of the types that say something else now are superseded: they stay good, and their
                          status says that a newer one exists (protocol section 9)

Nobody may answer with the cards of somebody who died: who inherits has rights of his own, by law and not by these
cards. Why a copy was revoked is kept here and is in no status list (Token Status List section 12). Emigration
(`opschorting` E) is a new address and a flag, secrecy is a flag: both travel with the renewed cards, since every
type carries the flags.
"""

import datetime
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from issuer.brp import Person
from issuer.offer import BRP_CREDENTIALS, configuration
from issuer.register import attributes_of
from protocol.errors import Rejected

End: TypeAlias = Literal["overleden", "onterecht"]
_ENDS: dict[str, End] = {"O": "overleden", "F": "onterecht", "W": "onterecht"}
"""Reasons of `opschortingBijhouding` after which there is nobody to act: died, registered in error, to be erased.
E (emigrated), M (by decision of the minister) and R (never a resident) are of living people."""


@dataclass(frozen=True)
class Change:
    """`end`: why everything ends, if it does; else `types`, the configurations that say something else now."""

    end: End | None = None
    types: tuple[str, ...] = ()


def end_of(person: Person) -> End | None:
    """Why nobody can act as this person any more; None for everybody who can."""
    suspension = person.opschortingBijhouding
    code = suspension.reden.code if suspension is not None and suspension.reden is not None else None
    if person.overlijden is not None:
        return "overleden"
    return _ENDS.get(code or "")


def decide_change(
    old: Person | None, new: Person, day: datetime.date, made: Collection[str] = BRP_CREDENTIALS
) -> Change:
    """What a new record of the same person changes in the credentials that are `made` here. Ages of both are those
    of `day`, so that a birthday is no change of the register. Who was dead before is not dead again: what a clerk
    issued since then stands.

    Raises `Rejected`: `bad_date`, of a record that could never be issued.
    """
    if old is None:
        return Change()
    end = end_of(new)
    if end is not None and end_of(old) is None:
        return Change(end=end)
    return Change(types=tuple(_differing(old, new, day, made)))


def _differing(old: Person, new: Person, day: datetime.date, made: Collection[str]) -> Iterator[str]:
    for name in made:
        vct = configuration(name).vct
        try:
            same = attributes_of(vct, old, day) == attributes_of(vct, new, day)
        except Rejected:  # what was kept by an earlier version and can be read no more: let him renew
            same = False
        if not same:
            yield name
