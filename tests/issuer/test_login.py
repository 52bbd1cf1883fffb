"""From a wallet's request to a code and tokens, by login (HAIP 1.0 section 4; RFC 9126, 7636, 9207, 9449):
attacks by name, and what an answer holds. Each refusal leaves what is kept as it was, or no more than it says.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.datastructures import Headers

from examples.identity_provider import LEVELS
from issuer.authorize import CODE_SECONDS, LOGIN_SECONDS, PUSHED_SECONDS
from issuer.offer import TOKEN_SECONDS
from service.database import sqlite_url
from service.openid import RETRY_SECONDS
from tests.issuer.desk import KARIM, NOOR, PRE_AUTHORIZED, HolderKey, jwt_parts
from tests.issuer.login import CALLBACK, HIGH, LOW, SUBSTANTIAL, LoginDesk, Wallet, login_desk, spoil, thumbprint


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LoginDesk]:
    with login_desk(tmp_path / "issuer") as made:
        yield made


@pytest.fixture
def wallet(desk: LoginDesk) -> Wallet:
    return desk.wallet()


def kept(desk: LoginDesk) -> dict[str, int]:
    """How many rows each table has, but for spent nonces."""
    return {name: count for name, count in desk.rows().items() if name != "spent_nonces"}


def payload(text: str) -> dict[str, Any]:
    return jwt_parts(text.partition("~")[0])[1]


# ---- the whole way


def test_resident_logs_in_and_his_wallet_fetches_cards(desk: LoginDesk, wallet: Wallet) -> None:
    pushed = wallet.push(scope="persoon adres")
    assert pushed.status_code == 201
    assert pushed.json["expires_in"] == PUSHED_SECONDS
    assert pushed.json["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    arrived = wallet.browse(pushed.json["request_uri"])
    assert (arrived["iss"], arrived["state"]) == (desk.url, wallet.state)
    answer = wallet.redeem(arrived["code"])
    assert answer.headers["Cache-Control"] == "no-store"
    tokens = answer.json
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == (
        "DPoP",
        TOKEN_SECONDS,
        "persoon adres",
    )
    assert len(wallet.fetch(tokens["access_token"], "persoon")) == 1
    assert len(wallet.fetch(tokens["access_token"], "adres", 3)) == 3


def test_preview_that_looks_ahead_by_head_uses_no_request_and_no_login_up(desk: LoginDesk, wallet: Wallet) -> None:
    request_uri = wallet.push().json["request_uri"]
    browser = browser_of(desk)
    query = {"client_id": wallet.client_id, "request_uri": request_uri}
    assert browser.head("/authorize", query_string=query).status_code == 405
    back = wallet.log_in(wallet.depart(request_uri, browser))
    assert browser.head(back).status_code == 405
    assert wallet.arrive(browser.get(back).headers["Location"])["code"]


@pytest.mark.parametrize(("level", "loa"), list(zip(LEVELS, ("low", "substantial", "high"), strict=True)))
def test_level_of_the_login_is_the_level_of_the_card(wallet: Wallet, level: str, loa: str) -> None:
    tokens = wallet.redeem(wallet.code(level=level)).json
    (text,) = wallet.fetch(tokens["access_token"])
    assert payload(text)["loa"] == loa


def test_card_of_the_desk_keeps_the_level_of_the_desk(desk: LoginDesk) -> None:
    (text,) = desk.fetch(desk.token(), "persoon")
    assert payload(text)["loa"] == "substantial"


def test_scope_and_details_may_be_asked_together(wallet: Wallet) -> None:
    details = '[{"type":"openid_credential","credential_configuration_id":"adres"}]'
    tokens = wallet.tokens(scope="persoon", authorization_details=details)
    found = {one["credential_configuration_id"]: one for one in tokens["authorization_details"]}
    assert set(found) == {"persoon", "adres"}
    for one in found.values():
        assert len(wallet.fetch(tokens["access_token"], one["credential_identifiers"][0])) == 1


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256"])
def test_provider_may_sign_with_what_is_configured(tmp_path: Path, algorithm: str) -> None:
    with login_desk(tmp_path / "issuer", algorithm=algorithm) as desk:
        assert desk.wallet().tokens()["access_token"]


def test_provider_may_say_who_it_is_by_userinfo_and_know_us_by_a_secret(tmp_path: Path) -> None:
    with login_desk(
        tmp_path / "issuer", bsn_in_userinfo=True, secret="s3cret:/ é", client_auth="client_secret_basic"
    ) as desk:
        wallet = desk.wallet()
        (text,) = wallet.fetch(wallet.tokens()["access_token"])
        assert payload(text)["loa"] == "substantial"


def test_userinfo_does_not_raise_the_level_of_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody signs what userinfo says: it may add who it is, and nothing about how surely."""
    with login_desk(tmp_path / "issuer", bsn_in_userinfo=True) as desk:
        signs = desk.provider.sign
        monkeypatch.setattr(
            desk.provider, "sign", lambda claims: signs({k: v for k, v in claims.items() if k != "acr"})
        )
        tells = desk.provider_client.application.view_functions["userinfo"]
        monkeypatch.setitem(
            desk.provider_client.application.view_functions,
            "userinfo",
            lambda: {**tells()[0].get_json(), "acr": HIGH},  # type: ignore[index]
        )
        wallet = desk.wallet()
        before = kept(desk)
        found = wallet.browse(wallet.push().json["request_uri"], level=LOW)
        assert (found["error"], "code" in found) == ("access_denied", False)
        assert kept(desk) == {**before, "authorizations": 1}


