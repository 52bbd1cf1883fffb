"""Keys that rotate on the list: both count, each witness once; what goes is kept, and stays as it was."""

from typing import Any

import msgspec
import pytest

from protocol.errors import Rejected
from protocol.keys import MlDsa44Private
from protocol.note import NoteSigner, SignatureType, parse_vkey
from protocol.policy import parse_policy
from protocol.trust_list import (
    MAX_FORMER_POLICIES,
    MAX_RETIRED_KEYS,
    RetiredKey,
    TrustedLog,
    TrustedWitness,
    TrustList,
    sign_trust_list,
    verify_trust_list,
)
from registrar.draft import Draft, new_draft
from registrar.keys import OVERLAP_SECONDS, RESERVED_NAMES
from registrar.register import add_log, add_witness, next_list
from tests.protocol import builders
from tests.protocol.builders import LOG_ORIGIN, NOW

DAY = 86_400


def pq(name: str, of: str = "1") -> str:
    private = MlDsa44Private(builders.ed25519(f"{name} pq {of}").public)
    return str(NoteSigner(name, private, SignatureType.MLDSA44_COSIGNATURE).key)


def ed(name: str, of: str = "1", kind: int = 0x01) -> str:
    return builders.vkey(name, builders.ed25519(f"{name} {of}"), kind)


def log(**changes: Any) -> TrustedLog:
    entry = builders.trust_list().logs[0]
    return msgspec.structs.replace(entry, **{"vkey": ed(LOG_ORIGIN), "policy": "", **changes})


def witness(name: str = "w.example", **changes: Any) -> TrustedWitness:
    members = {"name": name, "url": f"https://{name}", "vkey": ed(name, kind=0x04), "auditing": False}
    return TrustedWitness(**{**members, **changes})


def code(act: Any, *arguments: Any) -> str:
    with pytest.raises(Rejected) as caught:
        act(*arguments)
    return caught.value.code


def signed(draft: Draft, now: int, before: TrustList | None = None) -> TrustList:
    """The list as a reader has it."""
    version = 1 if before is None else before.version + 1
    token = sign_trust_list(next_list(draft, version=version, now=now, days=9, before=before), builders.REGISTRAR)
    return verify_trust_list(token, builders.REGISTRAR.public, now)


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_witness_named_like_a_word_of_our_policies_is_refused(name: str) -> None:
    draft = new_draft("R")
    assert code(add_witness, draft, witness(name)) == "reserved_name"
    assert draft.witnesses == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"pq_vkey": pq("other.example")}, "wrong_origin"),
        ({"pq_vkey": ed(LOG_ORIGIN, "2")}, "bad_vkey"),
        ({"vkey": pq(LOG_ORIGIN)}, "bad_vkey"),
        ({"also": [ed("other.example")]}, "wrong_origin"),
        ({"also": [ed(LOG_ORIGIN, "2", 0x04)]}, "bad_vkey"),
        ({"also": [ed(LOG_ORIGIN)]}, "same_key"),
        ({"pq_vkey": pq(LOG_ORIGIN), "also": [pq(LOG_ORIGIN)]}, "same_key"),
        ({"receipt_vkey": ed(LOG_ORIGIN, "2")}, "same_key"),
        ({"status_roots": ["AAAA"]}, "bad_certificate"),
    ],
)
def test_log_with_a_second_key_that_is_not_its_own_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert code(add_log, new_draft("R"), log(**changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"also": [ed("w.example", "2")]}, "bad_vkey"),
        ({"also": [ed("other.example", kind=0x04)]}, "wrong_name"),
        ({"also": [ed("w.example", kind=0x04)]}, "same_key"),
    ],
)
def test_witness_with_a_second_key_that_is_not_its_own_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert code(add_witness, new_draft("R"), witness(**changes)) == expected


def test_second_key_of_another_witness_is_refused() -> None:
    draft = add_witness(new_draft("R"), witness("a.example", also=[pq("a.example")]))
    stolen = str(
        NoteSigner(
            "b.example",
            MlDsa44Private(builders.ed25519("a.example pq 1").public),
            SignatureType.MLDSA44_COSIGNATURE,
        ).key
    )
    assert code(add_witness, draft, witness("b.example", also=[stolen])) == "same_key"


