"""Each lie gives a file that convicts the log before anybody, and an honest log gives none, whatever is tried."""

from typing import Any

import pytest

from auditor.prove import Case, prove, prove_two
from auditor.proving_tree import ProvingTree
from protocol.checkpoint import ChunkProof
from protocol.consent_api import StatusChunkAnswer
from protocol.errors import Rejected
from protocol.fraud import Accused
from protocol.fraud_form import FraudEvidence
from protocol.note import NoteSigner, parse_vkey
from protocol.terms import Context
from tests.auditor import lies
from tests.auditor.history import History, honest, read_id
from tests.auditor.lies import LIES, RECEIPTS, case_of, convict, other_history, promise, proven, with_reads
from tests.oracle_tree import NaiveTree
from tests.protocol import builders, granting
from tests.protocol.builders import DAY, LOG_ORIGIN, NOW
from tests.protocol.granting import HUISNUMMER, POLICY, POSTCODE, SURNAME


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_lie_convicts_the_log(lie: Any) -> None:
    history = honest() if lie is not lies.revocation_of_a_read else with_reads()
    fraud = proven(history, lie(history))
    assert fraud.kind == LIES[lie]
    assert fraud.trees[0][1] == ("first", "audit") or len(fraud.trees[0][1]) == 2
    assert str(granting.CODE) not in fraud.text


# -- lies that openings show --------------------------------------------------------------------------------------


def beyond(code: str, history: History) -> None:
    fraud = proven(history, code)
    assert fraud.kind == "read_beyond_terms"


def test_read_outside_the_attributes_convicts() -> None:
    history = History(places=[POSTCODE, HUISNUMMER])
    history.event("read", History().town.make_read(SURNAME), 0)
    beyond("read_out_of_scope", history)


@pytest.mark.parametrize("iat", [NOW - 61, NOW + 200 * DAY + 60])
def test_read_outside_the_dates_convicts(iat: int) -> None:
    history = History()
    history.read(0, iat=iat)
    beyond("read_out_of_dates", history)


def test_one_read_too_many_convicts() -> None:
    history = History(max_reads=1)
    history.read(0)
    history.read(1)
    fraud = proven(history, "too_many_reads")
    assert "too_many_reads" in fraud.text


def test_read_from_a_place_that_was_not_granted_convicts() -> None:
    history = History(context=Context(zone="office"))
    history.read(0, zone="remote")
    beyond("read_out_of_context", history)


def test_read_that_is_booked_twice_convicts() -> None:
    history = History()
    history.read(0)
    history.read(1, read_id=read_id(0))
    assert proven(history, "read_booked_twice").kind == "read_booked_twice"


@pytest.mark.parametrize("reason", ["not_yet", "expired", "reads_spent", "out_of_context"])
def test_refusal_for_a_reason_that_is_not_true_convicts(reason: Any) -> None:
    history = History()
    history.refuse(0, reason)
    if reason == "not_yet":  # within the skew of clocks it may have been true
        _, findings = case_of(history)
        assert not [finding for finding in findings if finding.code == "untrue_refusal"]
        return
    assert proven(history, "untrue_refusal").kind == "untrue_refusal"


# -- two signed trees ---------------------------------------------------------------------------------------------


def test_two_trees_of_one_size_convict() -> None:
    history = honest()
    mine = history.checkpoint()
    theirs = other_history(mine.size - 1)
    assert theirs.size == mine.size
    fraud = convict(prove_two(mine, theirs, ProvingTree(history.log.leaves)))
    assert fraud.kind == "fork"


@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_two_trees_of_different_sizes_convict(size: int) -> None:
    history = honest()
    mine = history.checkpoint()
    theirs = other_history(size)
    tree = ProvingTree(history.log.leaves)
    if tree.root(size) != theirs.root:
        for pair in ((theirs, mine), (mine, theirs)):
            assert convict(prove_two(*pair, tree)).kind == "inconsistent"
    else:
        assert prove_two(theirs, mine, tree) is None