def test_invented_codes_fill_no_table(desk: LoginDesk, wallet: Wallet) -> None:
    before = desk.rows()
    assert wallet.redeem("A" * 43).json["error"] == "invalid_grant"
    assert desk.rows() == before


def test_issuer_with_a_path_lets_residents_log_in_too(tmp_path: Path) -> None:
    with login_desk(tmp_path / "issuer", url="https://issuer.voorbeeld.example/lindehaven") as desk:
        about = desk.client.get("/.well-known/oauth-authorization-server/lindehaven").json
        assert about["authorization_endpoint"] == f"{desk.url}/authorize"
        assert desk.client.post("/lindehaven/par", data={"x": "1"}).status_code == 401
        assert desk.client.get("/lindehaven/authorize").status_code == 400


# ---- an offer that is taken up by logging in


def state_of(desk: LoginDesk, *names: str, **options: Any) -> tuple[str, str, str]:
    """`issuer_state`, code and transaction code of an offer."""
    made, tx_code = desk.office.offer(NOOR, names or ("persoon",), **options)
    grants = desk.client.get(f"/offers/{made.id}").json["grants"]
    return (
        grants["authorization_code"]["issuer_state"],
        grants[PRE_AUTHORIZED]["pre-authorized_code"],
        tx_code,
    )


def test_offer_serves_once_by_login_or_by_code(desk: LoginDesk, wallet: Wallet) -> None:
    state, code, tx_code = state_of(desk)
    first, second = wallet.code(issuer_state=state), wallet.code(issuer_state=state)
    assert wallet.redeem(first).status_code == 200
    before = kept(desk)
    assert wallet.redeem(second).json["error"] == "invalid_grant"
    assert desk.post_token(code, tx_code).json["error"] == "invalid_grant"
    assert wallet.push(issuer_state=state).json["error"] == "invalid_request"
    assert kept(desk) == before


def test_offer_of_one_resident_is_not_for_another_who_logs_in(desk: LoginDesk, wallet: Wallet) -> None:
    state, code, tx_code = state_of(desk)
    pushed = wallet.push(issuer_state=state)
    found = wallet.browse(pushed.json["request_uri"], bsn=KARIM)
    assert (found["error"], "code" in found) == ("access_denied", False)
    assert desk.post_token(code, tx_code).status_code == 200  # it is still Noor's


def test_login_under_an_offer_gives_what_was_asked_and_no_more(desk: LoginDesk, wallet: Wallet) -> None:
    state, _, _ = state_of(desk, "persoon", "adres")
    assert wallet.push(issuer_state=state, scope="gezin").json["error"] == "invalid_request"
    tokens = wallet.tokens(issuer_state=state, scope="adres")
    assert wallet.fetch(tokens["access_token"], "adres")
    body = {"credential_configuration_id": "persoon", "proofs": {"jwt": wallet.proofs(1)}}
    assert wallet.post_credential(tokens["access_token"], body).json["error"] == "credential_request_denied"


