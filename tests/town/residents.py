"""What residents and clerks do in a town, shortened for tests. Import as `from tests.town import residents`."""

import json
from dataclasses import dataclass
from typing import Any

from examples.founding import PERSONS, Town
from tests.waiting import wait_until

BSNS = [json.loads(line)["burgerservicenummer"] for line in PERSONS.read_text().splitlines()]
CASE = "Z-2026-0042"


@dataclass(frozen=True)
class Agreement:
    """A grant as the resident and the agency know it. `ask`: the agency's id; `grant`: the wallet's."""

    who: str
    ask: str
    grant: str
    slot: int
    code: str


def agree(town: Town, who: str, *, person: int = 0, case: str | None = CASE) -> Agreement:
    """A new resident `who` (person n of the project's own) grants the parking permit."""
    if not (town.at(who) / "config.json").exists():
        town.open_wallet(who, BSNS[person], ("persoon", "adres"))
    return grant_again(town, who, case=case)


def grant_again(town: Town, who: str, *, case: str | None = CASE) -> Agreement:
    """A further grant by a resident who has a wallet."""
    ask = town.regie("agency", "verifier", "ask", "parkeervergunning", *(["--case", case] if case else [])).answer
    grant = town.regie(who, "wallet", "grant", ask["request"], "--yes").answer
    return Agreement(who, ask["id"], grant["id"], grant["slot"], grant["code"])


def read(town: Town, agreement: Agreement, only: str = "postcode", *, expect: int | None = 0) -> Any:
    """`verifier read` of one attribute; its outcome."""
    return town.regie("agency", "verifier", "read", agreement.ask, "--only", only, "--case", CASE, expect=expect)


def read_at_last(town: Town, agreement: Agreement) -> Any:
    """`read`, repeated as the log asks that has just started and has not heard its witnesses; its outcome."""
    outcomes: list[Any] = []

    def is_up() -> bool:
        outcomes.append(read(town, agreement, expect=None))
        return outcomes[-1].code not in ("busy", "no_quorum")

    wait_until(is_up, every=0.1)
    return outcomes[-1]


def history_with(town: Town, agreement: Agreement, kind: str) -> list[dict[str, Any]]:
    """What `wallet history` tells once it has an event of this kind: nobody waits for a refusal to be cosigned."""
    found: list[dict[str, Any]] = []

    def has_it() -> bool:
        found[:] = town.regie(agreement.who, "wallet", "history", agreement.grant).answer["events"]
        return kind in {event["kind"] for event in found}

    wait_until(has_it, every=0.1)
    return found


def revoke(town: Town, agreement: Agreement) -> Any:
    """`wallet revoke`; its answer."""
    return town.regie(agreement.who, "wallet", "revoke", agreement.grant).answer
