"""A parking permit, the main story: issue, ask, grant, read one attribute of three, revoke, refuse, audit."""

import json

from examples.founding import PERSONS, Teller, Town, verdict_words


def main_story(town: Town, tell: Teller) -> None:
    """Issue, ask, grant, read, revoke, refuse, audit. Raises on anything that does not go as told."""
    bsn = json.loads(PERSONS.read_text().splitlines()[0])["burgerservicenummer"]
    town.open_wallet("resident", bsn)
    cards = town.regie("resident", "wallet", "cards").answer["cards"]
    tell.say(f"The resident holds {len(cards)} cards, signed by Gemeente Voorbeeldstad, in an encrypted wallet.")
    ask = town.regie("agency", "verifier", "ask", "parkeervergunning", "--case", "Z-2026-0042").answer
    town.regie("resident", "wallet", "inspect", ask["request"])
    grant = town.regie("resident", "wallet", "grant", ask["request"], "--yes").answer
    tell.say(
        "The agency asks for three attributes; the resident grants standing access. Nothing was readable so far."
    )
    tell.say(f"The log gave a receipt: entry {grant['index']}, cosigned by a witness and an auditing cosigner.")
    read = town.regie(
        "agency", "verifier", "read", ask["id"], "--only", "postcode", "--case", "Z-2026-0042"
    ).answer
    tell.say(f"The agency reads exactly one attribute of the three: {read['values']} (log entry {read['index']}).")
    tell.say(f"The register's warnings travel with it: {read['flags']}.")
    events = town.regie("resident", "wallet", "history").answer["events"]
    seen = [event for event in events if event["kind"] == "read"]
    tell.say(f"The resident's history names the read, verified in the log: {seen[-1]['attributes']}.")
    stopped = town.regie("resident", "wallet", "revoke", grant["id"]).answer
    tell.say(f"The resident stops the agreement: {stopped['state']}.")
    refused = town.regie(
        "agency", "verifier", "read", ask["id"], "--only", "huisnummer", "--case", "Z-2026-0042", expect=1
    )
    tell.say(f"The agency tries once more and is refused: {refused.code}.")
    if refused.code != "revoked":
        raise AssertionError("a read after the revocation must be refused as revoked")
    verdict = town.audit().answer
    tell.say(f"The auditor replays {verdict['size']} entries: {verdict_words(verdict)}.")
    evidence = town.home / "evidence.db"
    town.regie("agency", "verifier", "evidence", str(evidence))
    town.regie("auditor", "auditor", "check", str(evidence))
    tell.say("The agency's evidence file agrees with the log.")