def test_invented_issuer_state_is_refused(desk: LoginDesk, wallet: Wallet) -> None:
    made, _ = desk.office.offer(NOOR, ("persoon",))
    before = kept(desk)
    code = desk.client.get(f"/offers/{made.id}").json["grants"][PRE_AUTHORIZED]["pre-authorized_code"]
    for state in ("x", made.id, code, "A" * 43):
        assert wallet.push(issuer_state=state).json["error"] == "invalid_request"
    assert kept(desk) == before


def test_offer_that_replaces_another_is_taken_up_in_its_sets(desk: LoginDesk, wallet: Wallet) -> None:
    made, tx_code = desk.office.offer(NOOR, ("adres",))
    grant = desk.client.get(f"/offers/{made.id}").json["grants"][PRE_AUTHORIZED]
    token = desk.post_token(grant["pre-authorized_code"], tx_code).json["access_token"]
    old = [payload(text)["set"] for text in desk.fetch(token, "adres", 3)]
    state, _, _ = state_of(desk, "adres", replaces=made.id)
    tokens = wallet.tokens(issuer_state=state, scope="adres")
    assert [payload(text)["set"] for text in wallet.fetch(tokens["access_token"], "adres", 3)] == old


# ---- pushed requests


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"scope": "woz"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"request_uri": "urn:x"}, "invalid_request"),
        (
            {"authorization_details": '[{"type":"openid_credential","credential_configuration_id":"woz"}]'},
            "invalid_authorization_details",
        ),
        ({"authorization_details": '[{"type":"payment"}]'}, "invalid_authorization_details"),
    ],
)
def test_bad_request_is_not_kept(desk: LoginDesk, wallet: Wallet, changes: dict[str, Any], error: str) -> None:
    before = kept(desk)
    answer = wallet.push(**changes)
    assert (answer.status_code, answer.json["error"]) == (400, error)
    assert kept(desk) == before


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/callback",
        "https://127.0.0.1.evil.example/",
        "http://evil.example/callback",
        "http://localhost.evil.example/",
        "http://127.0.0.1@evil.example/",
        "https://wallet.voorbeeld.example/other",
        "http://127.0.0.1:1/callback#fragment",
        "http://evil.example[::1]/",
        "http://[::1].evil.example/",
        "http://[::1]evil.example/",
        "http://127.0.0.1\\.evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
    ],
)
def test_code_never_goes_to_who_sent_the_resident_a_link(desk: LoginDesk, wallet: Wallet, uri: str) -> None:
    """Consent phishing: an attested wallet of an attacker, and a resident who follows its link and logs in."""
    before = kept(desk)
    assert wallet.push(redirect_uri=uri).json["error"] == "invalid_request"
    assert kept(desk) == before


def test_code_may_go_to_an_app_by_its_own_scheme(desk: LoginDesk) -> None:
    wallet = desk.wallet(redirect_uri="nl.voorbeeld.wallet:/callback")
    assert wallet.redeem(wallet.code()).status_code == 200


def test_address_of_a_wallet_that_is_listed_may_have_the_code(tmp_path: Path) -> None:
    listed = "https://wallet.voorbeeld.example/callback"
    with login_desk(tmp_path / "issuer", redirect_uris=[listed]) as desk:
        wallet = desk.wallet(redirect_uri=listed)
        assert wallet.redeem(wallet.code()).status_code == 200
        assert wallet.push(redirect_uri=f"{listed}/").status_code == 400


def test_another_clients_name_is_not_taken(desk: LoginDesk, wallet: Wallet) -> None:
    before = kept(desk)
    answer = wallet.push(client_id="another-wallet")
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert kept(desk) == before


# ---- the browser


def browser_of(desk: LoginDesk) -> Any:
    return desk.client.application.test_client()


def test_request_is_opened_once_and_in_time(desk: LoginDesk, wallet: Wallet) -> None:
    first, second = wallet.push().json["request_uri"], wallet.push().json["request_uri"]
    desk.clock.time += PUSHED_SECONDS - 1
    wallet.depart(first, browser_of(desk))
    query = {"client_id": wallet.client_id, "request_uri": first}
    again = browser_of(desk).get("/authorize", query_string=query)
    assert (again.status_code, again.mimetype) == (400, "text/html")
    assert "Location" not in again.headers
    desk.clock.time += 1
    assert browser_of(desk).get("/authorize", query_string={**query, "request_uri": second}).status_code == 400


