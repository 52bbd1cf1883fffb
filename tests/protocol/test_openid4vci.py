"""OpenID4VCI 1.0 messages, as issuer and wallet read and write them."""

import contextlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import to_builtins
from protocol.credential_request import CREDENTIAL_ERRORS, parse_credential_request, parse_credential_response
from protocol.errors import Rejected, Unavailable
from protocol.issuer_metadata import (
    BATCH_SIZE,
    MAX_METADATA_BYTES,
    PRE_AUTHORIZED_GRANT,
    authorization_server_metadata,
    check_url,
    issuer_metadata,
    parse_authorization_server_metadata,
    parse_issuer_metadata,
    well_known_url,
)
from protocol.oauth import TOKEN_ERRORS, parse_token_response
from protocol.openid4vci import (
    MAX_CONFIGURATIONS,
    MAX_OFFER_BYTES,
    MAX_TEXT,
    CredentialOffer,
    OfferGrants,
    PreAuthorizedGrant,
    TxCode,
    error_body,
    offer_link,
    offer_reference_link,
    parse_error,
    parse_nonce_response,
    parse_notification,
    parse_offer,
    parse_offer_link,
)

ISSUER = "https://issuer.voorbeeld.example"
GRANT = PreAuthorizedGrant("c0de", TxCode("numeric", 8, "Per brief"))
OFFER = CredentialOffer(ISSUER, ["persoon", "adres"], OfferGrants(GRANT))
ODD_JSON = [b"", b"[]", b"null", b'"a"', b"{", b'{"a":1,"a":2}', b"\xff", b'{"a":' * 20000, b"[" * 50000, b"1e999"]


def refused(call: Callable[[], object], code: str) -> Rejected:
    with pytest.raises(Rejected) as caught:
        call()
    assert caught.value.code == code
    return caught.value


def offer_json(**changes: Any) -> str:
    base: dict[str, Any] = to_builtins(OFFER)
    return json.dumps({name: value for name, value in {**base, **changes}.items() if value is not ...})


# ---- offer (clause 1)


@pytest.mark.parametrize("scheme", ["openid-credential-offer", "haip-vci"])
def test_offer_travels_by_value(scheme: str) -> None:
    link = offer_link(OFFER, scheme=scheme)
    assert link.startswith(f"{scheme}://?credential_offer=")
    found = parse_offer_link(link)
    assert found.offer == OFFER
    assert found.uri is None


def test_offer_travels_by_reference() -> None:
    link = offer_reference_link(f"{ISSUER}/offers/abc?x=1&y=2")
    assert parse_qs(urlsplit(link).query) == {"credential_offer_uri": [f"{ISSUER}/offers/abc?x=1&y=2"]}
    found = parse_offer_link(link)
    assert (found.offer, found.uri) == (None, f"{ISSUER}/offers/abc?x=1&y=2")


def test_offer_has_the_members_of_the_specification() -> None:
    assert to_builtins(OFFER) == {
        "credential_issuer": ISSUER,
        "credential_configuration_ids": ["persoon", "adres"],
        "grants": {
            # input_mode is left out where it has its default, numeric
            PRE_AUTHORIZED_GRANT: {
                "pre-authorized_code": "c0de",
                "tx_code": {"length": 8, "description": "Per brief"},
            }
        },
    }


def test_wallet_ignores_what_it_does_not_know_in_an_offer() -> None:
    grants = {**to_builtins(OFFER.grants), "other": 1.5}
    assert parse_offer(offer_json(grants=grants, unknown=[1, 2.5])) == OFFER


def test_wallet_reads_an_offer_of_a_login() -> None:
    grants = {"authorization_code": {"issuer_state": "x", "authorization_server": ISSUER}}
    found = parse_offer(offer_json(grants=grants)).grants
    assert found is not None
    assert found.pre_authorized is None
    assert to_builtins(found) == grants
    for bad in ({"issuer_state": ""}, {"issuer_state": "x" * 1025}, {"authorization_server": "ftp://x"}):
        refused(lambda bad=bad: parse_offer(offer_json(grants={"authorization_code": bad})), "bad_offer")


def test_wallet_reads_an_offer_without_grants() -> None:
    assert parse_offer(offer_json(grants=...)).grants is None


