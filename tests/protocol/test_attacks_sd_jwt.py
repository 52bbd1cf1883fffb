"""Attacks on SD-JWT VCs by the names of RFC 9901 (7, 9, 10), SD-JWT VC and HAIP 1.0 6.1, on the whole verifier.

Each is tried twice on a credential of ours and on one of a stranger; what was good before is good afterwards and
says the same, so a refusal leaves nothing behind.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from protocol import issuer_jwt
from protocol.canonical import b64u_decode, b64u_encode
from protocol.disclosure import MAX_DEPTH, MAX_DISCLOSURES, digest_of
from protocol.errors import Rejected
from protocol.formats import Challenge, VerifiedContent, credential_format
from protocol.key_binding import sd_hash, sign_key_binding
from protocol.keys import Es256Private
from tests.protocol import builders as b
from tests.protocol import foreign as f
from tests.protocol.peer_input import forge, forge_header, payload_of

SD_JWT_VC = credential_format("dc+sd-jwt")
CHALLENGE = Challenge(b.AGENCY.client_id, b.NONCE)
TRUST = b.anchored()
CREDENTIAL = b.credential()
PRESENTATION = b.present(CREDENTIAL, ["postcode"])
PID_SHOWN = SD_JWT_VC.present(f.pid(), [["given_name"]], b.HOLDER, CHALLENGE, b.NOW)


def check(text: str, **changes: Any) -> VerifiedContent:
    challenge = Challenge(changes.pop("client_id", CHALLENGE.client_id), changes.pop("nonce", CHALLENGE.nonce))
    return SD_JWT_VC.verify_presented(text, TRUST, challenge, changes.pop("now", b.NOW), **changes)


def receive(text: str) -> VerifiedContent:
    return SD_JWT_VC.verify_issued(text, TRUST, b.NOW)


def refused(code: str, attempt: Callable[[], object]) -> None:
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            attempt()
        assert caught.value.code == code


@pytest.fixture(autouse=True)
def nothing_changed() -> Iterator[None]:
    """Good presentations say the same before and after, and nobody but trusted issuers is remembered."""
    before = check(PRESENTATION), check(PID_SHOWN), receive(CREDENTIAL)
    known = set(issuer_jwt._verdicts._known)  # by other tests in this process too, with issuers of their own
    yield
    assert (check(PRESENTATION), check(PID_SHOWN), receive(CREDENTIAL)) == before
    for token in set(issuer_jwt._verdicts._known) - known:
        head, _, signature = token.rpartition(".")
        key = b.FOREIGN.key if b.FOREIGN.x5c[0] in str(b64u_decode(head.split(".")[0])) else b.ISSUER.key
        key.public.verify(b64u_decode(signature), head.encode())


def shown(jwt: str, *disclosures: str, holder: Es256Private = b.HOLDER, **members: Any) -> str:
    """A presentation of any JWT with a key binding by its holder; `members` replace those of the KB-JWT."""
    presented = "~".join((jwt, *disclosures, ""))
    payload = {
        "aud": CHALLENGE.client_id,
        "nonce": b.NONCE,
        "iat": b.NOW,
        "sd_hash": sd_hash(presented),
        **members,
    }
    return presented + forge({k: v for k, v in payload.items() if v is not None}, holder, "kb+jwt")


def disclosure(*contents: Any) -> tuple[str, str]:
    """(encoded, digest)."""
    encoded = b64u_encode(json.dumps(list(contents)).encode())
    return encoded, b64u_encode(digest_of(encoded))


# Disclosures (RFC 9901 section 7.1)


def test_unreferenced_disclosure() -> None:
    stray, _ = disclosure("salt", "given_name", "Mallory")
    refused("unreferenced_disclosure", lambda: check(shown(f.issuer_jwt(), stray)))
    refused("unreferenced_disclosure", lambda: receive(f.pid() + stray + "~"))
    refused("unreferenced_disclosure", lambda: check(shown(f.issuer_jwt(), f.DISCLOSURES["locality"])))


def test_disclosure_of_another_credential_of_the_same_issuer() -> None:
    other = b.credential(random=b.random_of("other")).split("~")[1]
    refused("unreferenced_disclosure", lambda: check(shown(CREDENTIAL.split("~")[0], other)))


def test_tampered_disclosure() -> None:
    salt, name, _ = json.loads(b64u_decode(f.DISCLOSURES["given_name"]))
    forged, _ = disclosure(salt, name, "Mallory")
    refused("unreferenced_disclosure", lambda: check(shown(f.issuer_jwt(), forged)))


def test_digest_twice_directly() -> None:
    one, digest = disclosure("salt", "a", 1)
    refused("digest_twice", lambda: check(shown(f.issuer_jwt(_sd=[digest, digest]), one)))
    refused("digest_twice", lambda: check(shown(f.issuer_jwt(_sd=[digest], b={"_sd": [digest]}), one)))
    refused("digest_twice", lambda: check(shown(f.issuer_jwt(_sd=[digest, digest]))))


def test_digest_twice_by_way_of_a_disclosure() -> None:
    inner, inner_digest = disclosure("salt", "b", 1)
    outer, outer_digest = disclosure("salt", "a", {"_sd": [inner_digest]})
    jwt = f.issuer_jwt(_sd=[outer_digest, inner_digest])
    refused("digest_twice", lambda: check(shown(jwt, outer, inner)))


def test_disclosure_twice() -> None:
    one = f.DISCLOSURES["given_name"]
    refused("digest_twice", lambda: check(shown(f.issuer_jwt(), one, one)))


@pytest.mark.parametrize("name", ["_sd", "..."])
def test_disclosure_with_a_reserved_name(name: str) -> None:
    one, digest = disclosure("salt", name, [b64u_encode(bytes(32))])
    refused("bad_disclosure", lambda: check(shown(f.issuer_jwt(_sd=[digest]), one)))


def test_disclosure_overwrites_a_claim() -> None:
    one, digest = disclosure("salt", "nationalities", ["XX"])
    refused("claim_overwritten", lambda: check(shown(f.issuer_jwt(_sd=[digest]), one)))
    two, second = disclosure("other", "nationalities", ["YY"])
    bare = f.issuer_jwt(_sd=[digest, second], nationalities=None)
    refused("claim_overwritten", lambda: check(shown(bare, one, two)))


@pytest.mark.parametrize("contents", [["salt", "a", 1, 2], ["salt"], [], ["salt", 1, 2], [1, "a", 2]], ids=str)
def test_disclosure_of_another_form(contents: list[Any]) -> None:
    one, digest = disclosure(*contents)
    refused("bad_disclosure", lambda: check(shown(f.issuer_jwt(_sd=[digest]), one)))


def test_array_element_as_object_member_and_the_reverse() -> None:
    element, element_digest = disclosure("salt", "XX")
    refused("bad_disclosure", lambda: check(shown(f.issuer_jwt(_sd=[element_digest]), element)))
    member, member_digest = disclosure("salt", "a", "XX")
    jwt = f.issuer_jwt(nationalities=[{"...": member_digest}])
    refused("bad_disclosure", lambda: check(shown(jwt, member)))


@pytest.mark.parametrize("algorithm", ["sha-256-32", "sha-512", "SHA-256", "md5", None, 256], ids=str)
def test_unknown_or_truncated_digest_algorithm(algorithm: Any) -> None:
    jwt = forge({**f.PAYLOAD, "_sd_alg": algorithm}, b.FOREIGN.key, "dc+sd-jwt", {"x5c": b.FOREIGN.x5c})
    refused("bad_sd_alg", lambda: check(shown(jwt)))


@pytest.mark.parametrize("name", ["iss", "exp", "nbf", "cnf", "vct", "vct#integrity", "aka_vcts", "status", "aud"])
def test_validity_claim_made_disclosable(name: str) -> None:
    """The holder refuses it at receipt, and the verifier when it is shown."""
    value: Any = {"jwk": b.es256("thief").public.jwk()} if name == "cnf" else b.NOW
    hidden, digest = disclosure("salt", name, value)
    changes = {"_sd": [digest], name: None}
    if name not in ("vct", "cnf"):
        refused("forbidden_disclosure", lambda: receive(f.issuer_jwt(**changes) + f"~{hidden}~"))
        refused("forbidden_disclosure", lambda: check(shown(f.issuer_jwt(**changes), hidden)))
    if name == "vct":
        refused("bad_form", lambda: receive(f.issuer_jwt(**changes) + f"~{hidden}~"))
    if name == "cnf":
        refused("forbidden_disclosure", lambda: receive(f.issuer_jwt(**changes) + f"~{hidden}~"))


def test_part_of_a_validity_claim_made_disclosable() -> None:
    """SD-JWT VC 2.2.2.3: what lies in `status` would be the holder's choice. A `cnf` has nothing but its key."""
    other, digest = disclosure("salt", "other_list", {"idx": 1, "uri": "https://evil.example"})
    jwt = f.issuer_jwt(status={**f.STATUS, "_sd": [digest]})
    assert receive(jwt + "~" + "~".join(f.DISCLOSURES.values()) + "~")
    refused("forbidden_disclosure", lambda: receive(f"{jwt}~{other}~"))
    refused("forbidden_disclosure", lambda: check(shown(jwt, other)))
    refused("bad_form", lambda: receive(f.pid(cnf={"_sd": [digest]})))


