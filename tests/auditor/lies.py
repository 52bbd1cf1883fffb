"""Histories that lie, each in one way, and what is found in them: for tests that convict and tests that try to.

Import as `from tests.auditor import lies`.
"""

from functools import cache
from typing import Any

from auditor.findings import Finding
from auditor.integrity import check_history
from auditor.openings import check_openings
from auditor.prove import Case, prove, prove_two
from auditor.proving_tree import ProvingTree
from protocol.canonical import b64u_encode, sha256
from protocol.checkpoint import Checkpoint, VerifiedCheckpoint, sign_checkpoint, verify_checkpoint
from protocol.fraud import Accused, VerifiedFraud, verify_fraud_proof
from protocol.fraud_form import (
    EntryChanged,
    FraudEvidence,
    OverdueRevocation,
    encode_fraud_proof,
    make_fraud_proof,
    parse_fraud_proof,
)
from protocol.leaf import Grant, Head, Read, Revocation
from protocol.note import NoteSigner
from protocol.receipt import make_revocation_receipt
from tests.auditor.history import History, honest, listed, lock_of_town, read_id, revocation_of
from tests.oracle_tree import NaiveTree
from tests.protocol import builders, granting
from tests.protocol.builders import LOG_ORIGIN, NOW
from tests.protocol.granting import HUISNUMMER, POLICY, POSTCODE, SURNAME

RECEIPTS = NoteSigner(f"{LOG_ORIGIN}/receipts", builders.LOG_KEY)
ACCUSED = Accused(granting.LOG_KEY, POLICY, RECEIPTS.key)


def convict(evidence: FraudEvidence | None, accused: Accused = ACCUSED, now: int = NOW) -> VerifiedFraud:
    """What anybody makes of the file."""
    assert evidence is not None
    data = encode_fraud_proof(make_fraud_proof(LOG_ORIGIN, evidence))
    return verify_fraud_proof(parse_fraud_proof(data), accused, now)


def case_of(history: History, chunks: Any = lambda number: None) -> tuple[Case, list[Finding]]:
    """The signed tree and everything that an auditor finds in it."""
    checkpoint = history.checkpoint()
    leaves = list(history.log.leaves)
    findings = [*check_history(checkpoint, leaves, POLICY, [], NOW).findings]
    findings += check_openings(leaves, history.openings, listed)
    case = Case.of(checkpoint, leaves, history.openings, chunks)
    assert case is not None
    return case, findings


def proven(history: History, code: str, chunks: Any = lambda number: None) -> VerifiedFraud:
    case, findings = case_of(history, chunks)
    found = [finding for finding in findings if finding.code == code]
    assert found, findings
    return convict(prove(case, found[0]))


# -- lies that leaves show ----------------------------------------------------------------------------------------


def slot_taken_again(history: History) -> str:
    history.log.append(Grant(1, bytes(32), bytes(32)))
    return "replay_slot"


def slot_left_out(history: History) -> str:
    history.log.append(Grant(7, bytes(32), bytes(32)))
    return "replay_slot"


def lock_taken_again(history: History) -> str:
    history.log.append(Grant(2, lock_of_town(history), bytes(32)))
    return "replay_lock_reused"


def revocation_without_secret(history: History) -> str:
    history.log.append(Revocation(0, 0, bytes(32)))
    return "replay_wrong_secret"


def revocation_of_a_read(history: History) -> str:
    history.log.append(Revocation(2, 1, bytes(32)))
    return "replay_unknown_grant"


def revocation_of_what_will_come(history: History) -> str:
    history.log.append(Revocation(1000, 1, bytes(32)))
    return "replay_unknown_grant"


def second_revocation(history: History) -> str:
    history.log.append(revocation_of(history))
    return "replay_revoked_twice"


def head_elsewhere(history: History) -> str:
    history.log.append(Head(1, 2, history.log.status.root()))
    return "replay_head_position"


def head_with_too_few(history: History) -> str:
    history.log.append(Head(len(history.log.leaves), 1, history.log.status.root()))
    return "replay_head_slots"


def head_with_too_many(history: History) -> str:
    history.log.append(Head(len(history.log.leaves), 3, history.log.status.root()))
    history.log.grant(granting.terms(lock=b64u_encode(bytes(32))))
    return "replay_head_slots"


def leaf_of_no_form(history: History) -> str:
    history.log.leaves.append(b"\xff nonsense")
    return "replay_leaf"


