"""C2SP tlog-policy: whose cosignatures make a checkpoint believable.

A policy names logs, witnesses, groups with a threshold, and one quorum. Each key counts once, and each name stands
in at most one group, so that no witness weighs double. **Ours**: a quorum has a time, and readers ask it fresh.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache

from protocol.checkpoint import VerifiedCheckpoint, parse_checkpoint_body, verify_checkpoint
from protocol.errors import Rejected
from protocol.log_keys import LogKey, LogKeys, check_signed, keys_of
from protocol.note import SignatureType, VerifierKey, decode_decimal, parse_note, parse_vkey, verify_signatures

MAX_POLICY_BYTES = 64 * 1024
MAX_LOGS = MAX_WITNESSES = MAX_GROUPS = 32
"""What the specification strongly recommends to support; more would need a reason."""
MAX_AGE = 60
"""Seconds: how old a quorum may be when an agency relies on it (protocol section 6)."""
MAX_CLOCK_SKEW = 30
"""Seconds: how far ahead of us a witness's clock may run before its cosignature does not count."""
NO_QUORUM = "none"
_REMEMBERED_NOTES = 256
_ABSENT = -1


@dataclass(frozen=True)
class PolicyLog:
    """A log that the policy accepts."""

    key: VerifierKey
    url: str | None


@dataclass(frozen=True)
class PolicyWitness:
    """A witness; `name` has meaning within the policy only."""

    name: str
    key: VerifierKey
    url: str | None


