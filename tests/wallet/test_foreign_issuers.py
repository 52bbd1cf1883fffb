"""Issuers outside the trust list that attack, err or fail: each refusal leaves the vault as it was."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from flask import Response

from protocol.credential_encryption import encrypt_response
from protocol.direct_post import EncryptionKey
from protocol.errors import Rejected
from protocol.trust_list import sign_trust_list
from tests.conformance.foreign_issuer import ISSUER, ForeignIssuer, browse
from tests.conformance.held_cards import Holder
from tests.protocol import builders as b
from tests.protocol import strangers
from tests.wallet.issuer_home import fetch, refuses, trusting
from wallet.errand_receive import get, receive
from wallet.loopback import LoopbackBrowser
from wallet.opened import OpenWallet
from wallet.records import Activity

Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty wallet."""
    folder = tmp_path_factory.mktemp("empty")
    Holder(folder).create()
    return folder


@pytest.fixture
def issuer() -> Iterator[ForeignIssuer]:
    with ForeignIssuer() as running:
        yield running


@pytest.fixture
def holder(tmp_path: Path, empty: Path, issuer: ForeignIssuer) -> Holder:
    made = Holder(tmp_path).copy_of(empty)
    trusting(made, issuer)
    return made


@pytest.fixture
def wallet(holder: Holder) -> Iterator[OpenWallet]:
    with holder.open() as opened:
        yield opened


def with_members(**changes: Any) -> Change:
    """The answer with other members; None takes one away."""

    def change(value: dict[str, Any]) -> dict[str, Any]:
        return {name: kept for name, kept in {**value, **changes}.items() if kept is not None}

    return change


def answer_with(**members: str | None) -> Change:
    """The address that the browser is sent to, with other members in its query."""

    def change(url: str) -> str:
        bare, _, query = url.partition("?")
        found: dict[str, str | None] = {**dict(parse_qsl(query)), **members}
        return f"{bare}?{urlencode({name: value for name, value in found.items() if value is not None})}"

    return change


# --- the login ---


@pytest.mark.parametrize(
    "answer",
    [{"iss": "https://evil.example"}, {"iss": None}, {"state": "another"}, {"state": None}, {"code": None}],
    ids=["attack_mix_up", "attack_mix_up_without_iss", "attack_csrf", "attack_csrf_without_state", "no_code"],
)
def test_wallet_sends_no_code_on_after(
    wallet: OpenWallet, issuer: ForeignIssuer, answer: dict[str, str | None]
) -> None:
    """RFC 9207, RFC 9700 4.4 and 4.7."""
    issuer.change["answer"] = answer_with(**answer)
    refuses(wallet, issuer.offer(), "bad_authorization_response")
    assert "/token" not in issuer.paths()


