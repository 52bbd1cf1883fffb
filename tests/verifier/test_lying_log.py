"""A log that lies, in each way that an agency can see: no value comes out, and nothing is spent on a lie.

What an agency alone cannot see (a head whose status root was made wrongly) is the auditing cosigner's work.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocol.canonical import b64u_decode, b64u_encode, sha256
from protocol.checkpoint import ChunkProof, LeafProof
from protocol.consent_api import ReadAnswer
from protocol.errors import Rejected
from protocol.leaf import Read
from protocol.policy import satisfied
from protocol.presentation import claim_shares, grant_leaf
from protocol.reading import parse_read, seal_release
from protocol.receipt import make_tlog_proof
from tests.protocol import builders
from tests.protocol.granting import change
from tests.verifier.agency import PURPOSE, Agency, Granted, Log, Wallet, error_of
from verifier.reader import read_grant
from verifier.seen import keep_checkpoint

VOID = "void"
PENDING = "pending"


@pytest.fixture
def granted(agency: Agency, wallet: Wallet) -> Granted:
    """A grant that the agency holds."""
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, made.form()).status_code == 200
    return made


def rid_of(granted: Granted) -> str:
    return granted.request.response_uri.rpartition("/")[2]


def lied(agency: Agency, granted: Granted, code: str | set[str], state: str = VOID) -> None:
    """No value, no number spent, the kept checkpoint as it was; afterwards an honest log is read from again."""
    before = agency.stored()
    with pytest.raises(Rejected) as info:
        read_grant(agency.desk, rid_of(granted), [], PURPOSE)
    assert info.value.code in ({code} if isinstance(code, str) else code)
    after = agency.stored()
    assert after["grants"] == before["grants"]
    assert after["checkpoints"] == before["checkpoints"]
    (row,) = agency.desk.store.reads.all()
    assert (row["state"], row["n"]) == (state, None)


def honest_again(agency: Agency, granted: Granted) -> None:
    agency.log.lie = lambda answer: answer
    assert read_grant(agency.desk, rid_of(granted), [], PURPOSE).values["postcode"] == "1234AB"


def reseal(agency: Agency, granted: Granted, **changes: Any) -> Callable[[ReadAnswer], ReadAnswer]:
    """A release with other shares, or bound to something else."""

    def lie(answer: ReadAnswer) -> ReadAnswer:
        read = parse_read(agency.log.requests[-1]).read
        claims = {claim.digest: claim for claim in granted.sealed.terms.claims}
        arguments: dict[str, Any] = {
            "lock": b64u_decode(read.lock),
            "read_id": b64u_decode(read.read_id),
            "index": answer.index,
            "body_hash": sha256(answer.evidence.checkpoint.partition("\n\n")[0].encode() + b"\n"),
        }
        reply = changes.pop("reply", None) or reply_key(agency)
        shares = changes.pop("shares", None)
        if shares is None:
            b = agency.log.grants[granted.sealed.slot].b
            shares = claim_shares([claims[digest] for digest in read.claims], b)
        return change(answer, sealed=b64u_encode(seal_release(reply, shares, **{**arguments, **changes})))

    return lie


def reply_key(agency: Agency) -> bytes:
    (pending,) = agency.desk.store.reads.pending(agency.desk.store.grants.all()[0].lock)
    return b64u_decode(pending.request.reply_key)


def test_stale_checkpoint(agency: Agency, granted: Granted) -> None:
    """An old view, from before a revocation: the quorum has not seen it lately. It may be asked again."""
    agency.log.age = 61
    lied(agency, granted, "stale_checkpoint", PENDING)
    agency.log.age = 0
    honest_again(agency, granted)


def test_checkpoint_without_witnesses(agency: Agency, granted: Granted) -> None:
    def lie(answer: ReadAnswer) -> ReadAnswer:
        alone = "\n".join(answer.evidence.checkpoint.split("\n")[:5]) + "\n"
        return change(answer, evidence=change(answer.evidence, checkpoint=alone))

    agency.log.lie = lie
    lied(agency, granted, "no_quorum", PENDING)
    honest_again(agency, granted)


def test_wrong_share(agency: Agency, granted: Granted) -> None:
    count = len(granted.sealed.terms.claims)
    agency.log.lie = reseal(agency, granted, shares=[sha256(b"another share")] * count)
    lied(agency, granted, "share_mismatch")
    honest_again(agency, granted)


def test_shares_of_another_grant(agency: Agency, granted: Granted) -> None:
    claims = list(granted.sealed.terms.claims)
    agency.log.lie = reseal(agency, granted, shares=claim_shares(claims, sha256(b"another b")))
    lied(agency, granted, "share_mismatch")


@pytest.mark.parametrize("short", [0, 1])
def test_too_few_shares(agency: Agency, granted: Granted, short: int) -> None:
    claims = list(granted.sealed.terms.claims)[:short]
    b = agency.log.grants[granted.sealed.slot].b
    agency.log.lie = reseal(agency, granted, shares=claim_shares(claims, b))
    lied(agency, granted, {"bad_release", "unsealable"})


@pytest.mark.parametrize(
    "changes",
    [{"index": 0}, {"body_hash": sha256(b"other")}, {"lock": sha256(b"other")}, {"read_id": bytes(16)},
     {"reply": builders.kem("somebody else").public_bytes()}],
)  # fmt: skip
def test_release_that_is_not_for_this_entry(agency: Agency, granted: Granted, changes: dict[str, Any]) -> None:
    agency.log.lie = reseal(agency, granted, **changes)
    lied(agency, granted, {"bad_release", "unsealable"})
    honest_again(agency, granted)


def test_cleared_status_bit(agency: Agency, granted: Granted) -> None:
    """The log released for a revoked grant and shows a chunk in which the bit is 0: not under the head's root."""
    agency.log.stop(granted.sealed.slot, granted.secret)
    agency.log.admits_everything = True

    def lie(answer: ReadAnswer) -> ReadAnswer:
        chunk = bytearray(b64u_decode(answer.evidence.status.chunk))
        chunk[granted.sealed.slot // 8] &= ~(1 << granted.sealed.slot % 8) & 0xFF
        cleared = change(answer.evidence.status, chunk=b64u_encode(bytes(chunk)))
        return change(answer, evidence=change(answer.evidence, status=cleared))

    agency.log.lie = lie
    lied(agency, granted, {"bad_inclusion", "bad_status"})


def test_release_for_a_revoked_grant(agency: Agency, granted: Granted) -> None:
    """The log sends shares although the bit is set: the light check refuses before they are opened."""
    agency.log.stop(granted.sealed.slot, granted.secret)
    agency.log.admits_everything = True
    before = agency.stored()["checkpoints"]
    with pytest.raises(Rejected, match="revoked"):
        read_grant(agency.desk, rid_of(granted), [], PURPOSE)
    assert agency.desk.store.grants.get(rid_of(granted)).state == "revoked"
    assert agency.stored()["checkpoints"] == before


def test_reused_n(agency: Agency, granted: Granted) -> None:
    """A read that the log does not count."""
    assert read_grant(agency.desk, rid_of(granted), [], PURPOSE).n == 0
    agency.log.next_n = 0
    with pytest.raises(Rejected, match="read_number"):
        read_grant(agency.desk, rid_of(granted), ["postcode"], PURPOSE)
    assert [row["n"] for row in agency.desk.store.reads.all()] == [0, None]


def test_n_beyond_max_reads(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(max_reads=2)
    made = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, made.form()).status_code == 200
    agency.log.next_n = 2
    lied(agency, made, "read_number")


@pytest.mark.parametrize("change_", [{"n": 1}, {"index": 2}, {"opening_key": b64u_encode(bytes(32))}])
def test_entry_that_is_not_our_read(agency: Agency, granted: Granted, change_: dict[str, Any]) -> None:
    agency.log.lie = lambda answer: change(answer, **change_)
    lied(agency, granted, {"wrong_read", "bad_inclusion", "bad_release", "unsealable"})
    honest_again(agency, granted)


def test_no_entry_at_all(agency: Agency, granted: Granted) -> None:
    """The proof is of the leaf before: there is no read leaf of ours."""

    def lie(answer: ReadAnswer) -> ReadAnswer:
        agency.log.leaves[answer.index] = Read(bytes(16), bytes(32)).to_bytes()
        note = agency.log.publish(agency.clock.time)
        evidence = agency.log.evidence(note, granted.index, granted.sealed.slot)
        proof = make_tlog_proof(answer.index, agency.log.proof(answer.index), note)
        return change(answer, evidence=evidence, proof=proof)

    agency.log.lie = lie
    lied(agency, granted, {"bad_inclusion"})


def test_forked_tree(agency: Agency, granted: Granted) -> None:
    """Another history, signed by the log and by witnesses that collude: it is not consistent with what we kept."""
    fork = Log(agency.clock)
    fork.enter(change(granted.sealed.terms, lock=b64u_encode(sha256(b"somebody"))), bytes(32))
    index, slot = fork.grant(granted.sealed.terms)
    fork.grants[slot] = agency.log.grants[granted.sealed.slot]
    fork.grants[slot].index = index
    for _ in range(4):
        fork.publish(agency.clock.time)
    agency.net.log = fork
    lied(agency, granted, "bad_consistency")
    (row,) = agency.desk.store.seen.contradictions()
    assert row["kept"] != row["seen"]
    assert row["kept"].split("\n")[0] == row["seen"].split("\n")[0] == builders.LOG_ORIGIN
    agency.net.log = agency.log
    honest_again(agency, granted)


def test_forked_tree_when_a_grant_is_accepted(agency: Agency, wallet: Wallet, granted: Granted) -> None:
    fork = Log(agency.clock)
    fork.enter(change(granted.sealed.terms, lock=b64u_encode(sha256(b"somebody"))), bytes(32))
    agency.net.log = wallet.log = fork
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link))
    before = agency.stored()
    answer = agency.post(rid, made.form())
    assert (answer.status_code, error_of(answer)) == (400, "bad_consistency")
    assert agency.stored() == before
    assert len(agency.desk.store.seen.contradictions()) == 1