def test_page_of_a_refusal_can_be_framed_by_nobody_and_repeats_nothing(desk: LoginDesk) -> None:
    query = {"client_id": "<script>", "request_uri": "urn:ietf:params:oauth:request_uri:<script>"}
    answer = desk.client.get("/authorize", query_string=query)
    assert answer.status_code == 400
    assert "<script" not in answer.text
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert 'lang="en"' in answer.text


def test_another_client_cannot_open_the_request(desk: LoginDesk, wallet: Wallet) -> None:
    pushed = wallet.push().json["request_uri"]
    query = {"client_id": "another-wallet", "request_uri": pushed}
    assert browser_of(desk).get("/authorize", query_string=query).status_code == 400
    assert wallet.browse(pushed)["code"]  # and has used nothing up


def test_parameters_beside_the_request_uri_change_nothing(desk: LoginDesk, wallet: Wallet) -> None:
    pushed = wallet.push().json["request_uri"]
    browser = browser_of(desk)
    query = {
        "client_id": wallet.client_id,
        "request_uri": pushed,
        "redirect_uri": "https://evil.example",
        "scope": "gezin",
        "state": "evil",
    }
    answer = browser.get("/authorize", query_string=query)
    back = wallet.log_in(answer.headers["Location"])
    found = wallet.arrive(browser.get(back).headers["Location"])
    assert found["state"] == wallet.state
    assert wallet.redeem(found["code"]).json["scope"] == "persoon"


def test_login_of_another_browser_is_refused(desk: LoginDesk, wallet: Wallet) -> None:
    """Login CSRF: the attacker begins, and lets a resident's browser finish."""
    back = wallet.log_in(wallet.depart(wallet.push().json["request_uri"], browser_of(desk)))
    for cookies in ({}, {"regie-login-00000000": "AAAA"}):
        stranger = browser_of(desk)
        for name, value in cookies.items():
            stranger.set_cookie(name, value, path="/login")
        answer = stranger.get(back)
        assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    assert desk.rows()["renewals"] == 0


def test_answer_of_the_provider_counts_once_and_in_time(desk: LoginDesk, wallet: Wallet) -> None:
    browser = browser_of(desk)
    back = wallet.log_in(wallet.depart(wallet.push().json["request_uri"], browser))
    first = browser.get(back)
    assert first.status_code == 303
    assert browser.get(back).status_code == 400
    late = browser_of(desk)
    back = wallet.log_in(wallet.depart(wallet.push().json["request_uri"], late))
    desk.clock.time += LOGIN_SECONDS
    assert late.get(back).status_code == 400


def test_cookie_is_for_the_login_only_and_gone_afterwards(desk: LoginDesk, wallet: Wallet) -> None:
    browser = browser_of(desk)
    query = {"client_id": wallet.client_id, "request_uri": wallet.push().json["request_uri"]}
    answer = browser.get("/authorize", query_string=query)
    (cookie,) = answer.headers.getlist("Set-Cookie")
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/login"):
        assert part in cookie
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    done = browser.get(wallet.log_in(answer.headers["Location"]))
    assert "Max-Age=0" in done.headers["Set-Cookie"]
    assert done.headers["Cache-Control"] == "no-store"


def test_two_logins_in_one_browser_do_not_disturb_each_other(desk: LoginDesk, wallet: Wallet) -> None:
    browser, other = browser_of(desk), desk.wallet()
    backs = [(one, one.log_in(one.depart(one.push().json["request_uri"], browser))) for one in (wallet, other)]
    for one, back in reversed(backs):
        code = one.arrive(browser.get(back).headers["Location"])["code"]
        assert one.redeem(code).status_code == 200


def test_state_of_the_provider_cannot_be_made_up(desk: LoginDesk, wallet: Wallet) -> None:
    browser = browser_of(desk)
    url = wallet.depart(wallet.push().json["request_uri"], browser)
    state = parse_qs(urlsplit(url).query)["state"][0]
    for made_up in (None, "x", spoil(f".{state}")[1:], "A" * 43):
        query = {"code": "x"} if made_up is None else {"code": "x", "state": made_up}
        assert browser.get("/login/callback", query_string=query).status_code == 400
    assert wallet.log_in(url)


