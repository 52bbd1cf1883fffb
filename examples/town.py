"""A town on your own machine: `make demo`.

Founds a trust list, an issuer with test persons, a witness, an auditing cosigner, the consent log, an agency and a
wallet, each a process or home of its own; tells the main story from issue to audit and lets the log lie.
`--stay` tells a longer story instead, opens the four faces on it (wallet, desk, counter, console) and prints their
addresses with a guided tour.
"""

import argparse
import contextlib
import json
import signal
from typing import Any

from examples import living_town, within
from examples.faces import FacesTown
from examples.founding import Teller, Town, town_for_a_story
from examples.hidden_read import three_lies
from examples.parking import main_story
from examples.processes import run


def addresses(town: Town) -> dict[str, Any]:
    """Where everything is, for people and scripts that want to go on by themselves."""
    trusted = json.loads((town.home / "entry-log.json").read_text())
    homes = ("registrar", "issuer", "log", "witness", "cosigner", "agency", "resident", "auditor")
    return {
        "roles": {name: {"home": str(town.at(name)), "url": town.urls.get(name)} for name in homes},
        "log_vkey": trusted["vkey"],
        "trust_list": town.trust[1],
        "passphrase_file": str(town.passphrase),
    }


def faces(town: FacesTown) -> dict[str, str]:
    """Where each face is. Those of a user's own machine open once."""
    return {
        "wallet": town.wallet(living_town.RESIDENT).launch,
        "desk": town.desk,
        "counter": town.counter,
        "console": town.console().launch,
    }


def main() -> None:
    """The demo. Ends with exit status 0 when everything went as told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stay", action="store_true", help="keep the town running, with its faces and a tour")
    parser.add_argument("--json", action="store_true", help="with --stay: addresses as one line of JSON")
    parser.add_argument("--inside", action="store_true", help="run commands in this process: faster")
    options = parser.parse_args()
    tell = Teller(quiet=options.json)
    if options.stay:
        with living_town.running(tell) as (town, living):
            stay(town, living, as_json=options.json)
        return
    with town_for_a_story(tell, command=within.run if options.inside else run) as plain:
        main_story(plain, tell)
        three_lies(plain, tell)
        tell.say("Done. Every step above ran between real processes; nothing is left running.")


def stay(town: FacesTown, living: living_town.Living, *, as_json: bool) -> None:
    """Print where everything is and wait for an interrupt."""
    if as_json:
        print(json.dumps({**addresses(town), "faces": faces(town), "request": living.request}), flush=True)
    else:
        words = living_town.tour(town, living)
        for name, role in addresses(town)["roles"].items():
            print(f"  {name:10} {role['url'] or '-':24} REGIE_HOME={role['home']}")
        print(words, flush=True)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        signal.pause()


if __name__ == "__main__":
    main()
