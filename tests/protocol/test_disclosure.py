"""RFC 9901 section 7.1, step by step: the document's own examples, then one test for each refusal."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import disclosure as d
from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from tests.protocol.mutations import json_values, spoiled_text

RFC = json.loads((Path(__file__).parent.parent / "vectors" / "rfc9901.json").read_text(encoding="utf-8"))
SALT = bytes(range(16))


def spaced(value: Any) -> str:
    """base64url JSON with spaces after separators: the spelling of the RFC's examples."""
    return b64u_encode(json.dumps(value).encode())


def raw(value: Any) -> tuple[str, str]:
    """(encoded, digest text) of a disclosure of any form."""
    encoded = b64u_encode(json.dumps(value).encode())
    return encoded, b64u_encode(d.digest_of(encoded))


def member(name: str, value: Any, salt: str = "salt") -> tuple[str, str]:
    return raw([salt, name, value])


def element(value: Any, salt: str = "salt") -> tuple[str, str]:
    return raw([salt, value])


def refused(code: str, payload: dict[str, Any], *disclosures: str) -> None:
    before = json.dumps(payload)
    with pytest.raises(Rejected) as caught:
        d.unpack(payload, disclosures)
    assert caught.value.code == code
    assert json.dumps(payload) == before, "a refusal changes nothing"


@pytest.mark.parametrize(
    "example", RFC["disclosures"] + RFC["recursive"]["disclosures"], ids=lambda e: e["digest"][:6]
)
def test_digests_of_the_rfc(example: dict[str, Any]) -> None:
    encoded = spaced(example["contents"])
    assert b64u_encode(d.digest_of(encoded)) == example["digest"]
    parsed = d.parse_disclosure(encoded)
    contents = example["contents"]
    assert (parsed.salt, parsed.value) == (contents[0], contents[-1])
    assert parsed.name == (contents[1] if len(contents) == 3 else None)
    assert b64u_encode(parsed.digest) == example["digest"]


def test_processed_payload_of_the_rfc_presentation() -> None:
    by_digest = {example["digest"]: spaced(example["contents"]) for example in RFC["disclosures"]}
    chosen = [by_digest[digest] for digest in RFC["presentation"]["disclosures"]]
    assert d.unpack(RFC["payload"], chosen) == RFC["presentation"]["processed"]


def test_nothing_disclosed_leaves_what_was_visible() -> None:
    processed = d.unpack(RFC["payload"], [])
    assert processed == {k: v for k, v in RFC["payload"].items() if k not in ("_sd", "_sd_alg")} | {
        "nationalities": []
    }


def test_recursive_disclosures_of_the_rfc() -> None:
    payload = RFC["recursive"]["payload"]
    parts = [spaced(example["contents"]) for example in RFC["recursive"]["disclosures"]]
    assert d.unpack(payload, parts)["address"] == {
        "street_address": "Schulstr. 12",
        "locality": "Schulpforta",
        "region": "Sachsen-Anhalt",
        "country": "DE",
    }
    assert d.unpack(payload, [parts[4], parts[3]])["address"] == {"country": "DE"}
    assert d.unpack(payload, [parts[4]])["address"] == {}


def test_recursive_disclosure_without_its_parent_is_refused() -> None:
    parts = [spaced(example["contents"]) for example in RFC["recursive"]["disclosures"]]
    refused("unreferenced_disclosure", RFC["recursive"]["payload"], parts[0])


def test_top_level_disclosures_are_told_from_nested_ones() -> None:
    parts = [spaced(example["contents"]) for example in RFC["recursive"]["disclosures"]]
    processed = d.process(RFC["recursive"]["payload"], [parts[0], parts[4]])
    assert [found.name for found in processed.top_level] == ["address"]


def test_own_disclosure_reads_back() -> None:
    made = d.make_disclosure("straat", "Grote Markt é", SALT)
    assert d.parse_disclosure(made.encoded) == made
    assert made.digest == d.digest_of(made.encoded)


@pytest.mark.parametrize(
    "name", ["_sd", "...", "iss", "exp", "nbf", "cnf", "vct", "vct#integrity", "status", "aud"]
)
def test_issuer_never_makes_a_forbidden_claim_disclosable(name: str) -> None:
    with pytest.raises(ValueError, match="never disclosed"):
        d.make_disclosure(name, 1, SALT)