def revocation_hidden(history: History) -> str:
    history.log.status = History().log.status
    return "replay_head_status"


def revocation_invented(history: History) -> str:
    history.log.status.revoke(0)
    return "replay_head_status"


def read_late(history: History) -> str:
    history.read(2)
    return "read_after_revocation"


def number_used_again(history: History) -> str:
    history.read(1, read_id=read_id(9))
    return "gap_in_n"


LIES = {
    slot_taken_again: "slot_reused",
    slot_left_out: "slot_skipped",
    lock_taken_again: "lock_reused",
    revocation_without_secret: "forced_revocation",
    revocation_of_a_read: "forced_revocation",
    revocation_of_what_will_come: "bad_leaf",
    second_revocation: "revoked_twice",
    head_elsewhere: "bad_leaf",
    head_with_too_few: "head_slots",
    head_with_too_many: "head_slots",
    leaf_of_no_form: "bad_leaf",
    revocation_hidden: "hidden_revocation",
    revocation_invented: "transcript",
    read_late: "read_after_revocation",
    number_used_again: "number_reused",
}


def with_reads() -> History:
    history = History()
    history.read(0)
    return history


def other_history(size: int) -> VerifiedCheckpoint:
    other = History()
    for n in range(size - 3):
        other.read(5 + n)
    return other.checkpoint()


def promise(history: History, time: int, cosigned: int, *, lock: bytes | None = None) -> OverdueRevocation:
    receipt = make_revocation_receipt(LOG_ORIGIN, lock or lock_of_town(history), time, RECEIPTS)
    note = history.log.publish(cosigned)
    evidence = history.log.evidence(note, history.town.grant_index, history.town.slot)
    return OverdueRevocation(note, receipt, evidence.grant, evidence.head, evidence.status)


def sign(history: History) -> str:
    """What the log signs without a head."""
    tree = Checkpoint(
        LOG_ORIGIN, len(history.log.leaves), NaiveTree(history.log.leaves).root(len(history.log.leaves))
    )
    return sign_checkpoint(tree, [NoteSigner(LOG_ORIGIN, builders.LOG_KEY)])


def headless() -> FraudEvidence | None:
    """A signed tree that ends in a read."""
    history = honest()
    history.log.append(Read(bytes(16), sha256(b"x")))
    checkpoint = verify_checkpoint(sign(history), granting.LOG_KEY)
    case = Case.of(checkpoint, history.log.leaves)
    assert case is not None
    return prove(case, Finding("integrity", "checkpoint_without_head", ""))


def beyond() -> FraudEvidence | None:
    """A read of an attribute that was not granted."""
    history = History(places=[POSTCODE, HUISNUMMER])
    history.event("read", History().town.make_read(SURNAME), 0)
    return _prove(history, "read_out_of_scope")


def refused() -> FraudEvidence | None:
    """A refusal of a grant without limit, because its reads were spent."""
    history = History()
    history.refuse(0, "reads_spent")
    return _prove(history, "untrue_refusal")


def twice() -> FraudEvidence | None:
    """One READ with two entries."""
    history = History()
    history.read(0)
    history.read(1, read_id=read_id(0))
    return _prove(history, "read_booked_twice")


def two_trees() -> list[FraudEvidence | None]:
    """A fork, an inconsistency, and an entry that changed."""
    history = honest()
    mine = history.checkpoint()
    tree = ProvingTree(history.log.leaves)
    same, smaller = other_history(mine.size - 1), other_history(4)
    other = History()
    other.log.append(Grant(2, bytes(32), bytes(32)))
    theirs = other.checkpoint()
    changed = EntryChanged(mine.note, theirs.note, history.log.leaf_proof(3), other.log.leaf_proof(3))
    return [prove_two(mine, same, tree), prove_two(smaller, mine, tree), changed]


def _prove(history: History, code: str) -> FraudEvidence | None:
    case, findings = case_of(history)
    return prove(case, next(finding for finding in findings if finding.code == code))


@cache
def specimens() -> dict[str, FraudEvidence]:
    """One proof of each kind, by kind; each is true."""
    found = [headless(), beyond(), refused(), twice(), *two_trees()]
    found.append(promise(History(), NOW - 200, NOW))
    for lie in LIES:
        history = with_reads() if lie is revocation_of_a_read else honest()
        found.append(_prove(history, lie(history)))
    return {str(evidence.__struct_config__.tag): evidence for evidence in found if evidence is not None}
