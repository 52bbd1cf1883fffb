"""The auditor, the replay and the light check agree with a naive second implementation (`naive_log`).

On honest and bent histories of 0 to 300 leaves and around 2^16, where tiles, status chunks and proofs change
shape. Both sides are given the same bytes, made without `protocol`; verdicts are compared by code and place.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from auditor.integrity import Seen, check_history
from protocol.canonical import convert
from protocol.checkpoint import Evidence, verify_checkpoint
from protocol.errors import Rejected
from protocol.light_check import GrantOpening, KeptCheckpoint, verify_light_check
from protocol.merkle import consistency_proof, inclusion_proof
from protocol.note import parse_vkey
from protocol.policy import parse_policy
from protocol.replay import Replay
from tests.oracle_tree import NaiveTree
from tests.protocol.naive_history import (
    BENDS,
    LOG_KEY,
    NOW,
    POLICY_TEXT,
    RULES,
    Bend,
    NaiveHistory,
    b64u,
    honest,
    own,
    secret,
    sign_note,
    signature,
    vkey,
)
from tests.protocol.naive_log import Kept, NaiveReplay, Own, Refused, from_b64u, history_verdict, light_verdict

POLICY = parse_policy(POLICY_TEXT)
VKEY = parse_vkey(vkey(LOG_KEY))
SMALL = range(301)
LARGE = {2**16 - 1: 5, 2**16: 7, 2**16 + 1: 6}
"""Sizes with the seed of a history that has many grants, reads and revocations."""


def audited(note: str, leaves: Sequence[bytes], seen: Mapping[int, bytes]) -> set[tuple[str, int | None]]:
    """What the auditor finds."""
    checkpoint = verify_checkpoint(note, VKEY)
    verdict = check_history(checkpoint, leaves, POLICY, [Seen(size, root) for size, root in seen.items()], NOW)
    return {(finding.code, finding.index) for finding in verdict.findings}


def both_audit(note: str, leaves: Sequence[bytes], seen: Mapping[int, bytes]) -> set[tuple[str, int | None]]:
    """What both find, the same."""
    found = audited(note, leaves, seen)
    assert found == history_verdict(note, leaves, RULES, seen, NOW)
    return found


def replayed(leaves: Sequence[bytes]) -> tuple[str, int, Replay]:
    """First broken rule or "ok", the leaves before it, and the state."""
    replay = Replay()
    try:
        for leaf in leaves:
            replay.apply(leaf)
    except Rejected as error:
        return error.code, replay.size, replay
    return "ok", replay.size, replay


def both_replay(leaves: Sequence[bytes]) -> str:
    """The verdict of both; what they hold afterwards, or kept after the refusal, is the same too."""
    naive, said = NaiveReplay(), "ok"
    try:
        for leaf in leaves:
            naive.apply(leaf)
    except Refused as error:
        said = str(error)
    code, size, replay = replayed(leaves)
    assert (code, size) == (said, len(naive.leaves))
    assert replay.root() == NaiveTree(naive.leaves).root(size)
    assert (replay.slots, replay.status.root()) == (len(naive.grants), naive.status_root())
    assert replay.ends_in_head == (size > 0 and naive.leaves[-1][0] == 5)
    assert [(row.grant_index, row.lock) for row in replay.rows()] == naive.grants
    assert {slot for slot, row in enumerate(replay.rows()) if row.revoked} == naive.revoked
    return code


def seen_before(chance: random.Random, history: NaiveHistory) -> dict[int, bytes]:
    """Trees that an auditor saw: beginnings of this one, sometimes of a fork or of a larger one."""
    size = len(history.leaves)
    seen = {n: history.tree.root(n) for n in chance.sample(range(size + 1), min(size + 1, 3))}
    if chance.random() < 0.2:
        seen[chance.randint(0, size + 5)] = secret("fork")
    return seen


def bent(history: NaiveHistory, bend: Bend, chance: random.Random) -> tuple[str, list[bytes]]:
    """The leaves after a lie, under a checkpoint that the log signs for them, or the one it signed before."""
    leaves = list(history.leaves)
    bend(chance, leaves, history.replay)
    if chance.random() < 0.3:
        return sign_note(len(history.leaves), history.root), leaves
    return sign_note(len(leaves), NaiveTree(leaves).root(len(leaves))), leaves


@pytest.mark.parametrize("decade", range(31))
def test_auditor_agrees_on_histories_of_0_to_300_leaves(decade: int) -> None:
    for size in SMALL[decade * 10 : decade * 10 + 10]:
        history, chance = honest(size, 1), random.Random(f"audit {size}")
        assert both_replay(history.leaves) == "ok"
        assert both_audit(sign_note(size, history.root), history.leaves, {}) == set()
        both_audit(sign_note(size, history.root), history.leaves, seen_before(chance, history))
        for bend in chance.sample(BENDS, 4) if size else ():
            note, leaves = bent(history, bend, chance)
            both_replay(leaves)
            both_audit(note, leaves, seen_before(chance, history))


def test_every_lie_about_the_past_is_found_by_both() -> None:
    """Each bend, at one size: the codes that come out, so that the agreement is not about nothing."""
    codes: set[str] = set()
    for bend in BENDS:
        found: set[str] = set()
        for seed in range(12):
            history, chance = honest(60, seed), random.Random(f"{bend.__name__} {seed}")
            note, leaves = bent(history, bend, chance)
            if leaves != history.leaves:
                verdict = both_audit(note, leaves, {60: history.root})
                assert verdict, bend.__name__
                found |= {code for code, _ in verdict}
        assert found
        codes |= found
    assert codes >= {
        "replay_leaf",
        "replay_slot",
        "replay_lock_reused",
        "replay_unknown_grant",
        "replay_wrong_secret",
        "replay_revoked_twice",
        "replay_head_position",
        "replay_head_slots",
        "replay_head_status",
        "checkpoint_without_head",
        "bad_root",
        "forked",
        "shrunk",
    }


# --- the light check -------------------------------------------------------------------------------------------


def both_check(evidence: dict[str, Any], mine: Own, kept: Kept | None, now: int = NOW) -> str:
    """The verdict of both."""
    grant = GrantOpening(mine.log, mine.lock, mine.terms, mine.opening_key)
    before = None if kept is None else KeptCheckpoint(kept.size, kept.root, kept.proof)
    try:
        verify_light_check(
            convert(evidence, Evidence), grant, log_key=VKEY, policy=POLICY, now=now, kept=before
        )  # fmt: skip
        code = "ok"
    except Rejected as error:
        code = error.code
    assert code == light_verdict(evidence, mine, RULES, now, kept)
    return code


def kept_of(chance: random.Random, history: NaiveHistory, size: int) -> Kept:
    """A checkpoint of `size` leaves and the honest proof to this one."""
    return Kept(size, history.tree.root(size), history.tree.proof(size, len(history.leaves)))


def bend_hashes(chance: random.Random, text: str) -> str:
    """A proof with a hash gone, added, doubled, swapped or changed."""
    data = from_b64u(text)
    hashes = [data[i : i + 32] for i in range(0, len(data), 32)]
    at = chance.randrange(len(hashes) + 1)
    choice = chance.randrange(5)
    if choice == 0 or not hashes:
        hashes.insert(at, chance.choice([*hashes, secret("hash")]))
    elif choice == 1:
        del hashes[min(at, len(hashes) - 1)]
    elif choice == 2:
        hashes[min(at, len(hashes) - 1)] = secret("hash")
    elif choice == 3:
        hashes.reverse()
    else:
        hashes = [chance.choice(hashes) for _ in hashes]
    return b64u(b"".join(hashes))


def bend_evidence(chance: random.Random, history: NaiveHistory, evidence: dict[str, Any]) -> dict[str, Any]:
    """One part that is not what it should be, however small."""
    size = len(history.leaves)
    part = chance.choice(("head", "grant", "status"))
    proof = dict(evidence[part])
    match chance.randrange(8):
        case 0 | 1:
            proof["hashes"] = bend_hashes(chance, proof["hashes"])
        case 2 if part != "status":
            proof["index"] = chance.choice((proof["index"] + 1, proof["index"] - 1, 0, size, 2**53 - 1, -1))
        case 3 if part != "status":
            proof = history.proof(chance.randrange(size))
        case 2 | 3 | 4:
            name = "chunk" if part == "status" else "leaf"
            data = bytearray(from_b64u(proof[name]))
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            proof[name] = b64u(bytes(data))
        case 5:
            times = [chance.choice((None, NOW, NOW - 60, NOW - 61, NOW + 30, NOW + 31)) for _ in range(3)]
            return {**evidence, "checkpoint": sign_note(size, history.root, times)}
        case 6:
            earlier = chance.randint(0, size)
            root = chance.choice((history.tree.root(earlier), secret("root")))
            return {**evidence, "checkpoint": sign_note(earlier, root)}
        case _:
            return {**evidence, "checkpoint": bend_note(chance, evidence["checkpoint"])}
    return {**evidence, part: proof}


def bend_note(chance: random.Random, note: str) -> str:
    """Signature lines gone, doubled, of another key, of another text; another origin."""
    body, _, lines = note.rpartition("\n\n")
    signed = lines.splitlines(keepends=True)
    match chance.randrange(5):
        case 0:
            signed = chance.sample(signed, chance.randint(1, len(signed)))
        case 1:
            signed.append(chance.choice(signed))
        case 2:
            stranger = signature(RULES.witnesses[0], body + "\n", NOW).replace("/0 ", "/9 ")
            signed[chance.randrange(len(signed))] = stranger
        case 3:
            key = chance.choice((LOG_KEY, *RULES.witnesses))
            signed.append(signature(key, "another text\n", NOW))
        case _:
            return sign_note(1, secret("root"), origin="elders.voorbeeld.example/2026")
    return f"{body}\n\n{''.join(signed)}"


def bend_kept(chance: random.Random, kept: Kept) -> Kept:
    """Another root, size or proof than was seen."""
    proof = from_b64u(bend_hashes(chance, b64u(b"".join(kept.proof))))
    hashes = [proof[i : i + 32] for i in range(0, len(proof), 32)]
    return chance.choice(
        (
            Kept(kept.size, secret("fork"), kept.proof),
            Kept(kept.size + 1, kept.root, kept.proof),
            Kept(max(0, kept.size - 1), kept.root, kept.proof),
            Kept(kept.size, kept.root, hashes),
        )
    )


def bend_own(chance: random.Random, mine: Own) -> Own:
    """What belongs to another grant or log."""
    return chance.choice(
        (
            Own("elders", mine.lock, mine.terms, mine.opening_key),
            Own(mine.log, secret("lock"), mine.terms, mine.opening_key),
            Own(mine.log, mine.lock, b"{}", mine.opening_key),
            Own(mine.log, mine.lock, mine.terms, secret("key")),
        )
    )


def check_slots(history: NaiveHistory, chance: random.Random, slots: Sequence[int], bends: int) -> list[str]:
    """Honest and bent light checks of these slots; the verdicts."""
    size, verdicts = len(history.leaves), []
    for slot in slots:
        evidence, mine = history.evidence(slot), own(slot)
        kept = kept_of(chance, history, chance.randint(0, size))
        honest_verdict = both_check(evidence, mine, kept)
        assert honest_verdict == ("revoked" if slot in history.replay.revoked else "ok")
        both_check(evidence, mine, None, now=NOW + chance.choice((-31, -30, 60, 61)))
        verdicts.append(honest_verdict)
        for _ in range(bends):
            verdicts.append(both_check(bend_evidence(chance, history, evidence), mine, kept))
        if size <= 300:
            verdicts.append(both_check(history.with_lying_head(chance).evidence(slot), mine, None))
        verdicts.append(both_check(evidence, bend_own(chance, mine), kept))
        verdicts.append(both_check(evidence, mine, bend_kept(chance, kept)))
    return verdicts


@pytest.mark.parametrize("decade", range(31))
def test_light_check_agrees_on_histories_of_0_to_300_leaves(decade: int) -> None:
    for size in SMALL[decade * 10 : decade * 10 + 10]:
        history, chance = honest(size, 2), random.Random(f"light {size}")
        slots = range(len(history.replay.grants))
        check_slots(history, chance, chance.sample(slots, min(2, len(slots))), bends=4)


def test_light_check_finds_every_lie() -> None:
    history, chance = honest(120, 5), random.Random("lies")
    verdicts = set(check_slots(history, chance, range(len(history.replay.grants)), bends=10))
    assert verdicts >= {
        "ok",
        "revoked",
        "wrong_log",
        "wrong_origin",
        "unknown_key",
        "bad_signature",
        "no_quorum",
        "stale_checkpoint",
        "bad_head",
        "bad_grant",
        "bad_status",
        "bad_inclusion",
        "bad_consistency",
    }


def test_light_check_agrees_on_an_empty_log_and_one_without_grants() -> None:
    for size in (0, 1, 2):
        history = honest(size, 4)
        proof = history.proof(0) if size else {"index": 0, "leaf": b64u(bytes(46)), "hashes": ""}
        evidence = {
            "checkpoint": sign_note(size, history.root),
            "head": proof,
            "grant": proof,
            "status": history.chunk_proof(0),
        }
        assert both_check(evidence, own(0), None) in ("bad_head", "bad_grant")


# --- around 2^16 -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=LARGE, ids=str)
def large(request: pytest.FixtureRequest) -> NaiveHistory:
    """An honest history of that many leaves."""
    history = honest(request.param, LARGE[request.param])
    assert len(history.status.leaves) > 16
    assert len(history.replay.revoked) > 1000
    return history


def test_auditor_agrees_around_65536_leaves(large: NaiveHistory) -> None:
    size = len(large.leaves)
    chance = random.Random(f"large {size}")
    assert both_replay(large.leaves) == "ok"
    seen = {n: large.tree.root(n) for n in (1, 2**15, 2**16 - 1)}
    assert both_audit(sign_note(size, large.root), large.leaves, seen) == set()
    for bend in chance.sample(BENDS, 3):
        both_audit(*bent(large, bend, chance), {2**15: secret("fork"), size + 1: secret("larger")})


def test_light_check_agrees_around_65536_leaves(large: NaiveHistory) -> None:
    chance, slots = random.Random(f"light {len(large.leaves)}"), len(large.replay.grants)
    check_slots(large, chance, [0, 2047, 2048, slots - 1, *chance.sample(range(slots), 6)], bends=6)


def test_proofs_are_the_same_around_65536_leaves(large: NaiveHistory) -> None:
    size = len(large.leaves)
    chance = random.Random(f"proofs {size}")

    def node(level: int, index: int) -> bytes:
        return large.tree.mth(index << level, index + 1 << level)

    for index in (0, 1, 255, 256, size // 2, size - 1, *chance.sample(range(size), 20)):
        assert inclusion_proof(index, size, node) == large.tree.path(index, size)
        assert consistency_proof(index, size, node) == large.tree.proof(index, size)
