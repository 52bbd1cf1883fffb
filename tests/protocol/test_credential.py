"""SD-JWT VC: issued whole, verified strictly, and every attack of the specifications refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import credential as c
from protocol import issuer_jwt as j
from protocol import x509
from protocol.anchors import speaks_for
from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, parse_object
from protocol.disclosure import MAX_DISCLOSURES, digest_of, make_disclosure
from protocol.errors import Rejected
from protocol.jws import sign_jws
from protocol.key_binding import sign_key_binding
from protocol.keys import Es256Private
from protocol.status_list import StatusReference
from protocol.trust_list import TrustList
from tests.protocol import builders as b
from tests.protocol.mutations import json_values, spoiled_text

CREDENTIAL = b.credential()
JWT = CREDENTIAL.split("~")[0]
SHOWN = ["postcode", "huisnummer", *b.flags(b.ADRES)]
PRESENTATION = b.present(CREDENTIAL, SHOWN)
PAYLOAD = parse_object(b64u_decode(JWT.split(".")[1]))


def issuer_jwt(
    *, key: Es256Private = b.ISSUER.key, header: Any = None, typ: str = j.CREDENTIAL_TYP, **members: Any
) -> str:
    """The issuer-signed JWT with other members; None removes one."""
    payload = {name: value for name, value in {**PAYLOAD, **members}.items() if value is not None}
    return sign_jws(payload, key, typ=typ, header={"x5c": b.ISSUER.x5c, **(header or {})})


def verify_jwt(jwt: str, trust: TrustList = b.TRUST, now: int = b.NOW) -> j.VerifiedIssuerJwt:
    return j.verify_issuer_jwt(jwt, trust, now)


def jwt_refused(code: str, jwt: str, trust: TrustList = b.TRUST, now: int = b.NOW) -> None:
    """Refused, and refused again: nothing was remembered by the first try."""
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            verify_jwt(jwt, trust, now)
        assert caught.value.code == code


def verify(text: str = PRESENTATION, **changes: Any) -> c.VerifiedPresentation:
    arguments: dict[str, Any] = {"now": b.NOW, "audience": b.AGENCY.client_id, "nonce": b.NONCE}
    return c.verify_presentation(text, b.TRUST, **{**arguments, **changes})


def refused(code: str, text: str, **changes: Any) -> None:
    with pytest.raises(Rejected) as caught:
        verify(text, **changes)
    assert caught.value.code == code


def receive_refused(code: str, text: str) -> None:
    with pytest.raises(Rejected) as caught:
        c.verify_credential(text, b.TRUST, b.NOW)
    assert caught.value.code == code


# Issuing


@pytest.mark.parametrize("vct", CREDENTIAL_TYPES)
def test_every_attribute_is_a_disclosure_of_its_own(vct: str) -> None:
    received = c.verify_credential(b.credential(vct), b.TRUST, b.NOW)
    assert dict(received.claims) == b.attributes_of(vct)
    assert set(received.disclosures) == set(CREDENTIAL_TYPES[vct].names)
    assert len(received.issuer_jwt.digests) == CREDENTIAL_TYPES[vct].digest_count
    for encoded in received.disclosures.values():
        assert digest_of(encoded) in received.issuer_jwt.digests


def test_nothing_about_the_resident_is_visible_without_a_read() -> None:
    assert set(PAYLOAD) == {"_sd", "_sd_alg", "cnf", "exp", "iat", "iss", "loa", "set", "status", "vct"}


def test_verified_members_are_those_that_were_issued() -> None:
    verified = verify_jwt(JWT)
    assert (verified.iss, verified.vct, verified.loa) == (b.ISSUER_ID, b.ADRES, "high")
    assert (verified.iat, verified.exp) == (b.NOW, b.NOW + 365 * b.DAY)
    assert verified.holder == b.HOLDER.public
    assert verified.set_id == b.set_id()
    assert verified.status == StatusReference(idx=4711, uri=b.STATUS_URI)
    assert verified.token == JWT


def test_digests_are_sorted_so_that_their_order_tells_nothing() -> None:
    assert PAYLOAD["_sd"] == sorted(PAYLOAD["_sd"])


def test_two_copies_share_no_digest_and_no_salt() -> None:
    first, second = (b.credential(random=b.random_of(seed)) for seed in ("one", "two"))
    one, two = (c.verify_credential(text, b.TRUST, b.NOW) for text in (first, second))
    assert not one.issuer_jwt.digests & two.issuer_jwt.digests
    assert not set(one.disclosures.values()) & set(two.disclosures.values())


def test_issuer_issues_no_part_of_a_type() -> None:
    whole = b.attributes_of(b.ADRES)
    for attributes in (
        {name: value for name, value in whole.items() if name != "postcode"},
        {**whole, "burgerservicenummer": "999990019"},
        {},
    ):
        with pytest.raises(ValueError, match="every attribute"):
            b.credential(attributes=attributes)


def test_issuer_refuses_an_attribute_larger_than_its_padded_size() -> None:
    assert b.credential(attributes=b.attributes_of(b.ADRES, straat="x" * 152))
    with pytest.raises(ValueError, match="padded size"):
        b.credential(attributes=b.attributes_of(b.ADRES, straat="x" * 154))


def test_issuer_issues_no_unknown_type_and_no_short_set() -> None:
    with pytest.raises(Rejected, match="unknown_vct"):
        b.credential(vct="urn:regie:nl:geheim:1", attributes={})
    with pytest.raises(Rejected, match="bad_base64"):
        b.credential(set_id="AAAA")


# Receiving


def test_holder_refuses_key_binding_from_an_issuer() -> None:
    receive_refused("unexpected_key_binding", PRESENTATION)


def test_holder_refuses_a_credential_that_came_cut_short() -> None:
    receive_refused("incomplete_credential", b.reveal(CREDENTIAL, SHOWN))
    receive_refused("incomplete_credential", JWT + "~")


def test_holder_refuses_a_credential_with_another_number_of_digests() -> None:
    disclosures = CREDENTIAL.split("~", 1)[1]
    receive_refused("incomplete_credential", issuer_jwt(_sd=[*PAYLOAD["_sd"], "A" * 43]) + "~" + disclosures)


def test_holder_refuses_a_visible_attribute() -> None:
    disclosures = CREDENTIAL.split("~", 1)[1]
    receive_refused("incomplete_credential", issuer_jwt(extra=1) + "~" + disclosures)


def test_holder_refuses_an_attribute_that_could_not_be_sealed() -> None:
    large = make_disclosure("straat", "x" * 200, bytes(16))
    parts = CREDENTIAL.split("~")
    names = CREDENTIAL_TYPES[b.ADRES].names
    old = parts[1 + names.index("straat")]
    digests = [d for d in PAYLOAD["_sd"] if d != b64u_encode(digest_of(old))] + [b64u_encode(large.digest)]
    parts[0], parts[1 + names.index("straat")] = issuer_jwt(_sd=digests), large.encoded
    receive_refused("incomplete_credential", "~".join(parts))


# Form


@pytest.mark.parametrize("text", ["", "~", "~~", JWT, "a~~b", JWT + "~~", JWT + "~é~", "\ud800~"])
def test_texts_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(Rejected, match="bad_sd_jwt"):
        c.split_sd_jwt(text)


def test_split_keeps_every_part() -> None:
    parts = c.split_sd_jwt(PRESENTATION)
    assert parts.jwt == JWT
    assert len(parts.disclosures) == len(SHOWN)
    assert parts.presented + str(parts.kb_jwt) == PRESENTATION
    assert c.split_sd_jwt("a~") == c.SdJwt("a", (), None)
    assert c.split_sd_jwt("a~b") == c.SdJwt("a", (), "b")


def test_sizes_and_numbers_are_limited() -> None:
    assert c.split_sd_jwt("a~" + "b~" * MAX_DISCLOSURES)
    with pytest.raises(Rejected, match="too_many_disclosures"):
        c.split_sd_jwt("a~" + "b~" * (MAX_DISCLOSURES + 1))
    assert c.split_sd_jwt("a" * (c.MAX_SD_JWT_BYTES - 1) + "~")
    with pytest.raises(Rejected, match="too_large"):
        c.split_sd_jwt("a" * c.MAX_SD_JWT_BYTES + "~")
    jwt_refused("too_large", "a" * (j.MAX_ISSUER_JWT_BYTES + 1))
    jwt_refused("bad_jws", "a" * j.MAX_ISSUER_JWT_BYTES)
    jwt_refused("too_large", "A" * (j.MAX_HEADER_CHARACTERS + 1) + ".e30.AA")


# The issuer-signed JWT


def test_issuer_that_is_not_listed_is_refused() -> None:
    jwt_refused("not_listed", issuer_jwt(iss="https://elders.example"))


def test_listed_issuer_issues_only_its_own_types() -> None:
    trust = b.trust_list(issuers=[b.issuer(vcts=[b.PERSOON])])
    jwt_refused("vct_not_allowed", JWT, trust)


def test_chain_of_a_stranger_is_refused_although_it_names_the_issuer() -> None:
    jwt_refused("untrusted_chain", issuer_jwt(key=b.STRANGER.key, header={"x5c": b.STRANGER.x5c}))


def test_leaf_that_does_not_name_the_issuer_is_refused() -> None:
    other = b.party("issuer", san_dns="elders.example", san_uri=b.ISSUER_ID + "/x")
    jwt_refused("wrong_issuer", issuer_jwt(key=other.key, header={"x5c": other.x5c}))


@pytest.mark.parametrize(
    "names",
    [{"san_uri": b.ISSUER_ID}, {"san_dns": "issuer.voorbeeld.example"}, {"san_dns": "ISSUER.voorbeeld.example"}],
)
def test_leaf_names_the_issuer_by_uri_or_by_host(names: dict[str, str]) -> None:
    one = b.party("issuer", **names)
    assert verify_jwt(issuer_jwt(key=one.key, header={"x5c": one.x5c}))


def test_issuer_id_that_no_url_parser_takes_is_refused_cleanly() -> None:
    odd = "https://[x"
    trust = b.trust_list(issuers=[b.issuer(id=odd)])
    jwt_refused("wrong_issuer", issuer_jwt(iss=odd), trust)


def test_signature_by_another_key_is_refused() -> None:
    jwt_refused("bad_signature", issuer_jwt(key=b.es256("thief")))


def test_zero_signature_is_refused() -> None:
    jwt_refused("bad_signature", f"{JWT.rpartition('.')[0]}.{b64u_encode(bytes(64))}")


def test_signature_of_another_form_is_refused() -> None:
    body = JWT.rpartition(".")[0]
    for signature in (b"", bytes(63), bytes(65), b"0E" + bytes(68)):
        with pytest.raises(Rejected):
            verify_jwt(f"{body}.{b64u_encode(signature)}")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"alg": "none"}, "bad_algorithm"),
        ({"alg": "HS256"}, "bad_algorithm"),
        ({"alg": "ES384"}, "bad_algorithm"),
        ({"alg": ["ES256"]}, "bad_algorithm"),
        ({"typ": "vc+sd-jwt"}, "bad_type"),
        ({"typ": "JWT"}, "bad_type"),
        ({"jku": "https://evil.example/keys"}, "bad_header"),
        ({"x5u": "https://evil.example/chain"}, "bad_header"),
        ({"crit": ["b64"], "b64": False}, "bad_header"),
        ({"jwk": b.ISSUER.key.public.jwk()}, "bad_header"),
        ({"x5c": None}, "bad_x5c"),
        ({"x5c": []}, "bad_x5c"),
        ({"x5c": b.ISSUER.x5c + b.ISSUER.roots}, "bad_chain"),
        ({"x5c": b.ISSUER.x5c * 5}, "bad_x5c"),
    ],
    ids=str,
)
def test_dangerous_headers_are_refused(header: dict[str, Any], code: str) -> None:
    with pytest.raises(Rejected) as caught:
        verify_jwt(issuer_jwt(header=header))
    assert caught.value.code == code


def test_kid_beside_x5c_is_left_alone() -> None:
    assert verify_jwt(issuer_jwt(header={"kid": "../../etc/passwd"}))


@pytest.mark.parametrize("name", ["iss", "vct", "iat", "exp", "cnf"])
def test_member_that_controls_validity_must_be_visible(name: str) -> None:
    jwt_refused("bad_form", issuer_jwt(**{name: None}))


@pytest.mark.parametrize("name", ["loa", "set", "status"])
def test_own_types_carry_loa_set_and_status(name: str) -> None:
    jwt_refused("bad_form", issuer_jwt(**{name: None}))


@pytest.mark.parametrize(
    "members",
    [
        {"iss": 1},
        {"iss": ""},
        {"vct": ["x"]},
        {"iat": "1"},
        {"iat": -1},
        {"exp": "never"},
        {"exp": True},
        {"nbf": "x"},
        {"cnf": {}},
        {"cnf": {"jwk": "x"}},
        {"cnf": {"kid": "x"}},
        {"cnf": {"jwk": b.HOLDER.public.jwk(), "jku": "https://evil.example"}},
        {"status": "valid"},
        {"status": {}},
        {"status": {"status_list": {"idx": -1, "uri": "x"}}},
        {"status": {"status_list": {"idx": "1", "uri": "x"}}},
        {"status": {"status_list": {"idx": 2**33, "uri": "x"}}},
        {"status": {"status_list": {"uri": "x"}}},
        {"status": {"status_list": {"idx": 1, "uri": ""}}},
        {"loa": "very high"},
        {"set": 1},
        {"_sd": "x"},
        {"_sd": ["short"]},
        {"_sd": [1]},
        {"_sd": ["A" * 44]},
    ],
    ids=str,
)
def test_members_of_another_form_are_refused(members: dict[str, Any]) -> None:
    jwt_refused("bad_form", issuer_jwt(**members))


def test_holder_key_must_be_public_and_on_p256() -> None:
    jwk = b.HOLDER.public.jwk()
    for changes in ({"d": "AAAA"}, {"crv": "P-384"}, {"kty": "oct"}, {"x": jwk["y"]}, {"x": None}, {"y": 1}):
        jwt_refused("bad_key", issuer_jwt(cnf={"jwk": {**jwk, **changes}}))
    jwt_refused("bad_base64", issuer_jwt(cnf={"jwk": {**jwk, "x": "AAAA"}}))


def test_set_is_sixteen_bytes() -> None:
    for text in ("A" * 21, "A" * 23, ""):
        jwt_refused("bad_form", issuer_jwt(set=text))


def test_dates_are_checked_also_for_what_was_remembered() -> None:
    jwt = issuer_jwt(nbf=b.NOW, exp=b.NOW + 100)
    for now in (b.NOW, b.NOW + 99):
        assert verify_jwt(jwt, now=now)
    jwt_refused("not_yet_valid", jwt, now=b.NOW - 1)
    jwt_refused("expired_credential", jwt, now=b.NOW + 100)
    assert verify_jwt(jwt, now=b.NOW), "expiry is a matter of the clock, not of the token"


def test_credential_from_the_future_is_refused() -> None:
    assert verify_jwt(JWT, now=b.NOW - j.MAX_CLOCK_SKEW)
    jwt_refused("not_yet_valid", JWT, now=b.NOW - j.MAX_CLOCK_SKEW - 1)


def test_issuer_that_left_the_trust_list_is_refused_although_remembered() -> None:
    assert verify_jwt(JWT)
    jwt_refused("not_listed", JWT, b.trust_list(issuers=[]))
    jwt_refused("vct_not_allowed", JWT, b.trust_list(issuers=[b.issuer(vcts=[b.GEZIN])]))
    jwt_refused("untrusted_chain", JWT, b.trust_list(issuers=[b.issuer(roots=b.STRANGER.roots)]))


def test_certificate_that_expires_is_noticed_although_remembered() -> None:
    short = b.party("issuer", san_uri=b.ISSUER_ID, not_after=b.NOW + 10)
    trust = b.trust_list(issuers=[b.issuer(roots=short.roots)])
    jwt = issuer_jwt(key=short.key, header={"x5c": short.x5c})
    assert verify_jwt(jwt, trust)
    jwt_refused("certificate_expired", jwt, trust, b.NOW + 11)


def test_only_as_many_verdicts_are_remembered() -> None:
    verdicts = j.Verdicts(2)
    made = [verify_jwt(issuer_jwt(nbf=n)) for n in range(3)]
    for verdict in made[:2]:
        verdicts.put(verdict)
    assert verdicts.get(made[0].token) is made[0]
    verdicts.put(made[2])
    assert verdicts.get(made[1].token) is None, "the least recently used goes first"
    assert verdicts.get(made[0].token) is made[0]
    verdicts.drop(made[0].token)
    assert verdicts.get(made[0].token) is None
    verdicts.drop("unknown")


def test_type_of_others_needs_no_loa_set_or_status() -> None:
    vct = "urn:eudi:pid:1"
    trust = b.trust_list(issuers=[b.issuer(vcts=[vct])])
    jwt = issuer_jwt(vct=vct, loa=None, set=None, status=None, _sd=None, given_name="Jiska", sub="1")
    received = c.verify_credential(jwt + "~", trust, b.NOW)
    assert received.claims == {"given_name": "Jiska", "sub": "1"}
    assert (received.issuer_jwt.loa, received.issuer_jwt.set_id, received.issuer_jwt.status) == (None, None, None)
    assert received.issuer_jwt.digests == frozenset()


# Presentations


def test_presentation_shows_what_was_chosen_and_nothing_else() -> None:
    verified = verify()
    assert dict(verified.credential.claims) == {
        "postcode": "1234AB",
        "huisnummer": 12,
        "geheimhouding": None,
        "inOnderzoek": None,
        "opschorting": None,
    }
    assert set(verified.credential.disclosures) == set(SHOWN)
    assert verified.key_binding.iat == b.NOW
    assert verified.key_binding.consent is None


def test_presentation_without_disclosures_carries_the_consent() -> None:
    text = b.present(CREDENTIAL, [], consent=bytes(range(32)))
    verified = verify(text)
    assert verified.credential.claims == {}
    assert verified.key_binding.consent == bytes(range(32))


def test_stripped_key_binding_is_refused() -> None:
    refused("no_key_binding", b.reveal(CREDENTIAL, SHOWN))
    refused("no_key_binding", CREDENTIAL)


def test_presentation_made_for_another_audience_is_refused() -> None:
    refused("wrong_audience", PRESENTATION, audience=b.AGENCY.client_id[:-1] + "A")


def test_replayed_presentation_is_refused() -> None:
    refused("wrong_nonce", PRESENTATION, nonce="another")
    refused("stale_key_binding", PRESENTATION, now=b.NOW + 301)
    assert verify(max_age=400, now=b.NOW + 301)


def test_presentation_by_somebody_else_than_the_holder_is_refused() -> None:
    refused("bad_signature", b.present(CREDENTIAL, SHOWN, holder=b.es256("thief")))


def test_disclosure_added_after_the_holder_signed_is_refused() -> None:
    extra = CREDENTIAL.split("~")[1]
    jwt, rest = PRESENTATION.split("~", 1)
    refused("bad_key_binding", f"{jwt}~{extra}~{rest}")


def test_disclosure_dropped_after_the_holder_signed_is_refused() -> None:
    parts = PRESENTATION.split("~")
    refused("bad_key_binding", "~".join(parts[:1] + parts[2:]))


def presented_with(*disclosures: str) -> str:
    """A presentation whose holder signs for disclosures of any origin."""
    text = "~".join((JWT, *disclosures, ""))
    arguments: dict[str, Any] = {"audience": b.AGENCY.client_id, "nonce": b.NONCE, "iat": b.NOW}
    return text + sign_key_binding(text, b.HOLDER, **arguments)


def test_holder_cannot_bring_a_disclosure_of_another_credential() -> None:
    other = b.credential(random=b.random_of("other")).split("~")[1]
    refused("unreferenced_disclosure", presented_with(other))


def test_holder_cannot_change_a_value() -> None:
    salt = parse_salt(CREDENTIAL.split("~")[1])
    forged = b64u_encode(canonical_bytes([salt, "straat", "Paleis"]))
    refused("unreferenced_disclosure", presented_with(forged))


def parse_salt(encoded: str) -> str:
    return str(json.loads(b64u_decode(encoded))[0])


def test_holder_cannot_show_one_attribute_twice() -> None:
    one = CREDENTIAL.split("~")[1]
    refused("digest_twice", presented_with(one, one))


def test_presentations_of_two_audiences_do_not_mix() -> None:
    other = b.present(CREDENTIAL, SHOWN, audience="x509_hash:other")
    refused("wrong_audience", PRESENTATION.rpartition("~")[0] + "~" + other.rpartition("~")[2])


def test_issuer_cannot_make_a_forbidden_claim_disclosable() -> None:
    hidden = b64u_encode(canonical_bytes(["salt", "aud", "x"]))
    jwt = issuer_jwt(_sd=[b64u_encode(digest_of(hidden))])
    with pytest.raises(Rejected, match="forbidden_disclosure"):
        c._with_disclosures(verify_jwt(jwt), [hidden])


def test_disclosure_cannot_replace_set_or_loa() -> None:
    for name in ("set", "loa"):
        hidden = b64u_encode(canonical_bytes(["salt", name, "low"]))
        jwt = issuer_jwt(_sd=[b64u_encode(digest_of(hidden))])
        with pytest.raises(Rejected, match="claim_overwritten"):
            c._with_disclosures(verify_jwt(jwt), [hidden])


def test_unknown_digest_algorithm_is_refused() -> None:
    for alg in ("sha-512", "sha-256-32", "md5"):
        with pytest.raises(Rejected, match="bad_sd_alg"):
            c._with_disclosures(verify_jwt(issuer_jwt(_sd_alg=alg)), [])


def test_der_certificate_in_place_of_the_chain_is_refused() -> None:
    jwt_refused("bad_certificate", issuer_jwt(header={"x5c": [b64u_encode(b.ISSUER.leaf)]}))


def test_names_of_a_leaf_match_only_whole_hosts() -> None:
    leaf = x509.verify_chain([b.ISSUER.leaf], [b.ISSUER.root], b.NOW)
    for iss in ("https://voorbeeld.example", "https://x.issuer.voorbeeld.example", "issuer.voorbeeld.example", ""):
        assert not speaks_for(leaf, iss)
    assert speaks_for(leaf, "https://ISSUER.voorbeeld.example:8443/path")


# Noise


@settings(max_examples=200)
@given(spoiled_text(PRESENTATION))
def test_spoiled_presentation_raises_nothing_but_rejected(text: str) -> None:
    if text == PRESENTATION:
        return
    with pytest.raises(Rejected):
        verify(text)


@settings(max_examples=100)
@given(spoiled_text(CREDENTIAL))
def test_spoiled_credential_raises_nothing_but_rejected(text: str) -> None:
    if text == CREDENTIAL:
        return
    with pytest.raises(Rejected):
        c.verify_credential(text, b.TRUST, b.NOW)


@given(st.one_of(st.text(max_size=50), st.text("~.aA_-", max_size=30)))
def test_noise_raises_nothing_but_rejected(text: str) -> None:
    with pytest.raises(Rejected):
        verify(text)


@settings(max_examples=150)
@given(
    st.dictionaries(st.sampled_from([*PAYLOAD, "nbf", "x"]), json_values, max_size=3),
    st.dictionaries(st.sampled_from(["x5c", "kid", "cty", "crit"]), json_values, max_size=2),
)
def test_hostile_issuer_raises_nothing_but_rejected(members: dict[str, Any], header: dict[str, Any]) -> None:
    head = {"alg": "ES256", "typ": j.CREDENTIAL_TYP, "x5c": b.ISSUER.x5c, **header}
    body = ".".join(b64u_encode(json.dumps(part).encode()) for part in (head, {**PAYLOAD, **members}))
    try:
        verify_jwt(f"{body}.{b64u_encode(b.ISSUER.key.sign(body.encode()))}").digests  # noqa: B018
    except Rejected:
        return