def test_smaller_tree_of_the_same_history_is_no_contradiction(agency: Agency, granted: Granted) -> None:
    """An answer that was overtaken by another: the larger checkpoint stays the one kept."""

    def late(answer: ReadAnswer) -> ReadAnswer:
        log = agency.desk.log_trust(agency.trust, builders.LOG_ORIGIN)
        note = agency.log.publish(agency.clock.time)
        larger = satisfied(log.policy, note, agency.clock.time, log_keys=(log.key,)).checkpoint
        with agency.desk.store._file.writing() as db:
            keep_checkpoint(db, larger)
        return answer

    agency.log.lie = late
    assert read_grant(agency.desk, rid_of(granted), [], PURPOSE).n == 0
    kept = agency.desk.store.seen.kept_checkpoint(builders.LOG_ORIGIN)
    assert kept is not None
    assert kept.size == len(agency.log.leaves)
    assert not agency.desk.store.seen.contradictions()


@pytest.mark.parametrize("part", ["head", "grant", "status"])
def test_evidence_that_does_not_hang_together(agency: Agency, granted: Granted, part: str) -> None:
    def lie(answer: ReadAnswer) -> ReadAnswer:
        proof = getattr(answer.evidence, part)
        if isinstance(proof, ChunkProof):
            wrong: LeafProof | ChunkProof = change(proof, chunk=b64u_encode(b"\xff" * 256))
        else:
            wrong = LeafProof.make(0, agency.log.leaves[0], agency.log.proof(0))
        return change(answer, evidence=change(answer.evidence, **{part: wrong}))

    agency.log.lie = lie
    lied(agency, granted, {"bad_head", "bad_grant", "bad_inclusion", "bad_status"})
    honest_again(agency, granted)