def test_refusal_of_the_issuer_keeps_its_code(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    issuer.error = "access_denied"
    refuses(wallet, issuer.offer(), "access_denied")
    assert "/token" not in issuer.paths()


@pytest.mark.parametrize(
    "changes",
    [
        {"pushed_authorization_request_endpoint": None},
        {"authorization_endpoint": None},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": None},
        {"dpop_signing_alg_values_supported": None},
        {"dpop_signing_alg_values_supported": ["RS256"]},
        {"authorization_response_iss_parameter_supported": False},
        {"grant_types_supported": ["client_credentials"]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_wallet_does_not_log_in_where_it_is_not_safe(
    wallet: OpenWallet, issuer: ForeignIssuer, changes: dict[str, Any]
) -> None:
    issuer.change["server"] = with_members(**changes)
    refuses(wallet, issuer.offer(), "bad_metadata")
    assert "/par" not in issuer.paths()


def test_nobody_logs_in(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    seen: list[str] = []
    refuses(wallet, issuer.offer(), "no_login", seconds=0.05, show=seen.append)
    assert len(seen) == 1
    assert "/token" not in issuer.paths()


def test_grant_can_be_stopped_while_a_login_waits(
    holder: Holder, wallet: OpenWallet, issuer: ForeignIssuer
) -> None:
    """The vault has one program at a time, and a resident may take ten minutes to log in."""
    done: list[str] = []

    def meanwhile(url: str) -> None:
        with holder.open() as other, other.vault.transaction():
            other.vault.put("activities", "1", Activity(b.NOW, "declined", "x", "x", None, [], []))
        done.append(url)
        browse(url)

    assert len(fetch(wallet, issuer.offer(), show=meanwhile)) == 1
    assert len(done) == 1
    assert len(wallet.vault.all("activities", Activity)) == 1


def test_login_needs_a_browser(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    with pytest.raises(Exception, match="need_browser"):
        receive(wallet, issuer.offer(), None)
    assert issuer.asked == []


def test_attack_another_program_calls_the_loopback_listener(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    """Without the path it is not heard; the login goes on."""

    def call_it_first(url: str) -> None:
        (pushed,) = issuer.bodies("/par")
        origin = pushed["redirect_uri"].rpartition("/")[0]
        browse(f"{origin}/?code=evil&state=evil")
        browse(url)

    assert len(fetch(wallet, issuer.offer(), show=call_it_first)) == 1
    assert issuer.wrong == []


# --- who and where ---


def test_stranger_that_nobody_trusts_is_not_called(
    holder: Holder, wallet: OpenWallet, issuer: ForeignIssuer
) -> None:
    holder.home.file("anchors.json").unlink()
    refuses(wallet, issuer.offer(), "unknown_issuer")
    refuses(wallet, f"openid-credential-offer://?credential_offer_uri={issuer.url}/offers/1", "unknown_issuer")
    assert issuer.asked == []


@pytest.mark.parametrize(
    ("document", "endpoint"),
    [
        ("metadata", "credential_endpoint"),
        ("metadata", "nonce_endpoint"),
        ("metadata", "deferred_credential_endpoint"),
        ("metadata", "notification_endpoint"),
        ("server", "token_endpoint"),
        ("server", "authorization_endpoint"),
        ("server", "pushed_authorization_request_endpoint"),
        ("server", "challenge_endpoint"),
    ],
)
def test_attack_endpoint_at_somebody_elses_address(
    wallet: OpenWallet, issuer: ForeignIssuer, document: str, endpoint: str
) -> None:
    issuer.change[document] = with_members(**{endpoint: "http://127.0.0.1:1/take"})
    refuses(wallet, issuer.offer(), "bad_metadata")
    assert set(issuer.paths()) == {"/.well-known/openid-credential-issuer"}


def test_attack_offer_names_a_server_that_the_issuer_does_not(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    link = issuer.offer(authorization_code={"authorization_server": "https://evil.example"})
    refuses(wallet, link, "bad_metadata")
    assert "/par" not in issuer.paths()


def test_issuer_may_have_its_server_elsewhere(holder: Holder, wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    with ForeignIssuer() as server:
        issuer.change["metadata"] = with_members(authorization_servers=[server.url])
        server.error = "access_denied"
        trusting(holder, issuer, wallet_providers=server.anchors()["wallet_providers"])
        refuses(wallet, issuer.offer(), "access_denied")
        assert server.paths() == ["/par", "/authorize"]
    assert issuer.paths() == ["/.well-known/openid-credential-issuer"]


@pytest.mark.parametrize("document", ["metadata", "server"])
def test_attack_document_of_another_issuer(wallet: OpenWallet, issuer: ForeignIssuer, document: str) -> None:
    name = "credential_issuer" if document == "metadata" else "issuer"
    issuer.change[document] = with_members(**{name: issuer.url + "/"})
    refuses(wallet, issuer.offer(), "bad_metadata")


def test_attack_signed_metadata_of_a_stranger(holder: Holder, wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    """VCI 12.2.3: without trust in the signer it is refused, not read as if it were unsigned."""
    issuer.signed = True
    trusting(holder, issuer, roots=strangers.UNIVERSITY.roots)
    refuses(wallet, issuer.offer(), "bad_metadata")
    trusting(holder, issuer)
    issuer.change["signed"] = lambda token: token[:-4] + "AAAA"
    refuses(wallet, issuer.offer(), "bad_metadata")


def test_nobody_attests_this_wallet(holder: Holder, wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    trusting(holder, issuer, wallet_providers=[])
    refuses(wallet, issuer.offer(), "no_wallet_provider")
    assert "/par" not in issuer.paths()


@pytest.mark.parametrize(
    "changes",
    [{"attestation": "a\r\nX-Header: evil"}, {"attestation": "a.b.c"}, {"client_id": "another"}],
    ids=["attack_header_injection", "no_token", "another_client"],
)
def test_wallet_shows_no_attestation_that_is_not_its_own(
    wallet: OpenWallet, issuer: ForeignIssuer, changes: dict[str, str]
) -> None:
    issuer.change["attestation"] = with_members(**changes)
    refuses(wallet, issuer.offer(), "bad_attestation")
    assert "/par" not in issuer.paths()


# --- tokens and nonces ---


def test_attack_token_type_downgraded_to_bearer(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    issuer.change["token"] = with_members(token_type="Bearer")
    refuses(wallet, issuer.offer(), "bad_token_response")
    assert "/credential" not in issuer.paths()


@pytest.mark.parametrize("wanted", ["use_dpop_nonce", "use_attestation_challenge"])
def test_server_that_always_wants_another_nonce_is_asked_twice(
    wallet: OpenWallet, issuer: ForeignIssuer, wanted: str
) -> None:
    refusal = Response(json.dumps({"error": wanted}), 400, content_type="application/json")
    refusal.headers["DPoP-Nonce"] = refusal.headers["OAuth-Client-Attestation-Challenge"] = "again"
    issuer.change["token"] = lambda value: refusal
    link = issuer.code_offer()
    before = wallet.vault.export()
    with pytest.raises(Exception, match=wanted):
        fetch(wallet, link)
    assert issuer.paths().count("/token") == 2
    assert wallet.vault.export() == before


def test_token_for_other_cards_than_asked(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    detail = {"type": "openid_credential", "credential_configuration_id": "minor"}
    issuer.change["token"] = with_members(authorization_details=[detail])
    refuses(wallet, issuer.offer(), "credential_request_denied")


def test_token_with_too_many_identifiers(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    issuer.identifiers = [str(n) for n in range(9)]
    refuses(wallet, issuer.offer(), "bad_token_response")
    assert "/credential" not in issuer.paths()


# --- what can be asked ---


def jwt_proofs(algorithms: Any) -> dict[str, Any]:
    """Metadata of the proof type."""
    return {"proof_signing_alg_values_supported": algorithms}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"format": "mso_mdoc"}, "unknown_credential"),
        ({"vct": None}, "unknown_credential"),
        ({"vct": b.ADRES}, "vct_not_allowed"),
        ({"proof_types_supported": {"di_vp": {}}}, "unknown_credential"),
        ({"proof_types_supported": {"jwt": jwt_proofs(["EdDSA"])}}, "unknown_credential"),
        ({"proof_types_supported": {"jwt": jwt_proofs(5)}}, "unknown_credential"),
        (
            {"proof_types_supported": {"jwt": {**jwt_proofs(["ES256"]), "key_attestations_required": {}}}},
            "key_attestation_required",
        ),
    ],
)  # fmt: skip
def test_wallet_does_not_log_in_for_what_it_could_not_take(
    wallet: OpenWallet, issuer: ForeignIssuer, changes: dict[str, Any], code: str
) -> None:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        configuration = with_members(**changes)(metadata["credential_configurations_supported"]["diploma"])
        return {**metadata, "credential_configurations_supported": {"diploma": configuration}}

    issuer.change["metadata"] = change
    refuses(wallet, issuer.offer(), code)
    assert "/par" not in issuer.paths()


def test_attack_escape_sequence_in_the_name_of_a_card(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    """It would be printed on the resident's terminal."""
    name = "diploma\x1b[2J"
    issuer.change["metadata"] = lambda value: {
        **value,
        "credential_configurations_supported": {name: value["credential_configurations_supported"]["diploma"]},
    }
    refuses(wallet, issuer.offer(name), "unknown_credential")


def test_card_that_the_issuer_does_not_have(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    refuses(wallet, issuer.offer("phd"), "unknown_credential")
    with pytest.raises(Exception, match="unknown_credential"):
        get(wallet, issuer.url, ["phd"], LoopbackBrowser(browse, wallet.random))


# --- what comes ---


def one(text: str) -> Change:
    """The answer with this first credential."""
    return lambda value: {**value, "credentials": [{"credential": text}, *value["credentials"][1:]]}


OTHER_KEY = b.es256("somebody else").public


def diploma(**changes: Any) -> str:
    """A diploma of the issuer, bound to another key."""
    return strangers.diploma(OTHER_KEY, **{"iss": None, "signer": ISSUER, **changes})


LIES: dict[str, tuple[str, Change]] = {
    "more copies than keys": ("bad_credential_response", lambda v: {**v, "credentials": v["credentials"] * 2}),
    "no copy": ("bad_credential_response", with_members(credentials=[])),
    "copies and a transaction": ("bad_credential_response", with_members(transaction_id="t", interval=5)),
    "one copy twice": ("wrong_key", lambda v: {**v, "credentials": [v["credentials"][0]] * 4}),
    "a key of its own": ("wrong_key", one(diploma())),
    "a copy bound to nothing": ("wrong_key", one(strangers.diploma(None, iss=None, signer=ISSUER))),
    "another type": ("wrong_vct", one(diploma(vct="urn:x"))),
    "a type of ours": ("bad_form", one(diploma(vct=b.ADRES))),
    "a card of a listed issuer": ("wrong_issuer", one(b.credential(b.ADRES, holder=OTHER_KEY))),
    "another's signature": ("untrusted_chain", one(diploma(signer=strangers.UNIVERSITY))),
    "an expired copy": ("expired_credential", one(diploma(exp=b.NOW - 1))),
    "no SD-JWT": ("bad_sd_jwt", one("what?")),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_wallet_takes_nothing_of_a_stranger_that_sends(
    wallet: OpenWallet, issuer: ForeignIssuer, lie: str
) -> None:
    code, issuer.change["credential"] = LIES[lie]
    refuses(wallet, issuer.offer(), code)
    assert {event for _, event in issuer.bodies("/notification")} <= {"credential_failure"}


def test_stranger_may_make_fewer_copies(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    """VCI 8.3; each copy keeps the key that it is bound to, whichever were left out."""
    issuer.change["credential"] = lambda v: {**v, "credentials": v["credentials"][1::2]}
    assert [item.copies for item in fetch(wallet, issuer.offer())] == [2]
    assert sorted(copy.number for copy in wallet.copies().values()) == [1, 3]


def test_copies_of_one_status_index_are_refused(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    status = {"status_list": {"idx": 5, "uri": f"{issuer.url}/status/1"}}
    made = strangers.diploma

    def change(value: dict[str, Any]) -> dict[str, Any]:
        keys = [issuer.keys_of_last()[n] for n in range(len(value["credentials"]))]
        texts = [
            made(key, seed=f"status {n}", iss=None, signer=ISSUER, status=status) for n, key in enumerate(keys)
        ]
        return {**value, "credentials": [{"credential": text} for text in texts]}

    issuer.change["credential"] = change
    refuses(wallet, issuer.offer(), "linkable_copies")


# --- too much ---


@pytest.mark.parametrize("document", ["metadata", "server", "token", "nonce", "credential"])
def test_attack_oversized_answer(wallet: OpenWallet, issuer: ForeignIssuer, document: str) -> None:
    issuer.change[document] = lambda value: Response(b" " * 2**22, content_type="application/json")
    refuses(wallet, issuer.offer(), "too_large")


@pytest.mark.parametrize("document", ["metadata", "server", "token", "nonce", "credential"])
def test_attack_deeply_nested_answer(wallet: OpenWallet, issuer: ForeignIssuer, document: str) -> None:
    issuer.change[document] = lambda value: Response(b'{"a":' * 8_000, content_type="application/json")
    before = wallet.vault.export()
    with pytest.raises(Rejected, match=r"^bad_"):
        fetch(wallet, issuer.offer())
    assert wallet.vault.export() == before


def test_attack_compression_bomb(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    bomb = Response(gzip.compress(bytes(2**25)), content_type="application/json")
    bomb.headers["Content-Encoding"] = "gzip"
    issuer.change["metadata"] = lambda value: bomb
    refuses(wallet, issuer.offer(), "too_large")


# --- encryption ---


def test_attack_answer_in_the_open_though_encryption_was_asked(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    issuer.encrypted = True
    issuer.change["credential"] = lambda value: Response(json.dumps(value), content_type="application/json")
    refuses(wallet, issuer.offer(), "bad_media_type")


def test_attack_answer_encrypted_to_another_key(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    issuer.encrypted = True
    jwk = {**b.es256("thief").public.jwk(), "alg": "ECDH-ES"}

    def change(value: Any) -> Response:
        token = encrypt_response(json.dumps(value).encode(), EncryptionKey(jwk, "A256GCM"))
        return Response(token, content_type="application/jwt")

    issuer.change["credential"] = change
    refuses(wallet, issuer.offer(), "bad_credential_response")


@pytest.mark.parametrize("what", ["credential_request_encryption", "credential_response_encryption"])
def test_issuer_that_wants_an_encryption_that_nobody_here_has(
    wallet: OpenWallet, issuer: ForeignIssuer, what: str
) -> None:
    issuer.encrypted = issuer.encryption_required = True

    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, what: {**metadata[what], "enc_values_supported": ["A128CBC-HS256"]}}

    issuer.change["metadata"] = change
    refuses(wallet, issuer.offer(), "bad_metadata")
    assert "/credential" not in issuer.paths()


def test_every_request_has_an_encryption_key_of_its_own(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    issuer.encrypted = True
    fetch(wallet, issuer.offer("diploma", "minor"))
    keys = [body["credential_response_encryption"]["jwk"]["x"] for body in issuer.bodies("/credential")]
    assert len(set(keys)) == 2


# --- a listed issuer is held to more ---


def test_listed_issuer_must_keep_everything_at_its_own_address(
    holder: Holder, wallet: OpenWallet, issuer: ForeignIssuer
) -> None:
    listed = b.issuer(id=issuer.url)
    holder.trust_path.write_text(sign_trust_list(b.trust_list(issuers=[listed], version=2), b.REGISTRAR))
    issuer.change["metadata"] = with_members(authorization_servers=["http://localhost:1"])
    refuses(wallet, issuer.offer(), "bad_metadata")
    issuer.change["metadata"] = with_members(nonce_endpoint=None)
    refuses(wallet, issuer.offer(), "bad_metadata")
    issuer.change.clear()
    refuses(wallet, issuer.offer(), "unknown_credential")
