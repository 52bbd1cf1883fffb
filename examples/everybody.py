"""A whole population: everybody gets every card, agrees to show all of it, is read, and the values are compared.

`python -m examples.everybody [--persons FILE] [--workers N]`: FILE has one person a line, as BRP API Personen
2.7.0 gives him; without it RvIG's 715 fictional persons when they lie beside the checkout, else the project's
own. Each has a wallet of his own in one town of real servers; how many of each odd kind came through is printed.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from examples import within
from examples.founding import PERSONS, Teller, Town, folder_for_a_story, start_town
from examples.odd_kinds import kinds_of
from examples.processes import CommandFailed, Outcome
from examples.services import PARKING, service
from issuer.brp import parse_person
from issuer.offer import BRP_CREDENTIALS, configuration
from issuer.register import attributes_of

SHARED = Path(__file__).resolve().parents[2] / "shared/data/brp/personen.jsonl"
EVERYTHING = [
    (kind.vct, attribute.name)
    for kind in map(configuration, BRP_CREDENTIALS)
    for attribute in kind.attributes
    if attribute.name not in kind.flags
]
SERVICE = "alles"
ALL = service(
    PARKING,
    id=SERVICE,
    name={"nl": "Alles laten zien", "en": "Show everything"},
    bsn_law="Wet algemene bepalingen burgerservicenummer artikel 10",
    claims=[{"vct": vct, "path": [name], "needed": True} for vct, name in EVERYTHING],
)
CASE = "P-1"
REPORT_EVERY = 25


class OfficialTown(Town):
    """Its agency is one that the law lets use the BSN (Wabb): the registrar lists it as such."""

    def _register(self, entries: dict[str, Path], services: list[dict[str, Any]]) -> None:
        agency = json.loads(entries["agency"].read_text())
        entries["agency"].write_text(json.dumps({**agency, "bsn_allowed": True}))
        super()._register(entries, services)


@contextmanager
def town_of_everybody(tell: Teller, persons: Path) -> Iterator["Place"]:
    """A running town whose register has these persons too; nothing of it outlives the block."""
    with folder_for_a_story() as folder:
        town = start_town(OfficialTown(folder, command=within.run), tell, [ALL])
        try:
            town.regie("issuer", "issuer", "import", str(persons))
            yield Place(town.home, town.trust)
        finally:
            town.close()


@dataclass(frozen=True)
class Place:
    """What a worker needs to know of the town."""

    home: Path
    trust: tuple[str, ...]

    def regie(self, who: str, *arguments: str, stdin: str = "") -> Outcome:
        """A command in the home of `who`. Raises `CommandFailed`."""
        if arguments[0] == "wallet":
            arguments = (*arguments, "--passphrase-file", str(self.home / "passphrase"))
        return within.run(self.home / who, *arguments, stdin=stdin)


@dataclass(frozen=True)
class Result:
    """`kinds`: what is odd about the person. `fault`: empty when all went well; names no person and no value."""

    kinds: frozenset[str]
    fault: str


def pass_through(place: Place, line: tuple[int, str]) -> Result:
    """One person: wallet, cards, agreement, read; his wallet is thrown away."""
    number, text = line
    kinds, who = frozenset(kinds_of(json.loads(text))), f"resident-{number}"
    try:
        fault = _compare(_issue_grant_read(place, who, json.loads(text)["burgerservicenummer"]), text)
    except CommandFailed as error:
        fault = str(error)
    shutil.rmtree(place.home / who, ignore_errors=True)
    return Result(kinds, f"line {number + 1}: {fault}" if fault else "")


def _issue_grant_read(place: Place, who: str, bsn: str) -> dict[str, Any]:
    """What the agency has read in the end."""
    cards = [part for name in BRP_CREDENTIALS for part in ("--credential", name)]
    place.regie(who, "wallet", "init", "--profile", "small", *place.trust)
    # The register of RvIG has people who died, to see that their records hold; a counter gives them no cards.
    words = ("issuer", "offer", "--bsn", "-", "--although-deceased", *cards)
    offer = place.regie("issuer", *words, stdin=bsn).answer
    place.regie(who, "wallet", "receive", offer["offer"], "--tx-code", offer["tx_code"])
    ask = place.regie("agency", "verifier", "ask", SERVICE, "--case", CASE).answer
    place.regie(who, "wallet", "grant", ask["request"], "--yes")
    values: dict[str, Any] = place.regie("agency", "verifier", "read", ask["id"], "--case", CASE).answer["values"]
    return values


def _compare(values: dict[str, Any], text: str) -> str:
    """Names of what was not read as the register has it; empty when all of it was."""
    today = datetime.now(ZoneInfo("Europe/Amsterdam")).date()
    person = parse_person(text)
    register = {vct: attributes_of(vct, person, today) for vct, _ in EVERYTHING}
    wanted = {name: register[vct][name] for vct, name in EVERYTHING}
    wrong = sorted(name for name in wanted.keys() | values.keys() if wanted.get(name) != values.get(name, ...))
    return f"not as in the register: {', '.join(wrong)}" if wrong else ""


def results(place: Place, lines: Sequence[str], workers: int) -> Iterator[Result]:
    """Of everybody, in order."""
    numbered = list(enumerate(lines))
    if workers == 1:
        yield from map(partial(pass_through, place), numbered)
        return
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=fresh) as pool:
        yield from pool.map(partial(pass_through, place), numbered, chunksize=4)


def story(place: Place, lines: Sequence[str], workers: int, tell: Teller) -> tuple[Counter[str], list[str]]:
    """(how many of each odd kind, faults), told on the way."""
    kinds: Counter[str] = Counter()
    faults: list[str] = []
    start = time.monotonic()
    for done, result in enumerate(results(place, lines, workers), 1):
        kinds.update(result.kinds or {"gewoon"})
        faults += [result.fault] if result.fault else []
        if done % REPORT_EVERY == 0 or done == len(lines):
            each = (time.monotonic() - start) / done
            tell.say(f"{done} of {len(lines)} issued, granted and read; {len(faults)} faults; {each:.2f} s each.")
    for kind, count in sorted(kinds.items()):
        tell.say(f"{count:5} {kind}")
    return kinds, faults


def main() -> None:
    """Ends with 1 when somebody did not come through."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=Path, default=SHARED if SHARED.exists() else PERSONS)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    tell = Teller()
    with town_of_everybody(tell, options.persons) as place:
        lines = options.persons.read_text("utf-8").splitlines()
        _, faults = story(place, lines, options.workers, tell)
    for fault in faults:
        tell.say(fault)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
