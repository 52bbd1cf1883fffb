"""The trust list: who is listed, rollback, immutability of services, and whose leaf signed."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import trust_list as tl
from protocol import x509
from protocol.canonical import b64u_encode, to_builtins
from protocol.errors import Rejected
from protocol.jws import sign_jws
from tests.protocol import builders as b
from tests.protocol.mutations import json_values, spoiled_text

TOKEN = b.trust_list_token()
PLAIN = to_builtins(b.TRUST)


def verify(token: str = TOKEN, now: int = b.NOW, minimum_version: int = 0) -> tl.TrustList:
    return tl.verify_trust_list(token, b.REGISTRAR.public, now, minimum_version)


def refused(code: str, token: str, **changes: Any) -> None:
    with pytest.raises(Rejected) as caught:
        verify(token, **changes)
    assert caught.value.code == code


def signed(plain: Any, typ: str = tl.TRUST_LIST_TYP) -> str:
    """Any payload, signed by the registrar without the checks of `sign_trust_list`."""
    return sign_jws(plain, b.REGISTRAR, typ=typ)


def altered(*path: Any, value: Any = None) -> str:
    """The list with the member at `path` replaced, or removed with None."""
    plain = json.loads(json.dumps(PLAIN))
    target = plain
    for step in path[:-1]:
        target = target[step]
    if value is None:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return signed(plain)


def test_signed_list_reads_back() -> None:
    assert verify() == b.TRUST


def test_lookups_find_the_listed() -> None:
    trust = verify()
    assert trust.issuer(b.ISSUER_ID).name == "Basisregistratie Voorbeeld"
    assert trust.agency(b.AGENCY_ID).root_certificates == (b.AGENCY.root,)
    assert trust.service(b.AGENCY_ID, b.SERVICE_ID, 1).mode == "store"
    assert trust.log(b.LOG_ORIGIN).url == b.LOG_URL
    assert trust.witness(b.AUDITOR_NAME).auditing


def test_what_is_not_listed_is_refused() -> None:
    trust = verify()
    for look_up in (
        lambda: trust.issuer(b.ISSUER_ID + "/"),
        lambda: trust.agency("0" * 20),
        lambda: trust.service(b.AGENCY_ID, b.SERVICE_ID, 2),
        lambda: trust.service("0" * 20, b.SERVICE_ID, 1),
        lambda: trust.log("elders"),
        lambda: trust.witness("elders"),
    ):
        with pytest.raises(Rejected, match="not_listed") as caught:
            look_up()
        assert caught.value.status == 403


def test_list_by_another_key_is_refused() -> None:
    with pytest.raises(Rejected, match="bad_signature"):
        tl.verify_trust_list(TOKEN, b.es256("impostor").public, b.NOW)


def test_older_version_than_seen_is_refused() -> None:
    token = b.trust_list_token(version=7)
    assert verify(token, minimum_version=7).version == 7
    refused("trust_list_rollback", token, minimum_version=8)


def test_list_is_in_force_from_iat_until_exp() -> None:
    start, end = b.TRUST.iat - tl.MAX_CLOCK_SKEW, b.TRUST.exp - 1
    assert verify(now=start)
    assert verify(now=end)
    refused("expired_trust_list", TOKEN, now=start - 1)
    refused("expired_trust_list", TOKEN, now=end + 1)


def test_another_kind_of_token_is_refused() -> None:
    refused("bad_type", signed(PLAIN, typ="regie-read+jwt"))


@pytest.mark.parametrize("what", ["issuers", "agencies", "logs", "witnesses"])
def test_party_listed_twice_is_refused(what: str) -> None:
    twice = {what: [getattr(b.TRUST, what)[0]] * 2}
    with pytest.raises(Rejected, match="duplicate_entry"):
        b.trust_list_token(**twice)
    refused("duplicate_entry", signed(b.trust_list(**twice)))


def test_service_version_listed_twice_is_refused() -> None:
    other = b.service(purpose=tl.Words(nl="Iets anders", en="Something else"))
    refused("duplicate_entry", signed(b.trust_list(agencies=[b.agency(services=[b.service(), other])])))
    assert b.trust_list_token(agencies=[b.agency(services=[b.service(), b.service(version=2)])])


def test_claim_registered_twice_is_refused() -> None:
    claim = tl.ServiceClaim(vct=b.ADRES, path=["postcode"], needed=True)
    services = [b.service(claims=[claim, tl.ServiceClaim(vct=b.ADRES, path=["postcode"], needed=False)])]
    refused("duplicate_entry", signed(b.trust_list(agencies=[b.agency(services=services)])))


def test_root_that_is_no_certificate_is_refused() -> None:
    refused("bad_certificate", altered("issuers", 0, "roots", value=["AAAA"]))
    refused("bad_certificate", altered("agencies", 0, "roots", value=[b.AGENCY.roots[0][:-4]]))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), None),
        (("version",), 0),
        (("version",), "1"),
        (("iat",), None),
        (("exp",), -1),
        (("more",), 1),
        (("issuers",), {}),
        (("issuers", 0, "id"), "issuer.voorbeeld.example"),
        (("issuers", 0, "id"), "javascript:alert(1)"),
        (("issuers", 0, "id"), "https://x y"),
        (("issuers", 0, "id"), "https://x\n"),
        (("issuers", 0, "roots"), []),
        (("issuers", 0, "roots"), None),
        (("issuers", 0, "vcts"), []),
        (("issuers", 0, "extra"), 1),
        (("agencies", 0, "id"), "0000009900000000100"),
        (("agencies", 0, "id"), "00000099000000001000\n"),
        (("agencies", 0, "id"), "0000009900000000100x"),
        (("agencies", 0, "bsn_allowed"), 1),
        (("agencies", 0, "name"), ""),
        (("agencies", 0, "services", 0, "version"), 0),
        (("agencies", 0, "services", 0, "basis"), "because"),
        (("agencies", 0, "services", 0, "mode"), "sell"),
        (("agencies", 0, "services", 0, "claims"), []),
        (("agencies", 0, "services", 0, "claims", 0, "path"), []),
        (("agencies", 0, "services", 0, "longest_term"), 0),
        (("agencies", 0, "services", 0, "retention"), "one year"),
        (("agencies", 0, "services", 0, "retention"), "P"),
        (("agencies", 0, "services", 0, "retention"), "P1Y\n"),
        (("agencies", 0, "services", 0, "retention"), "P1DT"),
        (("agencies", 0, "services", 0, "name"), {"nl": "x"}),
        (("agencies", 0, "services", 0, "privacy_policy"), "file:///etc/passwd"),
        (("logs", 0, "deposit_key"), ""),
        (("logs", 0, "vkey"), None),
        (("witnesses", 0, "auditing"), None),
    ],
    ids=str,
)
def test_members_of_another_form_are_refused(path: tuple[Any, ...], value: Any) -> None:
    refused("bad_form", altered(*path, value=value))


def test_registrar_signs_no_list_that_no_reader_would_accept() -> None:
    with pytest.raises(Rejected, match="bad_form"):
        b.trust_list_token(agencies=[b.agency(id="1")])
    texts = [b.service(version=n, purpose=tl.Words(nl="n" * 2000, en="e" * 2000)) for n in range(1, 800)]
    with pytest.raises(Rejected, match="too_large"):
        b.trust_list_token(agencies=[b.agency(services=texts)])


@pytest.mark.parametrize("retention", ["P1Y", "P6M", "P2W", "P30D", "PT1H", "P1Y6M3DT4H5M6S", "P0D"])
def test_retention_is_an_iso_8601_duration(retention: str) -> None:
    assert verify(altered("agencies", 0, "services", 0, "retention", value=retention))


def test_duplicate_json_member_is_refused() -> None:
    header = b64u_encode(b'{"alg":"ES256","typ":"regie-trust-list+jwt"}')
    twice = json.dumps(PLAIN)[:-1] + ', "version": 9}'
    body = f"{header}.{b64u_encode(twice.encode())}"
    refused("duplicate_key", f"{body}.{b64u_encode(b.REGISTRAR.sign(body.encode()))}")


def test_size_limit_is_its_own_and_larger_than_that_of_tokens() -> None:
    services = [b.service(version=n) for n in range(1, 101)]
    token = b.trust_list_token(agencies=[b.agency(services=services)])
    assert len(token) > 64 * 1024
    assert verify(token).service(b.AGENCY_ID, b.SERVICE_ID, 100)
    refused("too_large", token + "A" * tl.MAX_TRUST_LIST_BYTES)


def test_number_of_roots_is_limited() -> None:
    roots = b.AGENCY.roots * tl.MAX_ROOTS
    assert verify(altered("agencies", 0, "roots", value=roots))
    refused("bad_form", altered("agencies", 0, "roots", value=[*roots, roots[0]]))


def test_successor_may_add_and_remove_but_not_change_a_service_version() -> None:
    new = b.trust_list(version=2, agencies=[b.agency(services=[b.service(), b.service(version=2, mode="view")])])
    tl.check_successor(b.TRUST, new)
    tl.check_successor(b.TRUST, b.TRUST)
    tl.check_successor(b.TRUST, b.trust_list(version=2, agencies=[]))
    changed = b.trust_list(version=2, agencies=[b.agency(services=[b.service(mode="view")])])
    with pytest.raises(Rejected, match="service_changed"):
        tl.check_successor(b.TRUST, changed)


def test_successor_never_goes_back_and_never_forks() -> None:
    with pytest.raises(Rejected, match="trust_list_rollback"):
        tl.check_successor(b.trust_list(version=2), b.TRUST)
    with pytest.raises(Rejected, match="trust_list_fork"):
        tl.check_successor(b.TRUST, b.trust_list(agencies=[]))


def test_agency_is_found_by_its_leaf() -> None:
    assert tl.agency_of_leaf(b.TRUST, [b.AGENCY.leaf], b.NOW).id == b.AGENCY_ID


def test_leaf_of_nobody_listed_is_refused() -> None:
    for chain, code in (
        ([b.STRANGER.leaf], "not_listed"),
        ([b.ISSUER.leaf], "not_listed"),
        ([], "bad_chain"),
        ([b"x"], "bad_certificate"),
    ):
        with pytest.raises(Rejected) as caught:
            tl.agency_of_leaf(b.TRUST, chain, b.NOW)
        assert caught.value.code == code


def test_expired_leaf_of_an_agency_is_refused() -> None:
    with pytest.raises(Rejected, match="certificate_expired"):
        tl.agency_of_leaf(b.TRUST, [b.AGENCY.leaf], b.NOW + 401 * b.DAY)


def test_forged_leaf_under_the_name_of_an_agencys_root_is_refused() -> None:
    thief = b.es256("thief")
    root = x509.make_root(thief, "agency root", serial=1, not_before=b.NOW, not_after=b.NOW + b.DAY)
    leaf = x509.make_leaf(
        thief.public,
        "agency",
        thief,
        root,
        san_dns=b.AGENCY_HOST,
        serial=2,
        not_before=b.NOW,
        not_after=b.NOW + b.DAY,
    )
    with pytest.raises(Rejected, match="bad_chain"):
        tl.agency_of_leaf(b.TRUST, [leaf], b.NOW)


def test_root_shared_by_two_agencies_tells_no_agency() -> None:
    both = b.trust_list(agencies=[b.agency(), b.agency(id="0" * 20)])
    with pytest.raises(Rejected, match="ambiguous_agency"):
        tl.agency_of_leaf(both, [b.AGENCY.leaf], b.NOW)


def agency_jws(**changes: Any) -> str:
    arguments = {"typ": "regie-read+jwt", "header": {"x5c": b.AGENCY.x5c}, "key": b.AGENCY.key, **changes}
    return sign_jws({"iat": b.NOW}, arguments["key"], typ=arguments["typ"], header=arguments["header"])


def test_what_an_agency_signed_is_read() -> None:
    payload = tl.verify_agency_jws(agency_jws(), typ="regie-read+jwt", agency=b.agency(), now=b.NOW)
    assert json.loads(payload) == {"iat": b.NOW}


def test_keys_of_an_agency_rotate_under_its_roots() -> None:
    key = b.es256("agency/leaf 2")
    leaf = x509.make_leaf(
        key.public,
        "agency",
        b.AGENCY.root_key,
        b.AGENCY.root,
        san_dns=b.AGENCY_HOST,
        serial=3,
        not_before=b.NOW,
        not_after=b.NOW + b.DAY,
    )
    token = agency_jws(key=key, header={"x5c": x509.x5c([leaf])})
    assert tl.verify_agency_jws(token, typ="regie-read+jwt", agency=b.agency(), now=b.NOW)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"typ": "regie-ticket+jwt"}, "bad_type"),
        ({"header": {}}, "bad_x5c"),
        ({"header": {"x5c": b.AGENCY.x5c + b.AGENCY.roots}}, "bad_chain"),
        ({"header": {"x5c": b.STRANGER.x5c}, "key": b.STRANGER.key}, "untrusted_chain"),
        ({"key": b.STRANGER.key}, "bad_signature"),
        ({"header": {"x5c": b.AGENCY.x5c, "alg": "HS256"}}, "bad_algorithm"),
    ],
)
def test_what_somebody_else_signed_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Rejected) as caught:
        tl.verify_agency_jws(agency_jws(**changes), typ="regie-read+jwt", agency=b.agency(), now=b.NOW)
    assert caught.value.code == code


@settings(max_examples=60)
@given(spoiled_text(TOKEN))
def test_spoiled_list_raises_nothing_but_rejected(token: str) -> None:
    if token == TOKEN:
        return
    with pytest.raises(Rejected):
        verify(token)


@given(st.sampled_from(sorted(PLAIN)), json_values)
def test_hostile_member_raises_nothing_but_rejected(member: str, value: Any) -> None:
    text = json.dumps({**PLAIN, member: value})
    header = b64u_encode(b'{"alg":"ES256","typ":"regie-trust-list+jwt"}')
    body = f"{header}.{b64u_encode(text.encode())}"
    try:
        trust = verify(f"{body}.{b64u_encode(b.REGISTRAR.sign(body.encode()))}")
    except Rejected:
        return
    assert isinstance(trust, tl.TrustList)
