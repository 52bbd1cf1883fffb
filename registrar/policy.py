"""The tlog-policy that a listed log gets: whose cosignatures make its checkpoints believable.

Witnesses and auditing cosigners form a group each, and the quorum needs a majority of both. Two majorities of one
group always share a member: so a stop that a majority of the auditing cosigners keeps is in every quorum, and no
two quorums can believe two histories without a witness that signed both.
"""

from collections.abc import Sequence

from protocol.errors import Rejected
from protocol.policy import parse_policy
from protocol.trust_list import TrustedLog, TrustedWitness


def default_policy(log: TrustedLog, witnesses: Sequence[TrustedWitness]) -> str:
    """The policy text for `log`; empty without any witness. Raises `Rejected`: `bad_policy`."""
    if not witnesses:
        return ""
    plain = [entry for entry in witnesses if not entry.auditing]
    auditing = [entry for entry in witnesses if entry.auditing]
    groups = [(name, members) for name, members in (("witnesses", plain), ("auditors", auditing)) if members]
    lines = [f"log {log.vkey} {log.url}"]
    lines += [f"witness {entry.name} {entry.vkey} {entry.url}" for entry in witnesses]
    for name, members in groups:
        names = " ".join(entry.name for entry in members)
        lines.append(f"group {name} {len(members) // 2 + 1} {names}")
    if len(groups) == 2:
        lines.append("group quorum all witnesses auditors")
    lines.append(f"quorum {'quorum' if len(groups) == 2 else groups[0][0]}")
    text = "\n".join(lines) + "\n"
    check_policy(log, text)
    return text


def check_policy(log: TrustedLog, text: str) -> None:
    """A policy names the log it is for, by its listed key. Raises `Rejected`: `bad_policy`, `bad_vkey`."""
    policy = parse_policy(text)
    if [str(entry.key) for entry in policy.logs] != [log.vkey]:
        raise Rejected("bad_policy", "the policy is not for this log's key alone")
