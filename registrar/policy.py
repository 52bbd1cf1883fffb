"""The tlog-policy that a listed log gets: whose cosignatures make its checkpoints believable.

Witnesses and auditing cosigners form a group each, and the quorum needs a majority of both. Two majorities of one
group always share a member: so a stop that a majority of the auditing cosigners keeps is in every quorum, and no
two quorums can believe two histories without a witness that signed both. A witness with several keys is a group of
its own: of each kind (Ed25519, ML-DSA-44) one has to sign, and while two of a kind rotate either will do.
"""

from collections.abc import Sequence, Set

from protocol.errors import Rejected
from protocol.note import SignatureType, VerifierKey
from protocol.policy import parse_policy
from protocol.trust_list import TrustedLog, TrustedWitness
from registrar.keys import cosigner_keys, log_vkeys


def default_policy(
    log: TrustedLog, witnesses: Sequence[TrustedWitness], before: Sequence[TrustedWitness] = ()
) -> str:
    """The policy text for `log`; empty without any witness. Raises `Rejected`: `bad_policy`.

    `before`: the witnesses of the list signed last. A kind of key that a witness did not have there is named and
    not yet asked: a log keeps no line of a key that it does not know, and must know it before readers ask.
    """
    if not witnesses:
        return ""
    plain = [entry for entry in witnesses if not entry.auditing]
    auditing = [entry for entry in witnesses if entry.auditing]
    groups = [(name, members) for name, members in (("witnesses", plain), ("auditors", auditing)) if members]
    lines = [f"log {vkey} {log.url}" for vkey in log_vkeys(log)]
    listed = {entry.name: {key.type for key in cosigner_keys(entry)} for entry in before}
    for entry in witnesses:
        lines += _witness_lines(entry, listed.get(entry.name, set()))
    for name, members in groups:
        names = " ".join(entry.name for entry in members)
        lines.append(f"group {name} {len(members) // 2 + 1} {names}")
    if len(groups) == 2:
        lines.append("group quorum all witnesses auditors")
    lines.append(f"quorum {'quorum' if len(groups) == 2 else groups[0][0]}")
    text = "\n".join(lines) + "\n"
    check_policy(log, text)
    return text


def _witness_lines(witness: TrustedWitness, known: Set[SignatureType]) -> list[str]:
    """What defines the name of a witness: its key, or a group that has cosigned when one key of each kind has.

    The group counts once however many of its keys signed. The names inside have a plus, which no key name has.
    """
    keys = cosigner_keys(witness)
    if len(keys) == 1:
        return [f"witness {witness.name} {keys[0]} {witness.url}"]
    lines = [f"witness {_inner(key)} {key} {witness.url}" for key in keys]
    kinds = []
    for kind in _asked([key.type for key in keys], known):
        names = [_inner(key) for key in keys if key.type is kind]
        if len(names) > 1:
            kinds.append(f"{witness.name}+{kind:#04x}")
            lines.append(f"group {kinds[-1]} any {' '.join(names)}")
        else:
            kinds += names
    return [*lines, f"group {witness.name} all {' '.join(kinds)}"]


def _asked(kinds: Sequence[SignatureType], known: Set[SignatureType]) -> Sequence[SignatureType]:
    """Kinds of keys that have to sign: those that were listed before, all of a new witness."""
    return [kind for kind in dict.fromkeys(kinds) if kind in known] or list(dict.fromkeys(kinds))


def _inner(key: VerifierKey) -> str:
    return f"{key.name}+{key.key_id.hex()}"


def check_policy(log: TrustedLog, text: str) -> None:
    """A policy names the log it is for, by all its keys. Raises `Rejected`: `bad_policy`, `bad_vkey`."""
    policy = parse_policy(text)
    if {str(entry.key) for entry in policy.logs} != set(log_vkeys(log)):
        raise Rejected("bad_policy", "the policy is not for this log's keys alone")