def test_question_to_the_provider_is_bound_in_every_way(desk: LoginDesk, wallet: Wallet) -> None:
    urls = [wallet.depart(wallet.push().json["request_uri"], browser_of(desk)) for _ in range(2)]
    asked = [{name: value for name, (value,) in parse_qs(urlsplit(url).query).items()} for url in urls]
    assert asked[0]["code_challenge_method"] == "S256"
    assert (asked[0]["prompt"], asked[0]["acr_values"]) == ("login", " ".join((LOW, SUBSTANTIAL, HIGH)))
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
    for secret in (wallet.state, wallet.client_id, NOOR):
        assert secret not in urls[0]  # the provider learns nothing of the wallet


# ---- what the provider says


def denied(desk: LoginDesk, wallet: Wallet, **login: Any) -> None:
    """The wallet is told no more than that; nobody was given anything."""
    found = wallet.browse(wallet.push().json["request_uri"], **login)
    assert found == {"error": "access_denied", "state": wallet.state, "iss": desk.url}
    assert (desk.rows()["renewals"], desk.rows()["tokens"]) == (0, 0)


def test_resident_who_turns_back_is_denied(desk: LoginDesk, wallet: Wallet) -> None:
    denied(desk, wallet, bsn="")


def test_somebody_whom_the_register_does_not_know_is_denied(desk: LoginDesk, wallet: Wallet) -> None:
    desk.provider.persons = {**desk.provider.persons, "999993653": "Onbekend"}
    denied(desk, wallet, bsn="999993653")


def test_login_without_a_number_of_good_form_is_denied(desk: LoginDesk, wallet: Wallet) -> None:
    desk.provider.persons = {"123456789": "Geen elfproef"}
    denied(desk, wallet, bsn="123456789")


def test_login_that_is_too_weak_is_denied(tmp_path: Path) -> None:
    with login_desk(tmp_path / "issuer", levels={HIGH: "high"}) as desk:
        denied(desk, desk.wallet(), level=SUBSTANTIAL)


def test_provider_that_is_down_costs_nothing_at_the_start(tmp_path: Path) -> None:
    with login_desk(tmp_path / "issuer", provider="http://localhost:1") as desk:
        wallet = desk.wallet()
        pushed = wallet.push().json["request_uri"]
        query = {"client_id": wallet.client_id, "request_uri": pushed}
        for _ in range(2):  # still pushed: it can be opened when the provider is back
            answer = browser_of(desk).get("/authorize", query_string=query)
            assert (answer.status_code, answer.mimetype) == (503, "text/html")
            assert answer.headers["Retry-After"]


def test_provider_that_failed_is_asked_again_after_a_while(desk: LoginDesk, wallet: Wallet) -> None:
    url, desk.provider.url = desk.provider.url, "http://localhost:1/other"  # its documents name another issuer now
    query = {"client_id": wallet.client_id, "request_uri": wallet.push().json["request_uri"]}
    assert browser_of(desk).get("/authorize", query_string=query).status_code == 503
    desk.provider.url = url
    assert browser_of(desk).get("/authorize", query_string=query).status_code == 503
    desk.clock.time += RETRY_SECONDS
    assert browser_of(desk).get("/authorize", query_string=query).status_code == 303


