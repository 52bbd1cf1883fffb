"""The log lies in three ways, and each lie is caught by name.

1. *A forked tree*: an old entry is changed. The witnesses refuse, and an auditor who saw the first tree says so.
2. *A read after the revocation*: hidden among honest entries, so that the witnesses cannot see it. The auditor
with the openings does.
3. *A hidden revocation*: the head shows a stopped grant as live. The auditing cosigner refuses, the auditor says
why.
"""

import json
import time

from examples.founding import ORIGIN, Teller, Town, town_for_a_story
from examples.lying_log import LyingLog
from examples.parking import main_story


def three_lies(town: Town, tell: Teller) -> None:
    """Needs a town in which something was read, revoked and refused. Stops its log. Raises if a lie goes
    unnoticed.
    """
    villain = steal(town)
    witnesses = [town.urls["witness"], town.urls["cosigner"]]
    villain.serve(town.urls["log"])
    try:
        tell.say("Now the log lies. Somebody stole its keys and serves a history of their own at its address.")
        fork(town, villain, witnesses, tell)
        late_read(town, villain, witnesses, tell)
        hidden_revocation(town, villain, witnesses, tell)
    finally:
        villain.close()


def steal(town: Town) -> LyingLog:
    """The honest log ends; its keys and openings are in the wrong hands."""
    town.audit()
    token = town.regie("log", "log", "auditor-token").answer["token"]
    villain = LyingLog.steal(ORIGIN, town.at("log"), town.urls["log"], token)
    while not any(opening["type"] == "refusal" for opening in villain.openings):
        time.sleep(0.1)  # until the witnesses have seen the last one: nobody waited for that
        villain = LyingLog.steal(ORIGIN, town.at("log"), town.urls["log"], token)
    town.servers["log"].stop()
    return villain


def fork(town: Town, villain: LyingLog, witnesses: list[str], tell: Teller) -> None:
    """Lie 1."""
    honest = list(villain.leaves)
    villain.change(villain.openings[0]["index"])
    villain.sign()
    refusals = [villain.ask_cosignature(witness, villain.honest_size) for witness in witnesses]
    expect(town, "forked", tell, f"A forked tree: an old entry was changed; the witnesses say {refusals}.")
    if "cosigned" in refusals:
        raise AssertionError("a fork must not be cosigned")
    villain.leaves = honest


def late_read(town: Town, villain: LyingLog, witnesses: list[str], tell: Teller) -> None:
    """Lie 2."""
    refused = next(opening for opening in villain.openings if opening["type"] == "refusal")
    villain.read_after_revocation(refused)
    villain.add_head()
    villain.sign()
    answers = [villain.ask_cosignature(witness, villain.honest_size) for witness in witnesses]
    expect(town, "read_after_revocation", tell, f"A read after the revocation: the witnesses say {answers}.")


def hidden_revocation(town: Town, villain: LyingLog, witnesses: list[str], tell: Teller) -> None:
    """Lie 3."""
    size = len(villain.leaves)
    villain.add_head(hide_revocations=True)
    villain.sign()
    answers = [villain.ask_cosignature(witness, size) for witness in witnesses]
    expect(town, "replay_head_status", tell, f"A hidden revocation: witness and auditing cosigner say {answers}.")
    if answers[-1] == "cosigned":
        raise AssertionError("an auditing cosigner must refuse a hidden revocation")


def expect(town: Town, code: str, tell: Teller, words: str) -> None:
    """The auditor must end with 1 and name the lie."""
    findings = town.audit(expect=1).answer["findings"]
    found = [finding["code"] for finding in findings]
    if code not in found:
        raise AssertionError(f"the auditor did not find {code}: {json.dumps(findings)}")
    tell.say(f"{words} The auditor: {code}.")


def main() -> None:
    """Found a town, tell the main story, then the three lies; leave nothing behind."""
    tell = Teller()
    with town_for_a_story(tell) as town:
        main_story(town, tell)
        three_lies(town, tell)


if __name__ == "__main__":
    main()
