"""A town on your own machine: `make demo`.

Founds a trust list, an issuer with test persons, a witness, an auditing cosigner, the consent log, an agency and a
wallet, each a process or home of its own; tells the main story from issue to audit and lets the log lie.
`--stay` keeps the town running after the main story and prints its addresses.
"""

import argparse
import contextlib
import json
import signal
from typing import Any

from examples.founding import Teller, Town, town_for_a_story
from examples.hidden_read import three_lies
from examples.parking import main_story


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


def main() -> None:
    """The demo. Ends with exit status 0 when everything went as told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stay", action="store_true", help="keep the town running and print its addresses")
    parser.add_argument("--json", action="store_true", help="with --stay: addresses as one line of JSON")
    options = parser.parse_args()
    tell = Teller(quiet=options.json)
    with town_for_a_story(tell) as town:
        main_story(town, tell)
        if options.stay:
            stay(town, as_json=options.json)
            return
        three_lies(town, tell)
        tell.say("Done. Every step above ran between real processes; nothing is left running.")


def stay(town: Town, *, as_json: bool) -> None:
    """Print where everything is and wait for an interrupt."""
    found = addresses(town)
    if as_json:
        print(json.dumps(found), flush=True)
    else:
        for name, role in found["roles"].items():
            print(f"  {name:10} {role['url'] or '-':24} REGIE_HOME={role['home']}")
        print("The town keeps running; press Ctrl-C to end it.", flush=True)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        signal.pause()


if __name__ == "__main__":
    main()