def test_strangers_fill_no_disk_with_proofs(desk: LoginDesk, wallet: Wallet) -> None:
    before = desk.rows()
    for form in (
        {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": "x", "tx_code": "12345678"},
        {"grant_type": "refresh_token", "refresh_token": "x"},
        {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK, "code_verifier": "x" * 43},
    ):
        assert wallet.post_token({"DPoP": wallet.dpop("/token")}, **form).status_code in (400, 401)
    assert desk.rows() == before


def test_requests_that_nobody_opened_are_forgotten(desk: LoginDesk, wallet: Wallet) -> None:
    for _ in range(3):
        wallet.push()
    desk.clock.time += PUSHED_SECONDS + 1
    wallet.push()
    assert desk.rows()["authorizations"] == 1


def test_provider_that_breaks_down_in_the_middle_is_told_to_the_wallet(desk: LoginDesk, wallet: Wallet) -> None:
    browser = browser_of(desk)
    back = wallet.log_in(wallet.depart(wallet.push().json["request_uri"], browser))
    desk.provider.codes = None  # type: ignore[assignment] # its token endpoint answers 500 from now on
    found = wallet.arrive(browser.get(back).headers["Location"])
    assert found == {"error": "temporarily_unavailable", "state": wallet.state, "iss": desk.url}


def test_answer_of_another_provider_is_a_mix_up(desk: LoginDesk, wallet: Wallet) -> None:
    for change in ("&iss=https%3A%2F%2Fevil.example", ""):
        browser = browser_of(desk)
        back = wallet.log_in(wallet.depart(wallet.push().json["request_uri"], browser))
        back = back.partition("&iss=")[0] + change + "&code" + back.partition("&code")[2]
        found = wallet.arrive(browser.get(back).headers["Location"])
        assert found["error"] == "access_denied"


def test_provider_that_changed_its_key_is_believed_by_its_new_one(desk: LoginDesk, wallet: Wallet) -> None:
    assert wallet.tokens()
    desk.provider.key = type(desk.provider.key).from_secret(b"k" * 48)
    assert wallet.tokens()


def test_logs_name_the_reason_and_nobody(
    desk: LoginDesk, wallet: Wallet, capfd: pytest.CaptureFixture[str]
) -> None:
    pushed = wallet.push().json["request_uri"]
    code = wallet.browse(pushed)["code"]
    tokens = wallet.redeem(code).json
    wallet.fetch(tokens["access_token"])
    wallet.refresh(tokens["refresh_token"])
    denied_by = wallet.browse(wallet.push().json["request_uri"], bsn="")
    assert denied_by["error"] == "access_denied"
    logs = "".join(capfd.readouterr())
    assert '"event": "login_refused", "code": "access_denied"' in logs
    secret = (NOOR, pushed, code, tokens["access_token"], tokens["refresh_token"], wallet.state, wallet.client_id)
    for word in secret:
        assert word not in logs


# ---- codes


def test_code_is_for_one_minute(desk: LoginDesk, wallet: Wallet) -> None:
    code = wallet.code()
    desk.clock.time += CODE_SECONDS
    assert wallet.redeem(code).json["error"] == "invalid_grant"
    code = wallet.code()
    desk.clock.time += CODE_SECONDS - 1
    assert wallet.redeem(code).status_code == 200


def test_second_use_of_a_code_kills_what_the_first_was_given(desk: LoginDesk, wallet: Wallet) -> None:
    code = wallet.code()
    tokens = wallet.redeem(code).json
    assert wallet.fetch(tokens["access_token"])
    assert wallet.redeem(code).json["error"] == "invalid_grant"
    assert (desk.rows()["tokens"], desk.rows()["renewals"]) == (0, 0)
    body = {"credential_configuration_id": "persoon", "proofs": {"jwt": wallet.proofs(1)}}
    assert wallet.post_credential(tokens["access_token"], body).status_code == 401
    assert wallet.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": "short"},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": CALLBACK.upper()},
    ],
)
def test_code_injection_fails_and_the_code_is_dead(
    desk: LoginDesk, wallet: Wallet, changes: dict[str, str]
) -> None:
    code = wallet.code()
    assert wallet.redeem(code, **changes).json["error"] == "invalid_grant"
    assert wallet.redeem(code).json["error"] == "invalid_grant"
    assert (desk.rows()["tokens"], desk.rows()["renewals"]) == (0, 0)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"code_verifier": None}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"client_id": "another-wallet"}, "invalid_client"),
    ],
)
def test_bad_token_request_uses_no_code_up(wallet: Wallet, form: dict[str, Any], error: str) -> None:
    for made_up in ("x", "A" * 43):
        assert wallet.redeem(made_up).json["error"] == "invalid_grant"
    code = wallet.code()
    assert wallet.redeem(code, **form).json["error"] == error
    assert wallet.redeem(code, client_id=wallet.client_id).status_code == 200


def test_stolen_code_is_of_no_use_to_another_wallet(desk: LoginDesk, wallet: Wallet) -> None:
    code = wallet.code()
    thief = desk.wallet(verifier=wallet.verifier)  # the same client, which even learned the verifier
    assert thief.redeem(code).json["error"] == "invalid_grant"
    assert desk.rows()["tokens"] == 0