def test_answer_of_no_form(agency: Agency, granted: Granted) -> None:
    agency.log.lie = lambda answer: {"n": "zero"}  # type: ignore[assignment, return-value]
    lied(agency, granted, "bad_form", PENDING)
    honest_again(agency, granted)


def test_log_that_was_set_back_before_the_grant(agency: Agency, wallet: Wallet) -> None:
    """The receipt is good, the tree that is shown now is too small to hold the grant."""
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link))
    agency.net.log = Log(agency.clock)
    before = agency.stored()
    answer = agency.post(rid, made.form())
    assert (answer.status_code, error_of(answer)) == (400, "bad_inclusion")
    assert agency.stored() == before


def test_slot_of_one_grant_given_to_another(agency: Agency, wallet: Wallet, granted: Granted) -> None:
    """Two leaves for one slot: the status bit of one would speak for both."""
    rid, link = agency.ask()
    request = wallet.open(agency, link)
    made = wallet.grant(request)
    slot = granted.sealed.slot
    leaf = grant_leaf(made.sealed.terms, slot, b64u_decode(made.sealed.opening_key))
    index = agency.log.append(leaf)
    note = agency.log.publish(agency.clock.time)
    twin = replace(made, index=index)
    before = agency.stored()
    body = twin.form(slot=slot, proof=make_tlog_proof(index, agency.log.proof(index), note))
    answer = agency.post(rid, body)
    assert (answer.status_code, error_of(answer)) == (400, "grant_known")
    assert agency.stored() == before
