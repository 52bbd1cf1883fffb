"""Three operators hold the keys, two are enough: no single party, not even the log with the agency, opens a thing.

`python -m examples.two_of_three`
"""

import json
from typing import Any

from examples import within
from examples.founding import PERSONS, Teller, Town, town_for_a_story, verdict_words

CASE = "Z-2026-0042"


def story(town: Town, tell: Teller) -> list[dict[str, Any]]:
    """Grant, read, read with one operator down, refuse with two down, read again; what the three reads gave."""
    bsn = json.loads(PERSONS.read_text().splitlines()[0])["burgerservicenummer"]
    town.open_wallet("resident", bsn, ("persoon", "adres"))
    ask = town.regie("agency", "verifier", "ask", "parkeervergunning", "--case", CASE).answer
    town.regie("resident", "wallet", "grant", ask["request"], "--yes")
    tell.say("The wallet dealt the keys over three operators. The log that keeps the entries holds none of them.")
    read = ("verifier", "read", ask["id"], "--only", "postcode", "--case", CASE)
    answers = [town.regie("agency", *read).answer]
    tell.say(f"The agency reads {answers[0]['values']}: each operator looked for the entry itself before it gave.")
    town.servers["operator0"].kill()
    answers.append(town.regie("agency", *read).answer)
    tell.say(f"One operator is down, and the agency reads {answers[1]['values']}.")
    town.servers["operator1"].kill()
    refused = town.regie("agency", *read, expect=3)
    tell.say(f"Two are down, and nobody reads: {refused.code}.")
    town.servers["operator1"].start()
    answers.append(town.regie("agency", *read).answer)
    tell.say(f"One is back; the same entry counts, and the agency reads {answers[2]['values']}.")
    town.servers["operator0"].start()
    tell.say(f"The auditor finds: {verdict_words(town.audit().answer)}.")
    return answers


def main() -> None:
    """The story in a town of its own."""
    tell = Teller()
    with town_for_a_story(tell, operators=(2, 3), command=within.run) as town:
        story(town, tell)


if __name__ == "__main__":
    main()