def test_code_is_bound_to_the_key_that_was_pushed(desk: LoginDesk, wallet: Wallet) -> None:
    code = wallet.code()
    wallet.dpop_key = HolderKey()
    assert wallet.redeem(code).json["error"] == "invalid_grant"
    assert desk.rows()["tokens"] == 0


def test_request_may_be_pushed_without_a_key(wallet: Wallet) -> None:
    pushed = wallet.push(wallet.headers("/par", DPoP=""))
    assert wallet.redeem(wallet.browse(pushed.json["request_uri"])["code"]).status_code == 200


def test_code_may_be_bound_by_the_name_of_a_key(desk: LoginDesk, wallet: Wallet) -> None:
    shown = {"DPoP": ""}
    mine = thumbprint(wallet.dpop_key.jwk)
    code = wallet.browse(wallet.push(wallet.headers("/par", **shown), dpop_jkt=mine).json["request_uri"])["code"]
    thief = desk.wallet(key=wallet.key, verifier=wallet.verifier)
    assert thief.redeem(code).json["error"] == "invalid_grant"
    code = wallet.browse(wallet.push(dpop_jkt=mine).json["request_uri"])["code"]
    assert wallet.redeem(code).status_code == 200
    before = kept(desk)
    assert wallet.push(dpop_jkt=thumbprint(thief.dpop_key.jwk)).json["error"] == "invalid_dpop_proof"
    assert wallet.push(wallet.headers("/par", **shown), dpop_jkt="x").json["error"] == "invalid_request"
    assert kept(desk) == before


def test_dpop_proof_shown_by_six_at_once_is_taken_once(tmp_path: Path) -> None:
    with login_desk(tmp_path / "issuer", database=sqlite_url(tmp_path / "issuer.db")) as desk:
        wallet = desk.wallet()
        token = wallet.tokens()["access_token"]
        headers = wallet.resource("/credential", token)
        bodies = [
            {"credential_configuration_id": "persoon", "proofs": {"jwt": wallet.proofs(1)}} for _ in range(6)
        ]
        answers = at_once(lambda body: wallet.post_credential(token, body, headers).status_code, bodies)
        assert sorted(answers) == [200, 401, 401, 401, 401, 401]


def test_headers_of_a_proxy_change_nothing(desk: LoginDesk, wallet: Wallet) -> None:
    forged = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "Forwarded": "host=evil.example;proto=http",
    }
    pushed = wallet.push({**wallet.headers("/par"), **forged})
    assert pushed.status_code == 201
    about = desk.client.get("/.well-known/oauth-authorization-server", headers=forged)
    assert "evil" not in about.text
    evil = wallet.headers("/par", DPoP=wallet.dpop("/par", htu="https://evil.example/par"))
    assert wallet.push({**evil, **forged}).json["error"] == "invalid_dpop_proof"
    query = {"client_id": wallet.client_id, "request_uri": pushed.json["request_uri"]}
    assert "evil" not in browser_of(desk).get("/authorize", query_string=query, headers=forged).headers["Location"]


def test_two_headers_of_one_proof_are_no_proof(desk: LoginDesk, wallet: Wallet) -> None:
    before = kept(desk)
    for name in ("DPoP", "OAuth-Client-Attestation", "OAuth-Client-Attestation-PoP"):
        headers = [*wallet.headers("/par").items()]
        doubled = Headers([*headers, *((key, value) for key, value in headers if key == name)])
        assert desk.client.post("/par", data=wallet.form(), headers=doubled).status_code in (400, 401)
    assert kept(desk) == before


def test_code_redeemed_by_six_at_once_serves_none_of_them_twice(tmp_path: Path) -> None:
    with login_desk(tmp_path / "issuer", database=sqlite_url(tmp_path / "issuer.db")) as desk:
        wallet = desk.wallet()
        code = wallet.code()
        shown = [wallet.headers("/token") for _ in range(6)]
        answers = at_once(lambda headers: wallet.redeem(code, headers).status_code, shown)
        assert answers.count(200) <= 1
        assert desk.rows()["renewals"] == 0  # whoever was second has killed what the first was given


def at_once(call: Callable[[Any], Any], arguments: list[Any]) -> list[Any]:
    """What the calls give at the same moment."""
    barrier, results = threading.Barrier(len(arguments)), []

    def run(argument: Any) -> None:
        barrier.wait()
        results.append(call(argument))

    threads = [threading.Thread(target=run, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
