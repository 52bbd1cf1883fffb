"""Debt help: a resident who does not manage the mail lets a helper look along, and stops with a slip of paper.

Debt help reads the family card, each time with a case number. The phone is lost halfway: the paper receipt stops
the agreement from somebody else's machine, without the wallet, its passphrase or an account.
"""

import json

from examples import within
from examples.founding import PERSONS, Teller, Town, town_for_a_story, verdict_words
from examples.services import DEBT_HELP


def story(town: Town, tell: Teller) -> None:
    """From the first talk to the slip of paper. Raises when a step does not go as told."""
    bsn = json.loads(PERSONS.read_text().splitlines()[0])["burgerservicenummer"]
    town.open_wallet("resident", bsn)
    ask = town.regie("agency", "verifier", "ask", "schuldhulpverlening", "--case", "S-77").answer
    grant = town.regie("resident", "wallet", "grant", ask["request"], "--yes").answer
    tell.say(f"The resident agrees, and keeps a slip of paper: {grant['code']}")
    town.regie("agency", "verifier", "read", ask["id"], "--only", "burgerlijkeStaat", "--case", "S-77")
    elsewhere = town.regie(
        "agency", "verifier", "read", ask["id"], "--only", "kinderen", "--case", "S-78", expect=1
    )
    tell.say(f"The helper reads under the case of this talk; under another case it is refused: {elsewhere.code}.")

    tell.say("The phone is lost. At the library the resident types the digits from the paper.")
    town.make_wallet("library")
    stopped = town.regie("library", "wallet", "revoke", "--code", "-", stdin=grant["code"])
    refused = town.regie("agency", "verifier", "read", ask["id"], "--only", "kinderen", "--case", "S-77", expect=1)
    tell.say(f"The agreement is stopped ({stopped.answer['state']}), and the helper is refused: {refused.code}.")
    if (elsewhere.code, refused.code) != ("other_case", "revoked"):
        raise AssertionError("another case and a stopped agreement must be refused by name")

    found = town.regie("resident", "wallet", "history").answer["events"]
    kinds = [event["kind"] for event in found]
    tell.say(f"On a new phone the history shows everything, also what was refused: {', '.join(kinds)}.")
    verdict = town.audit().answer
    tell.say(f"Audit: {verdict_words(verdict)}.")


def main() -> None:
    """Found a town, tell the story, leave nothing behind."""
    tell = Teller()
    with town_for_a_story(tell, [DEBT_HELP], command=within.run) as town:
        story(town, tell)


if __name__ == "__main__":
    main()