@pytest.mark.parametrize("size", [0, 15, 17])
def test_issuer_uses_salts_of_128_bits_only(size: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        d.make_disclosure("straat", 1, bytes(size))


def test_digest_twice_in_one_array_is_refused() -> None:
    refused("digest_twice", {"_sd": ["x" * 43, "x" * 43]})


def test_digest_twice_at_two_levels_is_refused() -> None:
    encoded, digest = member("a", 1)
    refused("digest_twice", {"_sd": [digest], "b": {"_sd": [digest]}}, encoded)


def test_decoy_digest_twice_is_refused_though_nothing_is_disclosed() -> None:
    refused("digest_twice", {"_sd": ["x" * 43], "b": [{"...": "x" * 43}]})


def test_digest_twice_by_way_of_a_disclosure_is_refused() -> None:
    inner, inner_digest = member("c", 1)
    outer, outer_digest = member("a", {"_sd": [inner_digest]})
    refused("digest_twice", {"_sd": [outer_digest, inner_digest]}, outer, inner)


def test_disclosure_that_holds_its_own_digest_cannot_be_made_but_its_reuse_is_refused() -> None:
    encoded, digest = element(1)
    refused("digest_twice", {"a": [{"...": digest}, {"...": digest}]}, encoded)


def test_one_disclosure_sent_twice_is_refused() -> None:
    encoded, digest = member("a", 1)
    refused("digest_twice", {"_sd": [digest]}, encoded, encoded)


def test_unreferenced_disclosure_is_refused() -> None:
    refused("unreferenced_disclosure", {"_sd": []}, member("a", 1)[0])
    refused("unreferenced_disclosure", {"a": 1}, element(1)[0])


@pytest.mark.parametrize("name", ["_sd", "..."])
def test_reserved_names_are_refused(name: str) -> None:
    encoded, digest = member(name, ["x" * 43])
    refused("bad_disclosure", {"_sd": [digest]}, encoded)


@pytest.mark.parametrize("name", sorted(d.FORBIDDEN_NAMES))
def test_claims_that_control_validity_are_never_taken_from_a_disclosure(name: str) -> None:
    encoded, digest = member(name, 1)
    refused("forbidden_disclosure", {"_sd": [digest]}, encoded)
    assert d.unpack({"deep": {"_sd": [digest]}}, [encoded]) == {"deep": {name: 1}}


def test_claim_is_not_overwritten() -> None:
    encoded, digest = member("a", 2)
    refused("claim_overwritten", {"a": 1, "_sd": [digest]}, encoded)
    refused("claim_overwritten", {"b": {"a": 1, "_sd": [digest]}}, encoded)


def test_two_disclosures_of_one_name_are_refused() -> None:
    first, second = member("a", 1, "x"), member("a", 1, "y")
    refused("claim_overwritten", {"_sd": [first[1], second[1]]}, first[0], second[0])


def test_disclosures_of_the_wrong_length_are_refused() -> None:
    for contents in ([], ["salt"], ["salt", "a", 1, 2], {"salt": 1}, "salt", None):
        encoded, digest = raw(contents)
        refused("bad_disclosure", {"_sd": [digest]}, encoded)


def test_array_disclosure_is_no_member_and_the_reverse() -> None:
    encoded, digest = element(1)
    refused("bad_disclosure", {"_sd": [digest]}, encoded)
    encoded, digest = member("a", 1)
    refused("bad_disclosure", {"a": [{"...": digest}]}, encoded)


@pytest.mark.parametrize("contents", [[1, "a", 1], [None, 1], ["salt", 1, 2], ["salt", None, 2]])
def test_salt_and_name_are_texts(contents: list[Any]) -> None:
    encoded, digest = raw(contents)
    refused("bad_disclosure", {"_sd": [digest]}, encoded)


@pytest.mark.parametrize("alg", ["sha-512", "sha-256-32", "SHA-256", "", None, 256, ["sha-256"]])
def test_unknown_sd_alg_is_refused(alg: Any) -> None:
    refused("bad_sd_alg", {"_sd_alg": alg})


@pytest.mark.parametrize(
    "payload",
    [
        {"_sd": "x"},
        {"_sd": {"0": "x"}},
        {"_sd": None},
        {"_sd": [1]},
        {"_sd": [["x"]]},
        {"_sd": [{"...": "x"}]},
        {"a": [{"...": 1}]},
        {"a": [{"...": None}]},
        {"a": [{"...": "x", "b": 1}]},
        {"a": [{"...": "x", "_sd": []}]},
        {"...": "x"},
        {"a": {"...": "x"}},
    ],
    ids=str,
)
def test_digests_out_of_place_are_refused(payload: dict[str, Any]) -> None:
    refused("bad_digest", payload)


def test_dots_inside_a_disclosed_value_are_refused() -> None:
    encoded, digest = member("a", {"...": "x"})
    refused("bad_digest", {"_sd": [digest]}, encoded)


def test_array_elements_come_back_in_place_and_withheld_ones_vanish() -> None:
    (one, one_digest), (two, two_digest) = element("1"), element([{"...": "z" * 43}, 2])
    payload = {"a": ["0", {"...": one_digest}, {"...": "y" * 43}, {"...": two_digest}]}
    assert d.unpack(payload, [two, one]) == {"a": ["0", "1", [2]]}


def nested(depth: int) -> tuple[dict[str, Any], list[str]]:
    """A payload whose claim `a` holds `a` holds `a` ..., each level a disclosure of its own."""
    value: Any = 1
    disclosures = []
    for level in range(depth):
        encoded, digest = member("a", value, str(level))
        disclosures.append(encoded)
        value = {"_sd": [digest]}
    return value, disclosures


def test_depth_limit_counts_through_disclosures() -> None:
    assert d.unpack(*nested(d.MAX_DEPTH))
    payload, disclosures = nested(d.MAX_DEPTH + 1)
    refused("too_deep", payload, *disclosures)


def test_depth_limit_holds_for_a_payload_that_no_parser_saw() -> None:
    deep: Any = 1
    for _ in range(d.MAX_DEPTH + 1):
        deep = [deep]
    refused("too_deep", {"a": deep})


def test_number_of_disclosures_is_limited() -> None:
    pairs = [member("a", 1, str(i)) for i in range(d.MAX_DISCLOSURES + 1)]
    digests = [{"_sd": [digest]} for _, digest in pairs]
    assert len(d.unpack({"b": digests[:-1]}, [encoded for encoded, _ in pairs[:-1]])["b"]) == d.MAX_DISCLOSURES
    refused("too_many_disclosures", {"b": digests}, *(encoded for encoded, _ in pairs))


def test_size_of_one_disclosure_is_limited() -> None:
    filler = d.MAX_DISCLOSURE_BYTES - len('["salt", "a", ""]')
    encoded, digest = member("a", "x" * filler)
    assert d.unpack({"_sd": [digest]}, [encoded]) == {"a": "x" * filler}
    refused("too_large", {"_sd": [digest]}, member("a", "x" * (filler + 1))[0])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('["s", "a", {"b": 1, "b": 2}]', "duplicate_key"),
        ('["s", "a", NaN]', "bad_json"),
        ('["s", "a", 1.5]', "bad_json"),
        ('["s", "a", 1] x', "bad_json"),
        ("[" * 40 + "]" * 40, "too_deep"),
        ('["s", "a", "\\ud800"]', "bad_json"),
    ],
)
def test_disclosure_is_strict_json(text: str, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        d.parse_disclosure(b64u_encode(text.encode()))
    assert caught.value.code == code


@pytest.mark.parametrize("text", ["", "=", "a", "WyI=", "Wy I", "W+/y", "é", "\ud800", "\0"])
def test_disclosure_is_strict_base64url(text: str) -> None:
    with pytest.raises(Rejected):
        d.parse_disclosure(text)


@given(st.one_of(st.text(max_size=60), spoiled_text(d.make_disclosure("straat", {"a": [1]}, SALT).encoded)))
def test_hostile_disclosure_raises_nothing_but_rejected(text: str) -> None:
    try:
        parsed = d.parse_disclosure(text)
    except Rejected:
        return
    assert parsed.encoded == text
    assert parsed.digest == d.digest_of(text)


@given(
    st.dictionaries(st.sampled_from(["_sd", "...", "a", "_sd_alg"]), json_values, max_size=4),
    st.lists(json_values, max_size=3),
)
def test_hostile_payload_raises_nothing_but_rejected(payload: dict[str, Any], contents: list[Any]) -> None:
    made = [raw(value) for value in contents if "NaN" not in json.dumps(value)]
    payload["d"] = [{"...": digest} for _, digest in made]
    try:
        processed = d.unpack(payload, [encoded for encoded, _ in made])
    except Rejected:
        return
    assert "_sd" not in processed
    assert "_sd_alg" not in processed