@dataclass(frozen=True)
class PolicyGroup:
    """Has witnessed what at least `threshold` of its members have."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """A parsed policy. Two policies are equal when their texts are."""

    text: str
    logs: tuple[PolicyLog, ...] = field(compare=False)
    witnesses: tuple[PolicyWitness, ...] = field(compare=False)
    groups: tuple[PolicyGroup, ...] = field(compare=False)
    quorum: str = field(compare=False)

    def quorum_time(self, times: Mapping[str, int]) -> int | None:
        """The latest moment at which a whole quorum had cosigned; None without a quorum.

        `times`: witness name to the time of its verified cosignature. A group's time is that of its k-th latest
        member, so the answer grows old when the weakest needed member does.
        """
        seen = {witness.name: times.get(witness.name, _ABSENT) for witness in self.witnesses}
        for group in self.groups:
            seen[group.name] = sorted((seen[name] for name in group.members), reverse=True)[group.threshold - 1]
        time = seen[self.quorum]
        return None if time == _ABSENT else time


@dataclass(frozen=True)
class VerifiedQuorum:
    """A checkpoint that a quorum cosigned. `time`: POSIX seconds, None when the policy asks for no witness."""

    checkpoint: VerifiedCheckpoint
    time: int | None
    witnesses: tuple[str, ...]


class _Reader:
    """What the lines of a policy have defined so far."""

    def __init__(self) -> None:
        self.logs: list[PolicyLog] = []
        self.witnesses: list[PolicyWitness] = []
        self.groups: list[PolicyGroup] = []
        self.names: set[str] = set()
        self.members: set[str] = set()
        self.quorum: str | None = None

    def line(self, words: list[str]) -> None:
        """One line that is neither empty nor a comment. Raises `Rejected`: `bad_policy`, `bad_vkey`."""
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                self._log(parse_vkey(vkey), url)
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._witness(name, parse_vkey(vkey), url)
            case ["group", name, threshold, *members] if members:
                self._group(name, threshold, members)
            case ["quorum", name]:
                if self.quorum is not None or (name != NO_QUORUM and name not in self.names):
                    raise Rejected("bad_policy", "one quorum line names what was defined before it")
                self.quorum = name
            case _:
                raise Rejected("bad_policy", "not a line of a policy")

    def _log(self, key: VerifierKey, url: list[str]) -> None:
        if key.type is SignatureType.COSIGNATURE or len(self.logs) == MAX_LOGS:
            raise Rejected("bad_policy", "too many logs, or not a key that signs checkpoints")
        if any(log.key.public == key.public for log in self.logs):
            raise Rejected("bad_policy", "two logs share a key")
        self.logs.append(PolicyLog(key, url[0] if url else None))

    def _witness(self, name: str, key: VerifierKey, url: list[str]) -> None:
        if key.type is SignatureType.ED25519 or len(self.witnesses) == MAX_WITNESSES:
            raise Rejected("bad_policy", "too many witnesses, or not a key that cosigns")
        if any(witness.key.public == key.public for witness in self.witnesses):
            raise Rejected("bad_policy", "two witnesses share a key")
        self._define(name)
        self.witnesses.append(PolicyWitness(name, key, url[0] if url else None))

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        if len(self.groups) == MAX_GROUPS:
            raise Rejected("bad_policy", "too many groups")
        for member in members:
            if member not in self.names or member in self.members:
                raise Rejected("bad_policy", "a member is defined before its group and stands in one group")
            self.members.add(member)
        known = {"all": len(members), "any": 1}
        try:
            needed = known[threshold] if threshold in known else decode_decimal(threshold, below=len(members) + 1)
        except Rejected as error:
            raise Rejected("bad_policy", "threshold is not a number up to the number of members") from error
        if needed == 0:
            raise Rejected("bad_policy", "threshold is at least 1")
        self._define(name)
        self.groups.append(PolicyGroup(name, needed, tuple(members)))

    def _define(self, name: str) -> None:
        if name == NO_QUORUM or name in self.names:
            raise Rejected("bad_policy", "name is taken")
        self.names.add(name)


@lru_cache(maxsize=64)
def parse_policy(text: str) -> Policy:
    """A policy file. Raises `Rejected`: `too_large`, `bad_policy`, `bad_vkey`."""
    if len(text) > MAX_POLICY_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_POLICY_BYTES:
        raise Rejected("too_large", f"policy is larger than {MAX_POLICY_BYTES} bytes")
    if any((char < " " and char not in "\t\n") or char == "\x7f" for char in text):
        raise Rejected("bad_policy", "policy holds control characters")
    if not text.endswith("\n"):
        raise Rejected("bad_policy", "last line is not ended")
    reader = _Reader()
    for line in text.split("\n"):
        # Only space and tab separate: a non-ASCII space is part of a name.
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if words and not words[0].startswith("#"):
            reader.line(words)
    if reader.quorum is None:
        raise Rejected("bad_policy", "policy has no quorum line")
    return Policy(text, tuple(reader.logs), tuple(reader.witnesses), tuple(reader.groups), reader.quorum)


@dataclass(frozen=True)
class _Signatures:
    """What does not depend on the clock: who signed, and the times of cosignatures by witness name."""

    checkpoint: VerifiedCheckpoint
    keys: Set[VerifierKey]
    times: Mapping[str, int]

    def counted(self, now: int) -> dict[str, int]:
        """Times of cosignatures, without those from a clock that runs too far ahead."""
        return {name: time for name, time in self.times.items() if time <= now + MAX_CLOCK_SKEW}


@lru_cache(maxsize=_REMEMBERED_NOTES)
def _verify_signatures(policy: Policy, note: str, log_keys: tuple[VerifierKey, ...]) -> _Signatures:
    """Every line by one of `log_keys` or a witness of the policy, verified. Raises `Rejected`: `wrong_origin`."""
    parsed = parse_note(note)
    checkpoint = parse_checkpoint_body(parsed.body)
    trusted = [key for key in log_keys if key.name == checkpoint.origin]
    if not trusted:
        raise Rejected("wrong_origin", "checkpoint is of another log")
    keys = [*trusted, *(witness.key for witness in policy.witnesses)]
    times = {found.key: found.time for found in verify_signatures(parsed.body, parsed.signatures, keys)}
    return _Signatures(
        VerifiedCheckpoint(checkpoint.origin, checkpoint.size, checkpoint.root, note),
        times.keys() & set(trusted),
        {witness.name: time for witness in policy.witnesses if (time := times.get(witness.key)) is not None},
    )


def satisfied(
    policy: Policy,
    note: str,
    now: int,
    max_age: int | None = MAX_AGE,
    *,
    log_keys: Sequence[LogKey] | None = None,
) -> VerifiedQuorum:
    """The checkpoint in `note`, once its log signed it and a quorum cosigned it.

    1. form; origin is the name of a log (`log_keys`, or the logs of the policy); 2. that log signed, with one key
    of each kind that it has; 3. every cosignature by a witness of the policy verifies, each key counts once, none
    from a clock more than `MAX_CLOCK_SKEW` ahead; 4. the quorum is met, 5. at most `max_age` seconds ago.
    With None for `max_age` it is looked back: a quorum of any time, by the keys and the policy of that time (what
    is retired counts until it was). Signatures are checked once for the same bytes; 4 and 5 always.
    Raises `Rejected`: `no_quorum`, `stale_checkpoint`, and those of `verify_note` and `verify_checkpoint`.
    """
    logs = [keys_of(log.key) for log in policy.logs] if log_keys is None else [keys_of(log) for log in log_keys]
    try:
        return _satisfied_now(policy, note, now, max_age, logs)
    except Rejected:
        found = None if max_age is not None else _satisfied_then(policy, note, now, logs)
        if found is None:
            raise
        return found


def _satisfied_now(
    policy: Policy, note: str, now: int, max_age: int | None, logs: Sequence[LogKeys]
) -> VerifiedQuorum:
    current = tuple(key for log in logs for key in log.current)
    found = _verify_signatures(policy, note, current)
    _check_any_signed(found, logs)
    counted = found.counted(now)
    if policy.quorum == NO_QUORUM:
        if max_age is not None:
            raise Rejected("no_quorum", "a policy without witnesses cannot tell how fresh a checkpoint is")
        return VerifiedQuorum(found.checkpoint, None, tuple(counted))
    time = policy.quorum_time(counted)
    if time is None:
        raise Rejected("no_quorum", "checkpoint lacks a quorum of witnesses")
    if max_age is not None and time < now - max_age:
        raise Rejected("stale_checkpoint", f"a quorum saw this checkpoint more than {max_age} seconds ago")
    return VerifiedQuorum(found.checkpoint, time, tuple(counted))


def _check_any_signed(found: _Signatures, logs: Sequence[LogKeys]) -> None:
    """Of the logs of this name one signed with each kind of key that it has now."""
    refusal = Rejected("unknown_key", "checkpoint is not signed by its log")
    for log in logs:
        if log.name == found.checkpoint.origin:
            try:
                return check_signed(found.keys, log.current, {key.type for key in log.current})
            except Rejected as error:
                refusal = error
    raise refusal


def _satisfied_then(policy: Policy, note: str, now: int, logs: Sequence[LogKeys]) -> VerifiedQuorum | None:
    """The same under the present policy or one before it, with the keys that were in use at the quorum's time."""
    for log in logs:
        if not log.retired and not log.former:
            continue
        for text, until in ((policy.text, now + MAX_CLOCK_SKEW), *log.former):
            try:
                return _quorum_until(parse_policy(text), note, now, log, until)
            except Rejected:
                continue
    return None


