"""C2SP tlog-policy: what is read, what is refused, and when a quorum is met and fresh."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Rejected
from protocol.keys import Ed25519Private, MlDsa44Private
from protocol.note import NoteSigner, SignatureType, VerifierKey
from protocol.policy import (
    MAX_AGE,
    MAX_CLOCK_SKEW,
    MAX_GROUPS,
    MAX_LOGS,
    MAX_POLICY_BYTES,
    Policy,
    parse_policy,
    satisfied,
)
from tests.protocol.witnessed_log import LOG, NOW, ORIGIN, POLICY, WITNESSES, PaperLog, attempt, secret, signer

TAKES_LOG = PaperLog()
TAKES_LOG.grant()
TAKES_LOG.head()


def vkey(name: str, kind: SignatureType = SignatureType.COSIGNATURE) -> str:
    return str(signer(name, kind).key)


def refusal_of(call: Callable[[], object]) -> str:
    with pytest.raises(Rejected) as refusal:
        call()
    return refusal.value.code


X = [f"witness X{i} {vkey(f'x{i}.example')}\n" for i in (1, 2, 3)]
Y = [f"witness Y{i} {vkey(f'y{i}.example')}\n" for i in (1, 2, 3)]
EXAMPLE = (
    f"log {vkey(ORIGIN, SignatureType.ED25519)}\n\n"
    + "".join(X)
    + "group X-witnesses 2 X1 X2 X3\n\n"
    + "".join(Y)
    + "group Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
)
"""The example of the specification, with keys."""


def test_the_example_of_the_specification_means_two_x_and_one_y() -> None:
    policy = parse_policy(EXAMPLE)
    assert [group.threshold for group in policy.groups] == [2, 1, 2]
    assert policy.quorum_time({"X1": 10, "X2": 20, "Y3": 15}) == 10
    assert policy.quorum_time({"X1": 10, "X2": 20, "X3": 30, "Y3": 15, "Y1": 3}) == 15
    assert policy.quorum_time({"X1": 10, "X2": 20, "X3": 30}) is None
    assert policy.quorum_time({"X1": 10, "Y1": 10, "Y2": 20, "Y3": 30}) is None
    assert policy.quorum_time({}) is None


@given(st.dictionaries(st.sampled_from(["X1", "X2", "X3", "Y1", "Y2", "Y3"]), st.integers(0, 50)))
def test_a_quorum_has_the_latest_time_at_which_it_was_whole(times: dict[str, int]) -> None:
    def is_met(at: int) -> bool:
        fresh = {name for name, time in times.items() if time >= at}
        return len(fresh & {"X1", "X2", "X3"}) >= 2 and bool(fresh & {"Y1", "Y2", "Y3"})

    met = [at for at in range(51) if is_met(at)]
    assert parse_policy(EXAMPLE).quorum_time(times) == (max(met) if met else None)


def test_urls_comments_tabs_and_spaces_are_read() -> None:
    text = (
        f"# a comment\n\n \t\n\t log\t{vkey(ORIGIN, SignatureType.ED25519)}   https://log.example/ \n"
        f"  # another\nwitness \u212a {vkey('k.example')} https://k.example\n"
        f"witness K {vkey('l.example')}\nquorum \u212a\n"
    )
    policy = parse_policy(text)
    assert policy.logs[0].url == "https://log.example/"
    assert [(witness.name, witness.url) for witness in policy.witnesses] == [
        ("\u212a", "https://k.example"),
        ("K", None),
    ]
    assert policy.quorum == "\u212a"
    assert policy == parse_policy(text) != POLICY


LOG_LINE = f"log {vkey(ORIGIN, SignatureType.ED25519)}\n"
A, B = f"witness A {vkey('a.example')}\n", f"witness B {vkey('b.example')}\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        LOG_LINE,
        "quorum A\n",
        A + "quorum A",
        A + "quorum A\nquorum A\n",
        "quorum A\n" + A,
        A + "quorum\n",
        A + "quorum A B\n",
        A + "quorum B\n",
        A + A + "quorum A\n",
        A + A.replace("witness A", "witness B") + "quorum A\n",
        A + A.replace("witness A", "witness B").replace(vkey("a.example"), "") + "quorum A\n",
        A + B.replace("witness B", "witness A") + "quorum A\n",
        A.replace("witness A", "witness none") + "quorum none\n",
        LOG_LINE + LOG_LINE + "quorum none\n",
        "log\nquorum none\n",
        LOG_LINE[:-1] + " url url\nquorum none\n",
        A[:-1] + " url url\nquorum A\n",
        "witness A\nquorum A\n",
        f"log {vkey(ORIGIN)}\nquorum none\n",
        f"witness A {vkey('a.example', SignatureType.ED25519)}\nquorum A\n",
        A + B + "group G\nquorum G\n",
        A + B + "group G 1\nquorum G\n",
        A + B + "group G 0 A B\nquorum G\n",
        A + B + "group G 3 A B\nquorum G\n",
        A + B + "group G 01 A B\nquorum G\n",
        A + B + "group G -1 A B\nquorum G\n",
        A + B + "group G some A B\nquorum G\n",
        A + B + "group G 1 A A\nquorum G\n",
        A + B + "group G 1 A C\nquorum G\n",
        A + B + "group G 1 A none\nquorum G\n",
        A + B + "group G 1 A G\nquorum G\n",
        A + "group G 1 A B\n" + B + "quorum G\n",
        A + B + "group A 1 A B\nquorum A\n",
        A + B + "group none 1 A B\nquorum none\n",
        A + B + "group G 1 A B\ngroup H 1 A G\nquorum H\n",
        A + "Quorum A\n",
        A + "quorum\u00a0A\n",
        A + "quorum A\r\n",
        A + "quorum A # not a comment\n",
        A + "\0quorum A\n",
        A + "\x7fquorum A\n",
        A + "\x0bquorum A\n",
        A + "# \0\nquorum A\n",
        A.replace("witness A", "witness A\x7f") + "quorum A\x7f\n",
        A[:-1] + " https://a.example/\x1f\nquorum A\n",
    ],
)
def test_what_is_not_a_policy_is_refused(text: str) -> None:
    assert refusal_of(lambda: parse_policy(text)) == "bad_policy"


def test_one_key_under_two_names_counts_once_because_it_is_refused() -> None:
    key = signer("a.example", SignatureType.COSIGNATURE).key
    renamed = VerifierKey("b.example", key.type, key.public)
    text = A + f"witness B {renamed}\ngroup G 2 A B\nquorum G\n"
    assert refusal_of(lambda: parse_policy(text)) == "bad_policy"
    text = f"log {LOG.key}\nlog {VerifierKey('other.example', LOG.key.type, LOG.key.public)}\nquorum none\n"
    assert refusal_of(lambda: parse_policy(text)) == "bad_policy"


def test_a_damaged_key_is_refused() -> None:
    assert refusal_of(lambda: parse_policy(A.replace("a.example", "z.example") + "quorum A\n")) == "bad_vkey"


@given(st.integers(0, len(EXAMPLE) - 1), st.characters(codec="utf-8"))
def test_a_policy_with_one_other_character_is_read_or_refused(place: int, char: str) -> None:
    policy = attempt(lambda: parse_policy(EXAMPLE[:place] + char + EXAMPLE[place + 1 :]))
    assert isinstance(policy, Policy) or policy in {"bad_policy", "bad_vkey"}


def test_a_policy_has_at_most_32_of_each_and_64_kib() -> None:
    logs = "".join(f"log {vkey(f'log{i}.example', SignatureType.ED25519)}\n" for i in range(MAX_LOGS + 1))
    witnesses = "".join(f"witness w{i} {vkey(f'w{i}.example')}\n" for i in range(MAX_GROUPS + 1))
    groups = "".join(f"group g{i} 1 w{i}\n" for i in range(MAX_GROUPS + 1))

    def first(lines: str, count: int) -> str:
        return "".join(lines.splitlines(keepends=True)[:count])

    text = first(logs, 32) + first(witnesses, 32) + first(groups, 32) + "quorum g31\n"
    policy = parse_policy(text)
    assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (32, 32, 32)
    for more in (
        logs + "quorum none\n",
        witnesses + "quorum none\n",
        first(witnesses, 32) + first(groups, 32) + "group g32 1 g31\nquorum g32\n",
    ):
        assert refusal_of(lambda: parse_policy(more)) == "bad_policy"  # noqa: B023
    room = MAX_POLICY_BYTES - len("quorum none\n")
    parse_policy("#" * (room - 1) + "\nquorum none\n")
    for padding in ("#" * room, "#" + "é" * (room // 2)):
        assert refusal_of(lambda: parse_policy(padding + "\nquorum none\n")) == "too_large"  # noqa: B023


def test_two_of_three_witnesses_satisfy_and_one_does_not() -> None:
    for times in [(NOW, NOW, None), (None, NOW, NOW), (NOW, NOW, NOW)]:
        quorum = satisfied(POLICY, TAKES_LOG.checkpoint(times), NOW)
        assert quorum.checkpoint.size == 2
        assert quorum.time == NOW
        assert quorum.witnesses == tuple(f"w{i}" for i, time in enumerate(times) if time is not None)
    for times in [(NOW, None, None), (None, None, None)]:
        assert refusal_of(lambda: satisfied(POLICY, TAKES_LOG.checkpoint(times), NOW)) == "no_quorum"  # noqa: B023


def test_one_witness_that_signs_twice_counts_once() -> None:
    again = WITNESSES[0].sign(TAKES_LOG.body(), time=NOW - 1)
    note = TAKES_LOG.checkpoint((NOW, None, None)) + again
    assert refusal_of(lambda: satisfied(POLICY, note, NOW)) == "no_quorum"


def test_a_quorum_is_fresh_for_60_seconds_by_the_weakest_needed_witness() -> None:
    note = TAKES_LOG.checkpoint((NOW - 1000, NOW, NOW - 10))
    assert satisfied(POLICY, note, NOW).time == NOW - 10
    assert satisfied(POLICY, note, NOW - 10 + MAX_AGE).time == NOW - 10
    assert refusal_of(lambda: satisfied(POLICY, note, NOW - 10 + MAX_AGE + 1)) == "stale_checkpoint"
    assert satisfied(POLICY, note, NOW + 10**9, None).time == NOW - 10


def test_freshness_is_checked_each_time_though_signatures_are_remembered() -> None:
    note = TAKES_LOG.checkpoint()
    for _ in range(2):
        assert satisfied(POLICY, note, NOW).time == NOW
        assert refusal_of(lambda: satisfied(POLICY, note, NOW + MAX_AGE + 1)) == "stale_checkpoint"


def test_a_cosignature_from_the_future_does_not_count() -> None:
    note = TAKES_LOG.checkpoint((NOW + MAX_CLOCK_SKEW, NOW + MAX_CLOCK_SKEW + 1, None))
    assert refusal_of(lambda: satisfied(POLICY, note, NOW)) == "no_quorum"
    assert satisfied(POLICY, note, NOW + 1).time == NOW + MAX_CLOCK_SKEW
    far = TAKES_LOG.checkpoint((2**62, 2**62, 2**62))
    assert refusal_of(lambda: satisfied(POLICY, far, NOW)) == "no_quorum"
    assert refusal_of(lambda: satisfied(POLICY, far, NOW, None)) == "no_quorum"


def test_a_bad_cosignature_by_a_witness_of_the_policy_condemns_the_note() -> None:
    other = PaperLog()
    other.head()
    note = TAKES_LOG.checkpoint((NOW, NOW, None)) + WITNESSES[2].sign(other.body(), time=NOW)
    assert refusal_of(lambda: satisfied(POLICY, note, NOW)) == "bad_signature"


def test_a_checkpoint_that_its_log_did_not_sign_is_refused_however_many_witnesses_did() -> None:
    body = TAKES_LOG.body()
    lines = [witness.sign(body, time=NOW) for witness in WITNESSES]
    assert refusal_of(lambda: satisfied(POLICY, f"{body}\n{''.join(lines)}", NOW)) == "unknown_key"
    stranger = NoteSigner(ORIGIN, Ed25519Private(secret("stranger")))
    note = f"{body}\n{stranger.sign(body)}{''.join(lines)}"
    assert refusal_of(lambda: satisfied(POLICY, note, NOW)) == "unknown_key"


def test_a_checkpoint_of_another_log_is_refused_though_a_listed_log_signed_it() -> None:
    body = TAKES_LOG.body().replace(ORIGIN, "log.elders.example")
    note = f"{body}\n{LOG.sign(body)}" + "".join(witness.sign(body, time=NOW) for witness in WITNESSES)
    assert refusal_of(lambda: satisfied(POLICY, note, NOW)) == "wrong_origin"


def test_the_log_can_be_named_beside_a_policy_without_logs() -> None:
    text = POLICY.text.partition("\n")[2]
    bare = parse_policy(text)
    assert refusal_of(lambda: satisfied(bare, TAKES_LOG.checkpoint(), NOW)) == "wrong_origin"
    assert satisfied(bare, TAKES_LOG.checkpoint(), NOW, log_keys=[LOG.key]).time == NOW
    other = signer("log.elders.example").key
    assert refusal_of(lambda: satisfied(POLICY, TAKES_LOG.checkpoint(), NOW, log_keys=[other])) == "wrong_origin"


def test_without_witnesses_nothing_is_fresh() -> None:
    policy = parse_policy(f"log {LOG.key}\n{A}quorum none\n")
    note = TAKES_LOG.checkpoint()
    assert refusal_of(lambda: satisfied(policy, note, NOW)) == "no_quorum"
    assert satisfied(policy, note, NOW, None).time is None


def test_a_witness_may_cosign_with_ml_dsa_44() -> None:
    post_quantum = NoteSigner("pq.example", MlDsa44Private(secret("pq")), SignatureType.MLDSA44_COSIGNATURE)
    policy = parse_policy(f"log {LOG.key}\nwitness pq {post_quantum.key}\nquorum pq\n")
    note = TAKES_LOG.checkpoint((None, None, None)) + post_quantum.sign(TAKES_LOG.body(), time=NOW - 5)
    assert satisfied(policy, note, NOW).time == NOW - 5
    timeless = TAKES_LOG.checkpoint((None, None, None)) + post_quantum.sign(TAKES_LOG.body())
    assert refusal_of(lambda: satisfied(policy, timeless, NOW)) == "stale_checkpoint"


def test_a_single_witness_can_be_the_quorum() -> None:
    policy = parse_policy(f"witness w0 {WITNESSES[0].key}\nquorum w0\n")
    note = TAKES_LOG.checkpoint((NOW - 3, None, None))
    assert satisfied(policy, note, NOW, log_keys=[LOG.key]).time == NOW - 3
