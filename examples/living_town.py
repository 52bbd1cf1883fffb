"""What is on the faces when somebody comes to look: one resident's autumn, and a guided tour through it.

After the main story (a parking permit, read once and stopped) rental registration reads twice, and once for a case
that the agreement is not for; a change of address got a copy, debt help waits for an answer, the data of the
stopped permit are to be erased, and a neighbour whose record is held waits for a manager.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from examples import within
from examples.faces import ACCOUNTS, FacesTown
from examples.founding import PASSPHRASE, PERSONS, Teller, folder_for_a_story, start_town
from examples.moving_house import SERVICES as MOVING
from examples.parking import main_story
from examples.services import DEBT_HELP

SERVICES = [*MOVING, DEBT_HELP]
RESIDENT, NEIGHBOUR = "resident", "neighbour"


@dataclass(frozen=True)
class Living:
    """What a visitor needs. `request`: of debt help, not answered yet; the rest is of the resident."""

    request: str
    bsn: str
    surname: str
    birth: str


@contextmanager
def running(teller: Teller) -> Iterator[tuple[FacesTown, Living]]:
    """The town with its autumn told, in a folder of its own; neither outlives the block."""
    with folder_for_a_story() as folder:
        town = start_town(FacesTown(folder, command=within.run), teller, SERVICES)
        try:
            yield town, tell(town, teller)
        finally:
            town.close()


def tell(town: FacesTown, teller: Teller) -> Living:
    """The whole autumn. Raises when a step does not go as told."""
    main_story(town, teller)
    stopped = town.regie(RESIDENT, "wallet", "grants").answer["grants"][0]["id"]
    town.regie(RESIDENT, "wallet", "erase", stopped)
    renting = _grant(town, "huurwoning", "H-2026-118")
    for name in ("straat", "datumVan"):
        town.regie("agency", "verifier", "read", renting, "--only", name, "--case", "H-2026-118")
    town.regie("agency", "verifier", "read", renting, "--only", "straat", "--case", "X-1", expect=1)
    permit = _grant(town, "parkeervergunning", "Z-2026-0107", "--without", "volledigeNaam")
    town.regie("agency", "verifier", "read", permit, "--only", "postcode", "--case", "Z-2026-0107")
    copy = town.regie("agency", "verifier", "ask", "verhuisbericht", "--once").answer
    town.regie(RESIDENT, "wallet", "present", copy["request"], "--yes")
    request = town.regie("agency", "verifier", "ask", "schuldhulpverlening", "--case", "S-77").answer["request"]
    town.regie(RESIDENT, "wallet", "history")
    people = [json.loads(line) for line in PERSONS.read_text().splitlines()[:2]]
    _wait_at_the_counter(town, people[1]["burgerservicenummer"])
    teller.say(
        "Rental registration, a change of address and debt help came by too; a neighbour waits at the counter."
    )
    person = people[0]
    birth = person["geboorte"]["datum"]["datum"]
    return Living(request, person["burgerservicenummer"], person["naam"]["geslachtsnaam"], birth)


def _grant(town: FacesTown, service: str, case: str, *options: str) -> str:
    """A standing agreement; its id as the agency knows it."""
    ask = town.regie("agency", "verifier", "ask", service, "--case", case).answer
    town.regie(RESIDENT, "wallet", "grant", ask["request"], *options, "--yes")
    return str(ask["id"])


def _wait_at_the_counter(town: FacesTown, bsn: str) -> None:
    """The neighbour's address is under investigation: the wallet is told to come back."""
    town.regie("issuer", "issuer", "hold", "--bsn", "-", "--reason", "adres in onderzoek", stdin=bsn)
    town.make_wallet(NEIGHBOUR)
    offer = town.regie("issuer", "issuer", "offer", "--bsn", "-", "--credential", "adres", stdin=bsn).answer
    town.regie(NEIGHBOUR, "wallet", "receive", offer["offer"], "--tx-code", offer["tx_code"], expect=None)


def tour(town: FacesTown, living: Living) -> str:
    """The guided tour, as printed."""
    wallet, console = town.wallet(RESIDENT), town.console()
    day, month, year = living.birth[8:], living.birth[5:7], living.birth[:4]
    home = town.at(RESIDENT)
    return f"""
FOUR FACES (all on this machine; stop with Ctrl-C)

  Resident   {wallet.launch}
             Opens once. Unlock with: {PASSPHRASE}
  Agency     {town.desk}
             Sign in as {ACCOUNTS["clerk"]} (clerk), {ACCOUNTS["manager"]} (manager),
             {ACCOUNTS["privacy"]} (privacy officer).
  Issuer     {town.counter}
             Sign in as {ACCOUNTS["clerk"]} (clerk) or {ACCOUNTS["manager"]} (manager).
  Auditor    {console.launch}
             Opens once.

A TOUR IN TEN STEPS

  1. Resident: unlock. Look at the cards, and at who has your postcode now.
  2. Resident: open "Activities". The parking permit was read once, stopped, and refused afterwards.
  3. Agency, as clerk: open the agreement of case H-2026-118 and read the street. A reason is asked first.
  4. Resident: the new read is there within seconds. Stop that agreement.
  5. Agency: the page you left open goes blank. Read again: refused.
  6. Resident: paste this request of debt help, and leave out the children.
     {living.request}
  7. Agency, as privacy officer: somebody asks for erasure. Answer before the clock runs out.
  8. Issuer, as clerk: find {living.surname}, born {day}-{month}-{year} (BSN {living.bsn}). Give a card: the
     resident scans the picture, or pastes the link, and types the code.
  9. Issuer, as manager: a neighbour's record is held. Look, then approve or refuse.
 10. Auditor: look at the overview, check the log's proofs, and open the case file of the agreement you stopped.

COMMANDS BY HAND

  export REGIE_LOOPBACK=1 REGIE_PASSPHRASE_FILE={town.passphrase}
  regie wallet open --home {home}          (a new address for the resident's browser)
  regie wallet history --home {home}       (lock the wallet in the browser first)
"""