def test_policy_names_all_keys_of_the_log() -> None:
    entry = log(pq_vkey=pq(LOG_ORIGIN), also=[ed(LOG_ORIGIN, "2")])
    draft = add_witness(add_log(new_draft("R"), entry), witness())
    policy = parse_policy(signed(draft, NOW).logs[0].policy)
    assert [str(entry.key) for entry in policy.logs] == [ed(LOG_ORIGIN), pq(LOG_ORIGIN), ed(LOG_ORIGIN, "2")]
    own = "\n".join([f"log {ed(LOG_ORIGIN)}", f"witness w {ed('w.example', kind=0x04)}", "quorum w\n"])
    assert code(add_log, draft, msgspec.structs.replace(entry, policy=own)) == "bad_policy"


def test_both_keys_of_a_rotating_witness_count_once() -> None:
    rotating = witness("a.example", also=[ed("a.example", "2", 0x04)])
    draft = add_log(new_draft("R"), log())
    for entry in (rotating, witness("b.example"), witness("c.example")):
        draft = add_witness(draft, entry)
    policy = parse_policy(signed(draft, NOW).logs[0].policy)
    old, new, b, _ = [found.name for found in policy.witnesses]
    assert policy.quorum_time({old: NOW, new: NOW}) is None
    for one in (old, new):
        assert policy.quorum_time({one: NOW, b: NOW}) == NOW


def test_witness_with_two_kinds_of_keys_has_cosigned_when_one_of_each_has() -> None:
    name = "a.example"
    entry = witness(name, also=[pq(name), ed(name, "2", 0x04), pq(name, "2")])
    draft = add_witness(add_log(new_draft("R"), log()), entry)
    policy = parse_policy(signed(draft, NOW).logs[0].policy)
    names = {str(found.key): found.name for found in policy.witnesses}
    eds, pqs = [ed(name, of, 0x04) for of in "12"], [pq(name, of) for of in "12"]
    assert policy.quorum_time({names[key]: NOW for key in eds}) is None
    assert policy.quorum_time({names[key]: NOW for key in pqs}) is None
    for one in eds:
        for other in pqs:
            assert policy.quorum_time({names[one]: NOW, names[other]: NOW - 1}) == NOW - 1


def test_second_kind_of_key_is_asked_from_the_next_list_on() -> None:
    """A log that does not know a key keeps none of its lines: it learns of it before readers ask."""
    name = "a.example"
    draft = add_witness(add_log(new_draft("R"), log()), witness(name))
    first = signed(draft, NOW)
    draft = add_witness(draft, witness(name, also=[pq(name)]))
    second = signed(draft, NOW + DAY, first)
    third = signed(draft, NOW + 2 * DAY, second)
    for trust, is_asked in ((second, False), (third, True)):
        policy = parse_policy(trust.logs[0].policy)
        old, new = [found.name for found in policy.witnesses]
        assert policy.quorum_time({old: NOW}) == (None if is_asked else NOW)
        assert policy.quorum_time({new: NOW}) is None
        assert policy.quorum_time({old: NOW, new: NOW}) == NOW


def test_auditing_cosigner_with_two_keys_is_one_member_of_its_group() -> None:
    draft = add_log(new_draft("R"), log())
    receipt = ed("a.example/receipts")
    entry = witness("a.example", auditing=True, receipt_vkey=receipt, also=[pq("a.example")])
    for one in (witness(), entry):
        draft = add_witness(draft, one)
    text = signed(draft, NOW).logs[0].policy
    assert "group auditors 1 a.example\n" in text
    assert "group witnesses 1 w.example\n" in text


def test_key_and_policy_that_go_are_kept_for_looking_back() -> None:
    draft = add_witness(add_log(new_draft("R"), log()), witness())
    first = signed(draft, NOW)
    later = NOW + 40 * DAY
    second = signed(add_log(draft, log(vkey=ed(LOG_ORIGIN, "2"))), later, first)
    found = second.logs[0]
    assert found.retired == [RetiredKey(vkey=ed(LOG_ORIGIN), until=later + OVERLAP_SECONDS)]
    assert [(entry.policy, entry.until) for entry in found.former] == [
        (first.logs[0].policy, later + OVERLAP_SECONDS)
    ]
    third = signed(add_log(draft, log(vkey=ed(LOG_ORIGIN, "3"))), later + DAY, second)
    assert [entry.vkey for entry in third.logs[0].retired] == [ed(LOG_ORIGIN, "2"), ed(LOG_ORIGIN)]
    assert third.logs[0].retired[1] == found.retired[0]
    assert third.logs[0].former[1] == found.former[0]


