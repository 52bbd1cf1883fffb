"""OAuth messages of the authorization code flow: what each side writes, the other reads; all else is refused."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from protocol.errors import Rejected
from protocol.oauth import (
    AuthorizationCode,
    AuthorizationDetail,
    AuthorizationRequest,
    PreAuthorizedCode,
    RefreshToken,
    authorization_form,
    authorization_url,
    code_challenge,
    parse_authorization_details,
    parse_authorization_request,
    parse_authorization_response,
    parse_par_response,
    parse_pushed_reference,
    parse_token_request,
    parse_token_response,
    response_url,
    token_form,
)

SERVER = "https://issuer.voorbeeld.example"
CALLBACK = "http://127.0.0.1:40001/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
REQUEST = AuthorizationRequest(
    "https://wallet.voorbeeld.example",
    CALLBACK,
    ("persoon", "adres"),
    "state-1",
    code_challenge(VERIFIER),
    "issuer-state",
    (AuthorizationDetail("openid_credential", "persoon"),),
)
FORM = authorization_form(REQUEST)


def refused(call: object, code: str) -> None:
    with pytest.raises(Rejected) as refusal:
        call()  # type: ignore[operator]
    assert refusal.value.code == code


def test_wallet_may_be_called_by_a_scheme_of_its_own() -> None:
    asked = parse_authorization_request([*{**FORM, "redirect_uri": "nl.example.wallet:/callback"}.items()])
    assert asked.redirect_uri == "nl.example.wallet:/callback"


def test_code_challenge_is_that_of_the_rfc() -> None:
    assert code_challenge(VERIFIER) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636 appendix B


@pytest.mark.parametrize("verifier", ["a" * 42, "a" * 129, "a" * 42 + "+", "a" * 42 + "\n"])
def test_code_verifier_of_another_form_is_refused(verifier: str) -> None:
    refused(lambda: code_challenge(verifier), "invalid_grant")
    assert code_challenge("a" * 43) != code_challenge("a" * 128)


def test_issuer_reads_what_the_wallet_pushes() -> None:
    assert parse_authorization_request([*FORM.items(), ("unknown", "x"), ("scope", "")]) == REQUEST


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"client_id": ""}, "invalid_request"),
        ({"redirect_uri": "javascript:alert(1)"}, "invalid_request"),
        ({"redirect_uri": "nl.example.wallet:/callback#x"}, "invalid_request"),
        ({"redirect_uri": "nl.example.wallet:/call back"}, "invalid_request"),
        ({"redirect_uri": "https://a@b.example/"}, "invalid_request"),
        ({"redirect_uri": "https://b.example/#x"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "a" * 42}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"request_uri": "urn:x"}, "invalid_request"),
        ({"request": "a.b.c"}, "invalid_request"),
        ({"scope": "a\\b"}, "invalid_scope"),
        ({"scope": "", "authorization_details": ""}, "invalid_scope"),
        ({"scope": " ".join("a" * 33)}, "invalid_scope"),
        ({"state": "x" * 1025}, "invalid_request"),
        ({"state": "a\0b"}, "invalid_request"),
        ({"authorization_details": "{}"}, "invalid_authorization_details"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
    ],
)
def test_issuer_refuses_a_pushed_request(changes: dict[str, str], code: str) -> None:
    refused(lambda: parse_authorization_request(list({**FORM, **changes}.items())), code)


def test_issuer_refuses_a_parameter_twice() -> None:
    refused(lambda: parse_authorization_request([*FORM.items(), ("redirect_uri", CALLBACK)]), "invalid_request")


@pytest.mark.parametrize(
    "text",
    [
        '[{"type":"payment","credential_configuration_id":"a"}]',
        '[{"type":"openid_credential"}]',
        '[{"type":"openid_credential","credential_configuration_id":"a","credential_identifiers":["b"]}]',
        "[" + ",".join(['{"type":"openid_credential","credential_configuration_id":"a"}'] * 33) + "]",
    ],
)
def test_authorization_details_of_another_form_are_refused(text: str) -> None:
    refused(lambda: parse_authorization_details(text), "invalid_authorization_details")


def test_browser_carries_nothing_of_the_request() -> None:
    url = authorization_url(f"{SERVER}/authorize", "wallet", "urn:x:1")
    pairs = parse_qsl(urlsplit(url).query)
    assert parse_pushed_reference([*pairs, ("scope", "more")]) == ("wallet", "urn:x:1")
    assert authorization_url(f"{SERVER}/a?b=c", "w", "u").startswith(f"{SERVER}/a?b=c&client_id=")
    refused(lambda: parse_pushed_reference(pairs[:1]), "invalid_request")


def test_wallet_reads_the_pushed_response() -> None:
    assert parse_par_response('{"request_uri":"urn:x","expires_in":60}').request_uri == "urn:x"
    for body in ("{}", '{"request_uri":"","expires_in":1}', '{"request_uri":"urn:x","expires_in":"1"}'):
        refused(lambda body=body: parse_par_response(body), "bad_par_response")


BAD = "bad_authorization_response"


def query_of(**members: str) -> str:
    return urlsplit(response_url(CALLBACK, issuer=SERVER, state="s", **members)).query


def test_wallet_reads_the_authorization_response() -> None:
    assert parse_authorization_response(query_of(code="c"), "s", SERVER) == "c"


def test_attack_mix_up_of_servers() -> None:
    """RFC 9700 4.4: the honest server's code must not be sent to the attacker's token endpoint."""
    refused(lambda: parse_authorization_response(query_of(code="c"), "s", "https://evil.example"),
            BAD)  # fmt: skip
    refused(lambda: parse_authorization_response("code=c&state=s", "s", SERVER), BAD)


def test_attack_csrf_by_a_foreign_authorization_response() -> None:
    refused(
        lambda: parse_authorization_response(query_of(code="c"), "other", SERVER), "bad_authorization_response"
    )
    refused(
        lambda: parse_authorization_response(f"code=c&iss={SERVER}", "s", SERVER), "bad_authorization_response"
    )


def test_refusal_of_the_server_keeps_its_code() -> None:
    refused(lambda: parse_authorization_response(query_of(error="access_denied"), "s", SERVER), "access_denied")
    refused(lambda: parse_authorization_response(query_of(error="A B"), "s", SERVER), "issuer_refused")


@pytest.mark.parametrize("query", ["", "x", "code=a&code=b&state=s&iss=" + SERVER, "code=%ff", "a=" + "b" * 9000])
def test_wallet_refuses_what_is_no_authorization_response(query: str) -> None:
    refused(lambda: parse_authorization_response(query, "s", SERVER), BAD)
    refused(lambda: parse_authorization_response(query_of(), "s", SERVER), BAD)


@pytest.mark.parametrize(
    "request_",
    [
        PreAuthorizedCode("c", "12345678"),
        PreAuthorizedCode("c"),
        AuthorizationCode("c", CALLBACK, VERIFIER),
        RefreshToken("r"),
    ],
)
def test_issuer_reads_each_token_request(request_: object) -> None:
    form = token_form(request_, "wallet")  # type: ignore[arg-type]
    assert form["client_id"] == "wallet"
    assert parse_token_request([*form.items(), ("user_pin", "x"), ("resource", SERVER)]) == request_


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ([], "invalid_request"),
        ([("grant_type", "password")], "unsupported_grant_type"),
        ([("grant_type", "authorization_code"), ("code", "c"), ("redirect_uri", CALLBACK)], "invalid_request"),
        ([("grant_type", "refresh_token")], "invalid_request"),
        ([("grant_type", "refresh_token"), ("refresh_token", "r" * 1025)], "invalid_request"),
        ([("grant_type", "refresh_token"), ("refresh_token", "r"), ("refresh_token", "r")], "invalid_request"),
    ],
)
def test_issuer_refuses_a_token_request(form: list[tuple[str, str]], code: str) -> None:
    refused(lambda: parse_token_request(form), code)


def test_attack_token_type_downgraded_to_bearer() -> None:
    body = '{"access_token":"a","token_type":"Bearer"}'
    assert parse_token_response(body, token_type="Bearer").access_token == "a"
    refused(lambda: parse_token_response(body, token_type="DPoP"), "bad_token_response")


@pytest.mark.parametrize("token", ["", "a b", "a\n", "é", "a" * 8193])
def test_wallet_refuses_a_token_that_none_can_be(token: str) -> None:
    for body in ({"access_token": token}, {"access_token": "a", "refresh_token": token}):
        text = str({**body, "token_type": "DPoP"}).replace("'", '"')
        refused(lambda text=text: parse_token_response(text, token_type="DPoP"), "bad_token_response")