@pytest.mark.parametrize("extra", range(0, 600, 37))
def test_proving_tree_has_the_roots_of_the_tree(extra: int) -> None:
    leaves = [n.to_bytes(4, "big") for n in range(extra)]
    tree = ProvingTree(leaves)
    for size in {0, extra, extra // 2, min(extra, 256)}:
        assert tree.root(size) == NaiveTree(leaves).root(size)


# -- a promise that was broken ------------------------------------------------------------------------------------


def test_promise_that_was_not_kept_convicts() -> None:
    late = NOW + 60 + 30 + 1
    fraud = convict(promise(History(), NOW, late), now=late)
    assert fraud.kind == "overdue_revocation"
    assert "31 seconds" in fraud.text


@pytest.mark.parametrize("cosigned", [NOW, NOW + 60, NOW + 90])
def test_promise_whose_deadline_may_not_have_passed_convicts_nobody(cosigned: int) -> None:
    with pytest.raises(Rejected, match="not_shown"):
        convict(promise(History(), NOW, cosigned), now=cosigned)


def test_promise_that_was_kept_convicts_nobody() -> None:
    with pytest.raises(Rejected, match="not_shown"):
        convict(promise(honest(), NOW, NOW + 500), now=NOW + 500)


def test_attack_promise_about_another_grant() -> None:
    with pytest.raises(Rejected, match="bad_receipt"):
        convict(promise(History(), NOW, NOW + 500, lock=bytes(32)), now=NOW + 500)


def test_promise_is_not_judged_without_witnesses() -> None:
    for accused in (Accused(granting.LOG_KEY, POLICY), Accused(granting.LOG_KEY, None, RECEIPTS.key)):
        with pytest.raises(Rejected, match="no_policy"):
            convict(promise(History(), NOW, NOW + 500), accused, now=NOW + 500)


# -- whom it convicts, and by whose keys --------------------------------------------------------------------------


def test_attack_proof_against_a_log_whose_key_the_verifier_did_not_bring() -> None:
    history = honest()
    case, findings = case_of(_bent(history))
    evidence = prove(case, findings[-1])
    assert evidence is not None
    stranger = NoteSigner(LOG_ORIGIN, builders.AUDITOR_KEY).key
    with pytest.raises(Rejected, match=r"unknown_key|bad_signature"):
        convict(evidence, Accused(stranger))
    other = parse_vkey(builders.vkey("another.example/log", builders.LOG_KEY))
    with pytest.raises(Rejected, match="wrong_origin"):
        convict(evidence, Accused(other))


def _bent(history: History) -> History:
    lies.read_late(history)
    return history


def test_proof_names_who_cosigned_only_when_the_policy_is_given() -> None:
    case, findings = case_of(_bent(honest()))
    evidence = prove(case, findings[-1])
    assert len(convict(evidence).trees[0][1]) == 2
    assert convict(evidence, Accused(granting.LOG_KEY)).trees[0][1] == ()


def test_leaves_that_were_not_signed_convict_nobody() -> None:
    history = honest()
    checkpoint = history.checkpoint()
    leaves = list(history.log.leaves)
    leaves[3] = leaves[3][:-1] + b"\x00"
    assert Case.of(checkpoint, leaves) is None
    assert Case.of(checkpoint, history.log.leaves[:-1]) is None


def test_log_that_serves_its_false_status_convicts_itself() -> None:
    history = honest()
    history.log.status = History().log.status
    history.log.status.revoke(0)  # a lie that nobody would guess: another grant is shown as revoked instead

    def chunks(number: int) -> StatusChunkAnswer:
        status = history.log.status
        proof = ChunkProof.make(status.chunk(number), status.proof(number))
        head = history.log.leaf_proof(len(history.log.leaves) - 1)
        return StatusChunkAnswer("", head, proof.chunk, proof.hashes, status.slots)

    assert proven(history, "replay_head_status", chunks).kind == "hidden_revocation"


def test_checkpoint_without_a_head_convicts() -> None:
    assert convict(lies.headless()).kind == "no_head"


def test_every_kind_of_proof_has_a_specimen_that_convicts() -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in FraudEvidence.__args__}
    assert set(lies.specimens()) == kinds
    for kind, evidence in lies.specimens().items():
        assert convict(evidence).kind == kind
