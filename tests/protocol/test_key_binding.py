"""The key-binding JWT: replay, stripping, another audience, another text, another key, another time."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import key_binding as kb
from protocol.canonical import b64u_decode, b64u_encode, sha256
from protocol.errors import Rejected
from protocol.jws import sign_jws
from protocol.keys import parse_jwk
from tests.protocol import builders as b
from tests.protocol.mutations import json_values, spoiled_text

RFC = json.loads((Path(__file__).parent.parent / "vectors" / "rfc9901.json").read_text(encoding="utf-8"))
TEXT = "eyJhbGciOiJFUzI1NiJ9.e30.AA~WyJhIiwgImIiLCAxXQ~"
GOOD = kb.sign_key_binding(TEXT, b.HOLDER, audience="x509_hash:A", nonce="n", iat=b.NOW, consent=bytes(32))


def verify(token: str = GOOD, presented: str = TEXT, **changes: Any) -> kb.VerifiedKeyBinding:
    arguments: dict[str, Any] = {"audience": "x509_hash:A", "nonce": "n", "now": b.NOW}
    return kb.verify_key_binding(token, presented, b.HOLDER.public, **{**arguments, **changes})


def refused(code: str, token: str = GOOD, presented: str = TEXT, **changes: Any) -> None:
    with pytest.raises(Rejected) as caught:
        verify(token, presented, **changes)
    assert caught.value.code == code


def signed(
    payload: Any = None, *, typ: str = "kb+jwt", header: dict[str, Any] | None = None, **members: Any
) -> str:
    """A token with these members in place of the good ones; None removes one."""
    good: dict[str, Any] = {"aud": "x509_hash:A", "iat": b.NOW, "nonce": "n", "sd_hash": kb.sd_hash(TEXT)}
    good = {name: value for name, value in {**good, **members}.items() if value is not None}
    return sign_jws(good if payload is None else payload, b.HOLDER, typ=typ, header=header)


def test_presentation_of_the_rfc_verifies_under_its_own_key() -> None:
    by_digest = {
        example["digest"]: b64u_encode(json.dumps(example["contents"]).encode()) for example in RFC["disclosures"]
    }
    jwt = ".".join(b64u_encode(json.dumps(RFC[part]).encode()) for part in ("header", "payload"))
    jwt += "." + RFC["signature"]
    shown = RFC["presentation"]
    presented = "~".join([jwt, *(by_digest[digest] for digest in shown["disclosures"]), ""])
    assert kb.sd_hash(presented) == shown["sd_hash"]
    parse_jwk(RFC["issuer_jwk"]).verify(b64u_decode(RFC["signature"]), jwt.rpartition(".")[0].encode())
    verified = kb.verify_key_binding(
        shown["kb_jwt"],
        presented,
        parse_jwk(RFC["payload"]["cnf"]["jwk"]),
        audience=shown["audience"],
        nonce=shown["nonce"],
        now=shown["iat"],
    )
    assert verified == kb.VerifiedKeyBinding(shown["iat"], None, ())


def test_consent_and_transaction_data_come_back() -> None:
    hashes = [sha256(b"one"), sha256(b"two")]
    token = kb.sign_key_binding(
        TEXT,
        b.HOLDER,
        audience="x509_hash:A",
        nonce="n",
        iat=b.NOW,
        consent=sha256(b"terms"),
        transaction_data_hashes=hashes,
    )
    assert verify(token) == kb.VerifiedKeyBinding(b.NOW, sha256(b"terms"), tuple(hashes))


def test_holder_signs_only_what_ends_in_a_tilde() -> None:
    with pytest.raises(ValueError, match="ends in"):
        kb.sign_key_binding(TEXT[:-1], b.HOLDER, audience="a", nonce="n", iat=b.NOW)


def test_presentation_for_another_audience_is_refused() -> None:
    refused("wrong_audience", audience="x509_hash:B")
    refused("wrong_audience", audience="A")
    refused("wrong_audience", audience="x509_hash:A ")


def test_replayed_presentation_is_refused() -> None:
    refused("wrong_nonce", nonce="m")


@pytest.mark.parametrize(
    "presented", [TEXT[:-1], TEXT + "~", TEXT.replace("~W", "~w"), TEXT.split("~")[0] + "~", "~"]
)
def test_disclosures_added_or_dropped_are_refused(presented: str) -> None:
    refused("bad_key_binding", presented=presented)


def test_key_binding_by_another_key_is_refused() -> None:
    token = kb.sign_key_binding(TEXT, b.es256("thief"), audience="x509_hash:A", nonce="n", iat=b.NOW)
    refused("bad_signature", token)


def test_age_is_limited_at_both_ends() -> None:
    for now in (b.NOW - kb.MAX_CLOCK_SKEW, b.NOW, b.NOW + 300):
        assert verify(now=now)
    for now in (b.NOW - kb.MAX_CLOCK_SKEW - 1, b.NOW + 301):
        refused("stale_key_binding", now=now)
    assert verify(now=b.NOW + 10, max_age=10)
    refused("stale_key_binding", now=b.NOW + 11, max_age=10)


def test_kept_consent_is_read_without_dates_but_with_everything_else() -> None:
    assert verify(now=None)
    assert verify(signed(exp=1), now=None)
    refused("wrong_nonce", now=None, nonce="m")


def test_exp_and_nbf_of_the_holder_are_heeded() -> None:
    assert verify(signed(exp=b.NOW + 1, nbf=b.NOW))
    refused("stale_key_binding", signed(exp=b.NOW))
    refused("stale_key_binding", signed(nbf=b.NOW + 1))


@pytest.mark.parametrize("typ", ["JWT", "dc+sd-jwt", "KB+JWT", ""])
def test_another_kind_of_token_is_refused(typ: str) -> None:
    refused("bad_type", signed(typ=typ))


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"alg": "none"}, "bad_algorithm"),
        ({"alg": "HS256"}, "bad_algorithm"),
        ({"alg": "es256"}, "bad_algorithm"),
        ({"crit": ["exp"]}, "bad_header"),
        ({"jku": "https://evil.example"}, "bad_header"),
        ({"jwk": b.HOLDER.public.jwk()}, "bad_header"),
    ],
)
def test_dangerous_headers_are_refused(header: dict[str, Any], code: str) -> None:
    refused(code, signed(header=header))


@pytest.mark.parametrize("name", ["aud", "iat", "nonce", "sd_hash"])
def test_required_members_are_required(name: str) -> None:
    refused("bad_form", signed(**{name: None}))


@pytest.mark.parametrize(
    "members",
    [
        {"aud": ["x509_hash:A"]},
        {"iat": str(b.NOW)},
        {"nonce": 1},
        {"sd_hash": "short"},
        {"consent": "short"},
        {"consent": 1},
        {"transaction_data_hashes": []},
        {"transaction_data_hashes": ["short"]},
        {"transaction_data_hashes": ["A" * 43] * 17},
        {"exp": "soon"},
    ],
    ids=str,
)
def test_members_of_another_form_are_refused(members: dict[str, Any]) -> None:
    refused("bad_form", signed(**members))


def test_number_of_transaction_data_hashes_is_limited() -> None:
    assert len(verify(signed(transaction_data_hashes=["A" * 43] * 16)).transaction_data_hashes) == 16


def test_hash_that_is_no_canonical_base64url_is_refused() -> None:
    refused("bad_base64", signed(consent="A" * 42 + "B"))
    refused("bad_base64", signed(transaction_data_hashes=["+" * 43]))


def test_other_hash_algorithm_is_refused() -> None:
    hashes = ["A" * 43]
    assert verify(signed(transaction_data_hashes=hashes, transaction_data_hashes_alg="sha-256"))
    refused("bad_key_binding", signed(transaction_data_hashes=hashes, transaction_data_hashes_alg="sha-512"))


def test_members_of_others_are_left_alone() -> None:
    assert verify(signed(jti="1", extra={"a": [1]}))


@pytest.mark.parametrize("payload", [[], "x", 1, [{"aud": 1}]], ids=str)
def test_payload_that_is_no_object_is_refused(payload: Any) -> None:
    refused("bad_form", signed(payload))


def test_zero_and_der_signatures_are_refused() -> None:
    body = GOOD.rpartition(".")[0]
    refused("bad_signature", f"{body}.{b64u_encode(bytes(64))}")
    with pytest.raises(Rejected):
        verify(f"{body}.{b64u_encode(b'0E' + bytes(69))}")
    refused("bad_base64", f"{body}.")


def test_size_is_limited() -> None:
    longest = max(n for n in range(2800, 3000) if len(signed(pad="x" * n)) <= kb.MAX_KEY_BINDING_BYTES)
    assert verify(signed(pad="x" * longest))
    refused("bad_key_binding", signed(pad="x" * (longest + 1)))


def test_header_is_limited_before_it_is_remembered() -> None:
    refused("bad_key_binding", signed(header={"kid": "x" * 600}))


@given(st.one_of(spoiled_text(GOOD), st.text(max_size=40)))
def test_spoiled_token_raises_nothing_but_rejected(token: str) -> None:
    if token == GOOD:
        return
    with pytest.raises(Rejected):
        verify(token)


@given(st.dictionaries(st.sampled_from(["aud", "iat", "nonce", "sd_hash", "consent", "exp", "x"]), json_values))
def test_hostile_payload_by_the_holder_raises_nothing_but_rejected(members: dict[str, Any]) -> None:
    text = json.dumps(members)
    header = b64u_encode(b'{"alg":"ES256","typ":"kb+jwt"}')
    body = f"{header}.{b64u_encode(text.encode())}"
    with pytest.raises(Rejected):
        verify(f"{body}.{b64u_encode(b.HOLDER.sign(body.encode()))}")
