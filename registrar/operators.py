"""Who holds the shares of a log's grants instead of the log: the rules of what may be listed (pure)."""

from collections.abc import Sequence

import msgspec

from protocol.canonical import b64u_decode
from protocol.errors import Rejected
from protocol.seal import KEM_PUBLIC_BYTES, parse_kem_public
from protocol.trust_list import LogOperators, TrustedLog, TrustedWitness


def operators_of(needed: int | None, names: Sequence[str]) -> LogOperators | None:
    """What `set-operators` was given; None for none. Raises `Rejected`: `bad_needed`, `duplicate_operator`."""
    if not names and needed is None:
        return None
    if needed is None or not 1 <= needed <= len(names):
        raise Rejected("bad_needed", "as many operators are needed as are named, or fewer, and one at least")
    if len(set(names)) != len(names):
        raise Rejected("duplicate_operator", "an operator is named twice")
    return LogOperators(needed=needed, members=list(names))


def with_operators(
    logs: Sequence[TrustedLog], witnesses: Sequence[TrustedWitness], origin: str, operators: LogOperators | None
) -> list[TrustedLog]:
    """The logs, with these operators for the one of this origin.

    Grants that were made before keep the operators that their terms name. Raises `Rejected`: `not_listed` and
    those of `check_operators`.
    """
    if all(log.origin != origin for log in logs):
        raise Rejected("not_listed", "no log of this origin is in the draft")
    changed = [msgspec.structs.replace(log, operators=operators) if log.origin == origin else log for log in logs]
    for log in changed:
        check_operators(log, witnesses)
    return changed


def check_operators(log: TrustedLog, witnesses: Sequence[TrustedWitness]) -> None:
    """Every member is a listed auditing cosigner with a key for deposits, and nobody else's.

    One key twice would make two operators of one, who then knows as much as two.
    Raises `Rejected`: `operator_not_listed`, `operator_not_auditing`, `no_deposit_key`, `bad_key`,
    `same_deposit_key`.
    """
    if log.operators is None:
        return
    listed = {witness.name: witness for witness in witnesses}
    keys = set()
    for name in log.operators.members:
        witness = listed.get(name)
        if witness is None:
            raise Rejected("operator_not_listed", "an operator is no listed cosigner")
        if not witness.auditing:
            raise Rejected("operator_not_auditing", "an operator replays, and this witness does not")
        if witness.deposit_key is None:
            raise Rejected("no_deposit_key", "an operator has no key for deposits: it was not made with --shares")
        parse_kem_public(b64u_decode(witness.deposit_key, max_bytes=KEM_PUBLIC_BYTES))
        keys.add(witness.deposit_key)
    if len(keys) != len(log.operators.members):
        raise Rejected("same_deposit_key", "two operators have one key")