@pytest.mark.parametrize("until", [0, NOW, NOW + DAY])
def test_attack_log_ends_the_life_of_a_key_in_the_past(until: int) -> None:
    """To deny what it signed with it while the list named it: receipts, a fork."""
    draft = add_witness(add_log(new_draft("R"), log(also=[ed(LOG_ORIGIN, "2")])), witness())
    first = signed(draft, NOW)
    finished = log(vkey=ed(LOG_ORIGIN, "2"), retired=[RetiredKey(vkey=ed(LOG_ORIGIN), until=until)])
    second = signed(add_log(draft, finished), NOW + 2 * DAY, first)
    end = NOW + 2 * DAY + OVERLAP_SECONDS
    assert second.logs[0].retired == [RetiredKey(vkey=ed(LOG_ORIGIN), until=end)]


def test_attack_log_pushes_its_old_keys_out_with_keys_that_were_never_listed() -> None:
    draft = add_witness(add_log(new_draft("R"), log()), witness())
    first = signed(draft, NOW)
    second = signed(add_log(draft, log(vkey=ed(LOG_ORIGIN, "2"))), NOW + DAY, first)
    others = [
        RetiredKey(vkey=ed(LOG_ORIGIN, f"never {number}"), until=2**52) for number in range(MAX_RETIRED_KEYS)
    ]
    third = signed(add_log(draft, log(vkey=ed(LOG_ORIGIN, "2"), retired=others)), NOW + 2 * DAY, second)
    assert third.logs[0].retired == second.logs[0].retired


def test_log_cannot_give_a_retired_key_a_longer_life() -> None:
    """Neither in the future, nor by naming again what was listed as retired before."""
    draft = add_witness(add_log(new_draft("R"), log()), witness())
    first = signed(draft, NOW)
    forever = [RetiredKey(vkey=ed(LOG_ORIGIN), until=2**52)]
    second = signed(add_log(draft, log(vkey=ed(LOG_ORIGIN, "2"), retired=forever)), NOW + DAY, first)
    until = NOW + DAY + OVERLAP_SECONDS
    assert second.logs[0].retired == [RetiredKey(vkey=ed(LOG_ORIGIN), until=until)]
    again = log(vkey=ed(LOG_ORIGIN, "2"), retired=[RetiredKey(vkey=ed(LOG_ORIGIN), until=NOW + 9 * DAY)])
    third = signed(add_log(draft, again), NOW + 8 * DAY, second)
    assert third.logs[0].retired == second.logs[0].retired


def test_receipt_key_that_goes_is_retired_too() -> None:
    draft = add_log(new_draft("R"), log())
    first = signed(draft, NOW)
    new = builders.vkey(f"{LOG_ORIGIN}/receipts", builders.ed25519("new receipts"))
    second = signed(add_log(draft, log(receipt_vkey=new)), NOW + DAY, first)
    assert [entry.vkey for entry in second.logs[0].retired] == [log().receipt_vkey]


def test_change_of_witnesses_leaves_a_former_policy_and_no_change_leaves_none() -> None:
    draft = add_witness(add_log(new_draft("R"), log()), witness())
    first = signed(draft, NOW)
    second = signed(draft, NOW + DAY, first)
    assert second.logs[0].former == []
    third = signed(add_witness(draft, witness("new.example")), NOW + 2 * DAY, second)
    assert [entry.policy for entry in third.logs[0].former] == [first.logs[0].policy]


def test_history_is_bounded_and_the_oldest_goes_first() -> None:
    trust = None
    for number in range(MAX_RETIRED_KEYS + 2):
        entry = log(vkey=ed(LOG_ORIGIN, str(number)))
        trust = signed(add_witness(add_log(new_draft("R"), entry), witness()), NOW + number, trust)
    assert trust is not None
    found = trust.logs[0]
    assert (len(found.retired), len(found.former)) == (MAX_RETIRED_KEYS, MAX_FORMER_POLICIES)
    assert found.retired[-1].vkey == ed(LOG_ORIGIN, "1")
    assert parse_vkey(found.vkey).name == LOG_ORIGIN