@pytest.mark.parametrize(
    "changes",
    [
        {"credential_issuer": ...},
        {"credential_issuer": "issuer.example"},
        {"credential_issuer": "ftp://issuer.example"},
        {"credential_issuer": "https://user:pass@issuer.example"},
        {"credential_issuer": "https://"},
        {"credential_issuer": "https://issuer.example/#a"},
        {"credential_issuer": "https://issuer.example:99999"},
        {"credential_issuer": "https://[bad"},
        {"credential_issuer": "https://issuer.example/\n"},
        {"credential_issuer": 1},
        {"credential_configuration_ids": []},
        {"credential_configuration_ids": ["a", "a"]},
        {"credential_configuration_ids": [""]},
        {"credential_configuration_ids": "persoon"},
        {"credential_configuration_ids": [1]},
        {"credential_configuration_ids": [f"{n}" for n in range(MAX_CONFIGURATIONS + 1)]},
        {"grants": {PRE_AUTHORIZED_GRANT: {}}},
        {"grants": {PRE_AUTHORIZED_GRANT: {"pre-authorized_code": ""}}},
        {"grants": {PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c" * (MAX_TEXT + 1)}}},
        {"grants": {PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c", "tx_code": {"description": "d" * 301}}}},
        {"grants": {PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c", "tx_code": {"input_mode": "emoji"}}}},
        {"grants": {PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c", "tx_code": "1234"}}},
    ],
)
def test_wallet_refuses_a_malformed_offer(changes: dict[str, Any]) -> None:
    refused(lambda: parse_offer(offer_json(**changes)), "bad_offer")


def test_limits_of_an_offer_hold_exactly() -> None:
    ids = [f"{n}" for n in range(MAX_CONFIGURATIONS)]
    grant = {"pre-authorized_code": "c" * MAX_TEXT, "tx_code": {"description": "d" * 300}}
    offer = parse_offer(offer_json(credential_configuration_ids=ids, grants={PRE_AUTHORIZED_GRANT: grant}))
    assert offer.credential_configuration_ids == ids


@pytest.mark.parametrize(
    "link",
    [
        "openid-credential-offer://",
        "openid-credential-offer://?",
        "openid-credential-offer://?other=1",
        "mailto:?credential_offer_uri=https%3A%2F%2Fa.example",
        "openid-credential-offer://?credential_offer_uri=javascript%3Aalert(1)",
        "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fa.example&credential_offer=%7B%7D",
        "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fa.example&credential_offer_uri=https%3A%2F%2Fb",
        "openid-credential-offer://?credential_offer=%FF",
        "openid-credential-offer://?credential_offer=" + quote("[" * 5000),
        "openid-credential-offer://?" + "&".join(f"a{n}=1" for n in range(99)),
        "openid-credential-offer://[?credential_offer=%7B%7D",
        "x" * (MAX_OFFER_BYTES + 1),
    ],
)
def test_wallet_refuses_a_link_that_is_no_offer(link: str) -> None:
    refused(lambda: parse_offer_link(link), "bad_offer")


# ---- metadata (clauses 2, 3)


def test_issuer_metadata_has_what_clause_two_asks() -> None:
    metadata = to_builtins(issuer_metadata(ISSUER, "Gemeente", CREDENTIAL_TYPES.values()))
    assert metadata["credential_issuer"] == ISSUER
    assert metadata["credential_endpoint"] == f"{ISSUER}/credential"
    assert metadata["nonce_endpoint"] == f"{ISSUER}/nonce"
    assert metadata["notification_endpoint"] == f"{ISSUER}/notification"
    assert metadata["batch_credential_issuance"] == {"batch_size": BATCH_SIZE}
    assert BATCH_SIZE >= 2
    assert set(metadata["credential_configurations_supported"]) == {"persoon", "adres", "gezin", "gezag", "woz"}
    for name, configuration in metadata["credential_configurations_supported"].items():
        assert configuration["format"] == "dc+sd-jwt"
        assert configuration["vct"] == f"urn:regie:nl:{name}:1"
        assert configuration["scope"] == name
        assert configuration["cryptographic_binding_methods_supported"] == ["jwk"]
        assert configuration["credential_signing_alg_values_supported"] == ["ES256"]
        assert configuration["proof_types_supported"]["jwt"]["proof_signing_alg_values_supported"] == ["ES256"]
        # Libraries take metadata for 1.0 only when display and claims stand here and not at the top.
        assert "display" not in configuration
        assert "claims" not in configuration
        names = [claim["path"] for claim in configuration["credential_metadata"]["claims"]]
        assert names == [[attribute] for attribute in CREDENTIAL_TYPES[configuration["vct"]].names]
        assert configuration["credential_metadata"]["display"]


def test_server_metadata_has_what_clause_three_asks() -> None:
    metadata = to_builtins(authorization_server_metadata(ISSUER))
    assert metadata["issuer"] == ISSUER
    assert metadata["token_endpoint"] == f"{ISSUER}/token"
    assert metadata["grant_types_supported"] == [PRE_AUTHORIZED_GRANT]
    assert metadata["pre-authorized_grant_anonymous_access_supported"] is True


@pytest.mark.parametrize(
    ("issuer", "address"),
    [
        ("https://a.example", "https://a.example/.well-known/openid-credential-issuer"),
        ("https://a.example/b/c", "https://a.example/.well-known/openid-credential-issuer/b/c"),
        ("http://localhost:8080", "http://localhost:8080/.well-known/openid-credential-issuer"),
        ("https://a.example/", "https://a.example/.well-known/openid-credential-issuer"),
    ],
)
def test_metadata_stands_between_host_and_path(issuer: str, address: str) -> None:
    assert well_known_url(issuer, "openid-credential-issuer") == address


def test_wallet_reads_metadata_of_our_issuer() -> None:
    metadata = issuer_metadata(ISSUER, "Gemeente", CREDENTIAL_TYPES.values())
    assert parse_issuer_metadata(json.dumps(to_builtins(metadata)), ISSUER) == metadata
    server = authorization_server_metadata(ISSUER)
    assert parse_authorization_server_metadata(json.dumps(to_builtins(server)), ISSUER) == server


def test_wallet_reads_metadata_with_members_and_formats_of_others() -> None:
    text = {
        "credential_issuer": ISSUER,
        "credential_endpoint": f"{ISSUER}/c",
        "signed_metadata": "x",
        "credential_configurations_supported": {
            "mdl": {"format": "mso_mdoc", "doctype": "x", "credential_signing_alg_values_supported": [-7]},
            "pid": {"format": "dc+sd-jwt", "vct": "urn:x", "credential_metadata": {"display": [{"name": 1.5}]}},
        },
    }
    metadata = parse_issuer_metadata(json.dumps(text), ISSUER)
    assert metadata.nonce_endpoint is None
    assert metadata.credential_configurations_supported["pid"].vct == "urn:x"


@pytest.mark.parametrize(
    "changes",
    [
        {"credential_issuer": f"{ISSUER}/"},
        {"credential_issuer": "https://evil.example"},
        {"credential_issuer": None},
        {"credential_endpoint": "javascript:alert(1)"},
        {"credential_endpoint": None},
        {"nonce_endpoint": "file:///etc/passwd"},
        {"notification_endpoint": 5},
        {"batch_credential_issuance": {"batch_size": 1}},
        {"batch_credential_issuance": {"batch_size": "9"}},
        {"credential_configurations_supported": []},
        {"credential_configurations_supported": {"a": {}}},
    ],
)
def test_wallet_refuses_bad_issuer_metadata(changes: dict[str, Any]) -> None:
    metadata = to_builtins(issuer_metadata(ISSUER, "Gemeente", CREDENTIAL_TYPES.values()))
    refused(lambda: parse_issuer_metadata(json.dumps({**metadata, **changes}), ISSUER), "bad_metadata")


@pytest.mark.parametrize(
    "host", ["evil.example[::1]", "[::1].evil.example", "[::1]evil.example", "a\\.evil.example"]
)
def test_address_whose_host_is_read_in_two_ways_is_refused(host: str) -> None:
    refused(lambda: check_url(f"https://{host}/cb", "bad_url"), "bad_url")
    check_url("http://[::1]:4711/cb", "bad_url")


@pytest.mark.parametrize(
    "changes", [{"issuer": "https://evil.example"}, {"token_endpoint": None}, {"token_endpoint": "data:,x"}]
)
def test_wallet_refuses_bad_server_metadata(changes: dict[str, Any]) -> None:
    metadata = to_builtins(authorization_server_metadata(ISSUER))
    text = json.dumps({**metadata, **changes})
    refused(lambda: parse_authorization_server_metadata(text, ISSUER), "bad_metadata")


def test_metadata_is_read_up_to_its_limit() -> None:
    text = json.dumps(to_builtins(issuer_metadata(ISSUER, "Gemeente", CREDENTIAL_TYPES.values())))
    fits = text + " " * (MAX_METADATA_BYTES - len(text))
    assert parse_issuer_metadata(fits, ISSUER)
    refused(lambda: parse_issuer_metadata(fits + " ", ISSUER), "bad_metadata")


# ---- nonce (clause 5)


def test_wallet_reads_a_nonce() -> None:
    assert parse_nonce_response('{"c_nonce":"abc","extra":1}').c_nonce == "abc"
    for text in ('{"c_nonce":""}', '{"c_nonce":7}', "{}", json.dumps({"c_nonce": "n" * (MAX_TEXT + 1)})):
        refused(lambda text=text: parse_nonce_response(text), "bad_nonce_response")


# ---- notification (clause 8)


def test_issuer_reads_a_notification() -> None:
    found = parse_notification('{"notification_id":"n","event":"credential_failure","event_description":"no"}')
    assert found.event == "credential_failure"
    for name in ("", "\\u0000", "\\n", "é", "n" * (MAX_TEXT + 1)):
        odd = f'{{"notification_id":"{name}","event":"credential_accepted"}}'
        refused(lambda odd=odd: parse_notification(odd), "invalid_notification_id")
    for text in (
        '{"notification_id":"n"}',
        '{"event":"credential_accepted"}',
        '{"notification_id":"n","event":"x"}',
    ):
        refused(lambda text=text: parse_notification(text), "invalid_notification_request")


# ---- errors


def test_error_is_written_with_the_codes_and_letters_of_the_specification() -> None:
    body = error_body(Rejected("invalid_proof", 'no "quotes", no \\ and no é'), CREDENTIAL_ERRORS, "x")
    assert body == {"error": "invalid_proof", "error_description": "no 'quotes', no ' and no '"}
    assert error_body(Rejected("bad_form"), TOKEN_ERRORS, "invalid_request") == {"error": "invalid_request"}
    assert error_body(Unavailable("database"), TOKEN_ERRORS, "invalid_request") == {"error": "invalid_request"}


def test_wallet_passes_a_refusal_on_but_not_its_markup() -> None:
    error = parse_error('{"error":"invalid_grant","error_description":"a\\u001b[31m\\"<b>"}', 400)
    assert (error.code, error.detail, error.status) == ("invalid_grant", "a'[31m'<b>", 400)
    for text in ("", "[]", '{"error":5}', '{"error":"<script>"}', '{"error":""}', "<html>"):
        assert parse_error(text, 418).code == "issuer_refused"


@pytest.mark.parametrize("data", ODD_JSON)
def test_readers_refuse_what_is_no_message(data: bytes) -> None:
    for reader in (
        parse_offer,
        lambda text: parse_token_response(text, token_type="DPoP"),
        parse_nonce_response,
        parse_notification,
        lambda text: parse_credential_request(text, encrypted=True),
        lambda text: parse_issuer_metadata(text, ISSUER),
        lambda text: parse_authorization_server_metadata(text, ISSUER),
        lambda text: parse_credential_response(text, copies=1),
    ):
        with pytest.raises(Rejected):
            reader(data)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_members = st.dictionaries(
    st.sampled_from(["credential_configuration_id", "proofs", "credential_issuer", "grants", "jwt", "event"])
    | st.text(),
    _json,
    max_size=5,
)


@settings(max_examples=80, deadline=None)
@given(_members)
def test_readers_never_fail_otherwise(members: dict[str, Any]) -> None:
    text = json.dumps(members)
    for reader in (
        parse_offer,
        lambda text: parse_credential_request(text, encrypted=True),
        parse_notification,
        lambda text: parse_token_response(text, token_type="DPoP"),
    ):
        with contextlib.suppress(Rejected):
            reader(text)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_offer_links_never_fail_otherwise(text: str) -> None:
    for link in (text, f"openid-credential-offer://?credential_offer={text}", f"haip-vci://?{text}"):
        with contextlib.suppress(Rejected):
            parse_offer_link(link)