def test_validity_claim_made_disclosable_and_withheld() -> None:
    """Without `exp` there has to be a `status`; without `cnf` nothing can be presented as one's own."""
    _, digest = disclosure("salt", "exp", b.NOW - 1)
    refused("bad_credential", lambda: check(shown(f.issuer_jwt(_sd=[digest], exp=None, status=None))))
    refused("no_holder", lambda: check(shown(f.issuer_jwt(_sd=[digest], cnf=None))))


@pytest.mark.parametrize(
    "place",
    [{"_sd": "x"}, {"_sd": [1]}, {"a": {"...": "x"}}, {"a": [{"...": 1}]}, {"a": [{"...": "x", "b": 1}]}],
    ids=str,
)
def test_digest_out_of_place(place: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as caught:
        check(shown(f.issuer_jwt(**place)))
    assert caught.value.code in ("bad_digest", "bad_form")


# Size and depth (RFC 9901 section 9, design clause 21)


def test_recursive_disclosures_form_a_deep_tree() -> None:
    value: Any = 1
    chain = []
    for level in range(MAX_DEPTH + 1):
        encoded, digest = disclosure(str(level), "a", value)
        chain.append(encoded)
        value = {"_sd": [digest]}
    refused("too_deep", lambda: check(shown(f.issuer_jwt(**value), *chain)))


def test_more_disclosures_than_anybody_needs() -> None:
    many = ["WyJhIiwxXQ"] * (MAX_DISCLOSURES + 1)
    refused("too_many_disclosures", lambda: check("~".join((f.issuer_jwt(), *many, ""))))
    refused("too_large", lambda: check("~".join((f.issuer_jwt(), *["WyJhIiwxXQ"] * 100_000, ""))))


def test_oversized_presentation() -> None:
    refused("too_large", lambda: check(f.issuer_jwt() + "~" + "A" * 8_000_000 + "~"))


def test_deep_json_in_payload_header_and_disclosure() -> None:
    deep = b64u_encode(b"[" * 2000 + b"]" * 2000)
    head, payload, signature = f.issuer_jwt().split(".")
    refused("too_deep", lambda: check(f"{deep}.{payload}.{signature}~", allow_unbound=True))
    refused("too_deep", lambda: check(f"{head}.{deep}.{signature}~", allow_unbound=True))
    refused("too_deep", lambda: check(shown(f.issuer_jwt(), deep)))


def test_duplicate_member_in_payload_and_disclosure() -> None:
    """Two readers could each take another value of the two."""
    twice = b'{"vct":"a","vct":"b"}'
    jwt = forge_header(
        {"alg": "ES256", "typ": "dc+sd-jwt", "x5c": b.FOREIGN.x5c}, b64u_encode(twice), b.FOREIGN.key
    )
    refused("duplicate_key", lambda: check(jwt + "~", allow_unbound=True))
    encoded = b64u_encode(b'["salt","a",{"b":1,"b":2}]')
    jwt = f.issuer_jwt(_sd=[b64u_encode(digest_of(encoded))])
    refused("duplicate_key", lambda: check(shown(jwt, encoded)))


# Key binding (RFC 9901 sections 7.3 and 9.5)


@pytest.mark.parametrize("text", [PRESENTATION, PID_SHOWN])
def test_stripped_key_binding(text: str) -> None:
    stripped = text.rpartition("~")[0] + "~"
    refused("no_key_binding", lambda: check(stripped))
    refused("no_key_binding", lambda: check(stripped, allow_unbound=True))


@pytest.mark.parametrize("text", [PRESENTATION, PID_SHOWN])
def test_replayed_nonce(text: str) -> None:
    refused("wrong_nonce", lambda: check(text, nonce=b.NONCE + "x"))


@pytest.mark.parametrize("audience", ["x509_hash:A", b.AGENCY.client_id.removeprefix("x509_hash:"), ""])
def test_other_audience(audience: str) -> None:
    refused("wrong_audience", lambda: check(PRESENTATION, client_id=audience))


def test_audience_among_others() -> None:
    text = shown(f.issuer_jwt(), aud=[CHALLENGE.client_id, "https://other.example"])
    refused("bad_form", lambda: check(text))


@pytest.mark.parametrize("ago", [301, -61, 10**6, -(10**6)])
def test_expired_and_future_iat(ago: int) -> None:
    refused("stale_key_binding", lambda: check(shown(f.issuer_jwt(), iat=b.NOW - ago)))


def test_key_binding_without_iat() -> None:
    refused("bad_form", lambda: check(shown(f.issuer_jwt(), iat=None)))


def test_disclosures_added_or_dropped_behind_the_holders_back() -> None:
    head, rest = PID_SHOWN.split("~", 1)
    refused("bad_key_binding", lambda: check("~".join((head, f.DISCLOSURES["height"], rest))))
    refused("bad_key_binding", lambda: check("~".join((head, PID_SHOWN.rpartition("~")[2]))))


def test_key_binding_moved_to_another_credential_of_the_holder() -> None:
    """Both are bound to one key; `sd_hash` tells them apart."""
    binding = PID_SHOWN.rpartition("~")[2]
    refused("bad_key_binding", lambda: check(b.reveal(CREDENTIAL, ["postcode"]) + binding))


def test_key_binding_by_a_thief() -> None:
    refused("bad_signature", lambda: check(shown(f.issuer_jwt(), holder=b.es256("thief"))))


def test_key_binding_brings_its_own_key() -> None:
    """The key comes from `cnf` and from nowhere else."""
    thief = b.es256("thief")
    presented = f.issuer_jwt() + "~"
    binding = {"aud": CHALLENGE.client_id, "nonce": b.NONCE, "iat": b.NOW, "sd_hash": sd_hash(presented)}
    for header in ({"jwk": thief.public.jwk()}, {"jku": "https://evil.example"}, {"x5u": "https://evil.example"}):
        text = presented + forge(binding, thief, "kb+jwt", header)
        refused("bad_header", lambda text=text: check(text))
    refused("bad_signature", lambda: check(presented + forge(binding, thief, "kb+jwt", {"kid": "thief"})))


@pytest.mark.parametrize("typ", ["JWT", "dc+sd-jwt", "openid4vci-proof+jwt", "oauth-authz-req+jwt"])
def test_key_binding_of_another_type(typ: str) -> None:
    presented = f.issuer_jwt() + "~"
    binding = {"aud": CHALLENGE.client_id, "nonce": b.NONCE, "iat": b.NOW, "sd_hash": sd_hash(presented)}
    refused("bad_type", lambda: check(presented + forge(binding, b.HOLDER, typ)))


def test_issuer_sends_a_key_binding() -> None:
    refused("unexpected_key_binding", lambda: receive(PID_SHOWN))


def test_two_key_bindings() -> None:
    binding = PID_SHOWN.rpartition("~")[2]
    with pytest.raises(Rejected):
        check(f"{PID_SHOWN}~{binding}")


# Whose credential it is (SD-JWT VC sections 2.5 and 6)


def test_issuer_confusion_by_iss() -> None:
    """A type gives no right to issue, nor does a name that the certificate does not carry."""
    refused("wrong_issuer", lambda: check(shown(f.issuer_jwt(iss="https://pid.elders.example.evil.example"))))
    refused("wrong_issuer", lambda: check(shown(f.issuer_jwt(iss="did:jwk:eyJ"))))
    refused("vct_not_allowed", lambda: check(shown(f.issuer_jwt(iss=b.ISSUER_ID))))


@pytest.mark.parametrize(
    "confirmation",
    [
        {"kid": "1"},
        {"jku": "https://evil.example/keys"},
        {"jwk": b.HOLDER.public.jwk(), "jku": "https://evil.example"},
        {"jwk": b.HOLDER.public.jwk(), "x5u": "https://evil.example"},
        {"x5t#S256": "x"},
    ],
    ids=str,
)
def test_confirmation_key_that_would_have_to_be_fetched(confirmation: dict[str, Any]) -> None:
    """An issuer could learn of each use by it."""
    refused("bad_form", lambda: receive(f.pid(cnf=confirmation)))


@pytest.mark.parametrize("change", [{"d": "AAAA"}, {"k": "AAAA"}, {"crv": "P-384"}, {"y": b64u_encode(bytes(32))}])
def test_confirmation_key_private_foreign_or_off_the_curve(change: dict[str, str]) -> None:
    jwk = {**b.HOLDER.public.jwk(), **change}
    refused("bad_key", lambda: receive(f.pid(cnf={"jwk": jwk})))


def test_remembered_verdict_is_no_pass_for_another_text() -> None:
    """The genuine JWT is remembered; its payload under another header, or with another signature, is not."""
    head, payload, signature = f.issuer_jwt().split(".")
    check(PID_SHOWN)
    other = forge_header({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": b.FOREIGN.x5c, "z": 1}, payload, b.es256("x"))
    refused("bad_signature", lambda: check(shown(other)))
    refused("bad_signature", lambda: check(shown(f"{head}.{payload}.{b64u_encode(bytes(64))}")))
    changed = b64u_encode(json.dumps({**payload_of(f.issuer_jwt()), "given_name": "Mallory"}).encode())
    refused("bad_signature", lambda: check(shown(f"{head}.{changed}.{signature}")))


def test_holder_signs_nothing_that_is_no_sd_jwt() -> None:
    with pytest.raises(ValueError, match="ends in"):
        sign_key_binding("x", b.HOLDER, audience="a", nonce="n", iat=b.NOW)