def _quorum_until(policy: Policy, note: str, now: int, log: LogKeys, until: int) -> VerifiedQuorum:
    """A quorum of `policy` at a time up to `until`. Raises `Rejected`.

    Kinds of keys that the log did not have then, by its lines in the policy of that time, are not asked of it.
    """
    found = _verify_signatures(policy, note, log.every)
    counted = found.counted(now)
    time = policy.quorum_time(counted) if policy.quorum != NO_QUORUM else None
    if time is None or time > until:
        raise Rejected("no_quorum", "checkpoint lacks a quorum of its time")
    named = {entry.key.type for entry in policy.logs if entry.key.name == log.name}
    check_signed(found.keys, log.counted_at(time), named or {key.type for key in log.current})
    return VerifiedQuorum(found.checkpoint, time, tuple(counted))


def verify_kept_checkpoint(policy: Policy, note: str, now: int, log: LogKeys) -> VerifiedCheckpoint:
    """A checkpoint that somebody kept, as evidence of what the log said: 1. signed with the log's present keys,
    with or without a quorum; or 2. cosigned by a quorum while the keys that signed it were in use.

    Raises `Rejected` as `verify_checkpoint` does.
    """
    try:
        return verify_checkpoint(note, log)  # 1.
    except Rejected:
        found = _satisfied_then(policy, note, now, [log])  # 2.
        if found is None:
            raise
        return found.checkpoint
