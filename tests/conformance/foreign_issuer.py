"""An issuer that nobody here wrote, for our wallet: OpenID4VCI 1.0 under HAIP over real HTTP on loopback.

It stands for the OpenID conformance suite in its role against wallets: issuer, OAuth server and wallet provider in
one, strict about every message that it gets. `asked` holds what came, `wrong` what it found against a request;
`change` lets a test bend one of its answers. Its settings are attributes, to be set before the wallet calls.
"""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl
from urllib.request import urlopen

from flask import Flask, Response, redirect, request
from werkzeug.serving import make_server

from protocol.client_attestation import (
    ATTESTATION_HEADER,
    CHALLENGE_HEADER,
    CLIENT_AUTH_METHOD,
    POP_HEADER,
    sign_client_attestation,
    verify_client_attestation,
)
from protocol.credential_encryption import (
    decrypt_request,
    encrypt_response,
    request_encryption,
    response_encryption,
)
from protocol.credential_request import (
    AskedCredential,
    AskedDeferred,
    parse_credential_request,
    parse_deferred_request,
)
from protocol.direct_post import EncryptionKey
from protocol.dpop import verify_dpop
from protocol.errors import Rejected
from protocol.issuer_metadata import parse_issuer_metadata
from protocol.key_proof import parse_key_proof, verify_key_proofs
from protocol.keys import Es256Public
from protocol.oauth import (
    AuthorizationCode,
    AuthorizationRequest,
    PreAuthorizedCode,
    RefreshToken,
    code_challenge,
    parse_authorization_request,
    parse_pushed_reference,
    parse_token_request,
    response_url,
)
from protocol.openid4vci import parse_notification
from protocol.signed_metadata import sign_issuer_metadata
from protocol.trust_list import TrustList, WalletProvider
from protocol.wallet_attestation import verify_wallet_key
from tests.protocol import builders as b
from tests.protocol import strangers
from tests.protocol.builders import NOW

CLIENT_ID = "https://wallet.voorbeeld.example"
PROVIDER = b.party("wallet provider", san_dns="provider.voorbeeld.example")
ENCRYPTION_KEY = b.es256("credential requests")
ISSUER = strangers.party("university on loopback", san_dns="localhost")
TX_CODE = "493817"
Change = Callable[[Any], Any]


class ForeignIssuer:
    """`with ForeignIssuer() as issuer:` serves until the end of the block."""

    def __init__(self) -> None:
        self.scopes = True
        """Whether its configurations have scopes; else it wants authorization details."""
        self.identifiers: list[str] | None = None
        """Credential identifiers that its token response names."""
        self.batch_size: int | None = 4
        self.dpop_nonces = False
        self.late_nonces = False
        """Whether only a refusal brings a DPoP nonce, which is good once."""
        self.challenges = True
        self.challenge_endpoint = True
        self.attested = True
        self.encrypted = False
        self.encryption_required = False
        self.signed = False
        self.notifies = True
        self.defers = False
        self.ready = False
        self.nonce_endpoint = True
        self.refreshes = True
        self.error: str | None = None
        """What the authorization endpoint answers instead of a code."""
        self.change: dict[str, Change] = {}
        self.courses = ("Logica", "Statistiek")
        self.now = NOW
        self.asked: list[tuple[str, Any]] = []
        self.wrong: list[str] = []
        self._pushed: dict[str, AuthorizationRequest] = {}
        self._codes: dict[str, AuthorizationRequest] = {}
        self._tokens: dict[str, str | None] = {}
        self._refresh: dict[str, str] = {}
        self._waiting: dict[str, tuple[Es256Public, ...]] = {}
        self._nonces: set[str] = set()
        self._seen: set[str] = set()
        self._keys: set[str] = set()
        self._last: tuple[Es256Public, ...] = ()
        self._count = 0
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self.url = f"http://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "ForeignIssuer":
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def anchors(self, **changes: Any) -> dict[str, Any]:
        """`anchors.json` of a home that trusts it, and its wallet provider."""
        issuer = {
            "id": self.url,
            "name": "Universiteit Vreemd",
            "roots": ISSUER.roots,
            "vcts": ["*"],
        }
        provider = {"id": self.url, "name": "Wallet Provider", "roots": PROVIDER.roots}
        return {"issuers": [{**issuer, **changes}], "wallet_providers": [provider]}

    def offer(self, *names: str, **grants: Any) -> str:
        """The link of an offer by value; by default of a login with an `issuer_state`."""
        body = {
            "credential_issuer": self.url,
            "credential_configuration_ids": list(names or ("diploma",)),
            "grants": grants or {"authorization_code": {"issuer_state": "state-of-the-issuer"}},
        }
        return "openid-credential-offer://?credential_offer=" + json.dumps(body)

    def code_offer(self, *names: str) -> str:
        """An offer with a pre-authorized code."""
        grant = {"pre-authorized_code": "pre-authorized", "tx_code": {"length": 6}}
        return self.offer(*names, **{"urn:ietf:params:oauth:grant-type:pre-authorized_code": grant})

    def paths(self) -> list[str]:
        """What was called, in order."""
        return [path for path, _ in self.asked]

    def bodies(self, path: str) -> list[Any]:
        """What came to one endpoint."""
        return [body for called, body in self.asked if called == path]

    def bound(self) -> set[str | None]:
        """Thumbprints of the keys that it has seen: of wallet attestations and of DPoP proofs."""
        return {*self._keys, *self._tokens.values()}

    def keys_of_last(self) -> tuple[Es256Public, ...]:
        """The holder keys of the newest credential request."""
        return self._last

    def allow_time(self, seconds: int) -> None:
        """Its clock goes on."""
        self.now += seconds

    def forget_refresh_tokens(self) -> None:
        """As after a theft."""
        self._refresh.clear()

    def forget_access_tokens(self) -> None:
        """They have ended."""
        self._tokens.clear()

    def forget_transactions(self) -> None:
        """The issuer changed its mind."""
        self._waiting.clear()

    # --- what it says of itself ---

    def issuer_metadata(self) -> dict[str, Any]:
        proofs = {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}}
        configuration = {
            "format": "dc+sd-jwt",
            "vct": strangers.DIPLOMA,
            "cryptographic_binding_methods_supported": ["jwk"],
            "proof_types_supported": proofs,
            "credential_metadata": {"display": [{"name": "Diploma", "locale": "nl-NL"}]},
        }
        found: dict[str, Any] = {
            "credential_issuer": self.url,
            "credential_endpoint": f"{self.url}/credential",
            "deferred_credential_endpoint": f"{self.url}/deferred",
            "credential_configurations_supported": {
                name: {**configuration, **({"scope": f"{name}-scope"} if self.scopes else {})}
                for name in ("diploma", "minor")
            },
        }
        if self.nonce_endpoint:
            found["nonce_endpoint"] = f"{self.url}/nonce"
        if self.notifies:
            found["notification_endpoint"] = f"{self.url}/notification"
        if self.batch_size is not None:
            found["batch_credential_issuance"] = {"batch_size": self.batch_size}
        if self.encrypted:
            required = self.encryption_required
            found["credential_request_encryption"] = _plain(
                request_encryption(ENCRYPTION_KEY.public, required=required)
            )
            found["credential_response_encryption"] = _plain(response_encryption(required=required))
        return found

    def server_metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?tenant=a",
            "pushed_authorization_request_endpoint": f"{self.url}/par",
            "token_endpoint": f"{self.url}/token",
            **({"challenge_endpoint": f"{self.url}/challenge"} if self.challenge_endpoint else {}),
            "require_pushed_authorization_requests": True,
            "code_challenge_methods_supported": ["S256"],
            "dpop_signing_alg_values_supported": ["ES256"],
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": [CLIENT_AUTH_METHOD if self.attested else "none"],
            "authorization_details_types_supported": ["openid_credential"],
        }

    # --- its endpoints ---

    def _app(self) -> Flask:
        app = Flask("foreign issuer")
        routes: dict[str, Callable[[], Any]] = {
            "/.well-known/openid-credential-issuer": self._metadata,
            "/.well-known/oauth-authorization-server": lambda: self._said("server", self.server_metadata()),
            "/par": self._par,
            "/authorize": self._authorize,
            "/token": self._token,
            "/challenge": lambda: {"attestation_challenge": self._fresh("challenge")},
            "/nonce": self._nonce,
            "/credential": self._credential,
            "/deferred": self._deferred,
            "/notification": self._notification,
            "/v1/wallet-attestations": self._attest,
        }
        for path, view in routes.items():
            methods = ["GET"] if path.startswith("/.well-known") or path == "/authorize" else ["POST"]
            app.add_url_rule(path, path, self._guarded(view), methods=methods)
        return app

    def _guarded(self, view: Callable[[], Any]) -> Callable[[], Any]:
        def guarded() -> Any:
            try:
                return view()
            except Rejected as error:
                self.wrong.append(f"{request.path} {error.code}: {error.detail}")
                return self._refusal(error.code)

        return guarded

    def _refusal(self, code: str, status: int = 400) -> Response:
        response = Response(json.dumps({"error": code}), status, content_type="application/json")
        if code == "invalid_token":
            response.status_code = 401
        if code == "use_attestation_challenge":
            response.headers[CHALLENGE_HEADER] = self._fresh("challenge")
        if code == "use_dpop_nonce":
            response.headers["DPoP-Nonce"] = self._fresh("dpop")
            if request.path != "/token":  # RFC 9449 9: a resource says it in the challenge
                response.status_code, response.data = 401, b""
                response.headers["WWW-Authenticate"] = 'DPoP error="use_dpop_nonce", error_description="again"'
        return response

    def _fresh(self, kind: str) -> str:
        self._count += 1
        made = f"{kind}-{self._count}-{'x' * 20}"
        self._nonces.add(made)
        return made

    def _said(self, name: str, value: Any, status: int = 200) -> Response:
        value = self.change.get(name, lambda same: same)(value)
        if isinstance(value, Response):
            return value
        return Response(json.dumps(value), status, content_type="application/json")

    def _metadata(self) -> Response:
        self.asked.append((request.path, request.headers.get("Accept")))
        if not self.signed:
            return self._said("metadata", self.issuer_metadata())
        signer = ISSUER
        metadata = parse_issuer_metadata(json.dumps(self.issuer_metadata()), self.url)
        token = sign_issuer_metadata(metadata, signer.key, [signer.leaf], iat=self.now, exp=self.now + 60)
        return Response(self.change.get("signed", lambda same: same)(token), content_type="application/jwt")

    def _attest(self) -> Response:
        key = verify_wallet_key(request.get_json()["proof"], provider=self.url, now=self.now)
        token = sign_client_attestation(
            PROVIDER.key,
            [PROVIDER.leaf],
            issuer=self.url,
            client_id=CLIENT_ID,
            holder=key,
            iat=self.now,
            exp=self.now + 600,
        )
        return self._said("attestation", {"attestation": token, "client_id": CLIENT_ID}, 201)

    def _form(self) -> list[tuple[str, str]]:
        pairs = parse_qsl(request.get_data(as_text=True), strict_parsing=True)
        self.asked.append((request.path, dict(pairs)))
        return pairs

    def _client(self, pairs: list[tuple[str, str]]) -> None:
        if not self.attested:
            return
        trust = TrustList(
            version=1,
            iat=NOW,
            exp=self.now + 60,
            wallet_providers=[WalletProvider(id=self.url, name="x", roots=PROVIDER.roots)],
        )
        attestation, pop = request.headers.get(ATTESTATION_HEADER, ""), request.headers.get(POP_HEADER, "")
        client = verify_client_attestation(attestation, pop, trust=trust, audience=self.url, now=self.now)
        if dict(pairs).get("client_id") != client.client_id or client.jti in self._seen:
            raise Rejected("invalid_client", "another client_id, or a proof shown before")
        self._seen.add(client.jti)
        self._keys.add(client.key.thumbprint())
        if self.challenges and client.challenge not in self._nonces:
            raise Rejected("use_attestation_challenge")

    def _dpop(self, token: str | None = None) -> str:
        uri = f"{self.url}{request.path}"
        proof = verify_dpop(
            request.headers.get("DPoP", ""), method="POST", uri=uri, now=self.now, access_token=token
        )
        if proof.jti in self._seen:
            raise Rejected("invalid_dpop_proof", "shown before")
        self._seen.add(proof.jti)
        if self.dpop_nonces and proof.nonce not in self._nonces:
            raise Rejected("use_dpop_nonce")
        if self.late_nonces:
            self._nonces.discard(str(proof.nonce))
        return proof.jkt

    def _par(self) -> Response:
        pairs = self._form()
        self._client(pairs)
        reference = f"urn:ietf:params:oauth:request_uri:{self._fresh('par')}"
        self._pushed[reference] = parse_authorization_request(pairs)
        return self._said("par", {"request_uri": reference, "expires_in": 60}, 201)

    def _authorize(self) -> Any:
        self.asked.append((request.path, dict(request.args)))
        client_id, reference = parse_pushed_reference(list(request.args.items(multi=True)))
        asked = self._pushed.pop(reference)
        if client_id != asked.client_id:
            raise Rejected("invalid_request", "another client")
        if self.error:
            return redirect(response_url(asked.redirect_uri, issuer=self.url, state=asked.state, error=self.error))
        code = self._fresh("code")
        self._codes[code] = asked
        url = response_url(asked.redirect_uri, issuer=self.url, state=asked.state, code=code)
        return redirect(self.change.get("answer", lambda same: same)(url))

    def _token(self) -> Response:
        pairs = self._form()
        wanted = parse_token_request(pairs)
        if not isinstance(wanted, PreAuthorizedCode):
            self._client(pairs)
        jkt = self._dpop()
        if isinstance(wanted, AuthorizationCode):
            asked = self._codes.pop(wanted.code, None)
            good = asked and asked.redirect_uri == wanted.redirect_uri
            if not asked or not good or code_challenge(wanted.code_verifier) != asked.code_challenge:
                raise Rejected("invalid_grant", "another code, verifier or address")
        elif isinstance(wanted, PreAuthorizedCode):
            if (wanted.pre_authorized_code, wanted.tx_code) != ("pre-authorized", TX_CODE):
                raise Rejected("invalid_grant", "wrong code")
        elif self._refresh.pop(wanted.refresh_token, None) != jkt:
            raise Rejected("invalid_grant", "used before, or another key")
        return self._said("token", self._tokens_for(wanted, jkt))

    def _tokens_for(self, wanted: object, jkt: str) -> dict[str, Any]:
        access = self._fresh("access")
        self._tokens[access] = jkt
        answer: dict[str, Any] = {"access_token": access, "token_type": "DPoP", "expires_in": 300}
        if self.refreshes or isinstance(wanted, RefreshToken):
            answer["refresh_token"] = self._fresh("refresh")
            self._refresh[answer["refresh_token"]] = jkt
        if self.identifiers is not None:
            detail = {"type": "openid_credential", "credential_configuration_id": "diploma"}
            answer["authorization_details"] = [{**detail, "credential_identifiers": self.identifiers}]
        return answer

    def _nonce(self) -> Response:
        self.asked.append((request.path, None))
        response = self._said("nonce", {"c_nonce": self._fresh("c")})
        if self.dpop_nonces and not self.late_nonces:
            response.headers["DPoP-Nonce"] = self._fresh("dpop")
        return response

    def _authorized(self) -> None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "DPoP" or token not in self._tokens or self._dpop(token) != self._tokens[token]:
            raise Rejected("invalid_token", "no token, or bound to another key")

    def _body(self) -> tuple[bytes, bool]:
        data = request.get_data()
        encrypted = request.mimetype == "application/jwt"
        if self.encryption_required and not encrypted:
            raise Rejected("invalid_encryption_parameters", "not encrypted")
        plain = decrypt_request(data, ENCRYPTION_KEY) if encrypted else data
        self.asked.append((request.path, json.loads(plain)))
        return plain, encrypted

    def _credential(self) -> Response:
        self._authorized()
        plain, encrypted = self._body()
        asked = parse_credential_request(plain, encrypted=encrypted)
        keys = self._last = self._proven(asked)
        if self.defers:
            transaction = self._fresh("transaction")
            self._waiting[transaction] = keys
            return self._answer("credential", {"transaction_id": transaction, "interval": 5}, asked, 202)
        return self._answer("credential", self.made(keys), asked)

    def _proven(self, asked: AskedCredential) -> tuple[Es256Public, ...]:
        parsed = [parse_key_proof(proof) for proof in asked.proofs]
        if not {proof.nonce for proof in parsed} <= self._nonces:
            raise Rejected("invalid_nonce", "not ours")
        return verify_key_proofs(
            parsed, audience=self.url, now=self.now, client_id=CLIENT_ID if self.attested else "regie-wallet"
        )

    def made(self, keys: tuple[Es256Public, ...]) -> dict[str, Any]:
        self._count += 1
        made = [
            strangers.diploma(key, seed=f"{self._count} {n}", iss=None, courses=self.courses, signer=ISSUER)
            for n, key in enumerate(keys)
        ]
        answer: dict[str, Any] = {"credentials": [{"credential": text} for text in made]}
        return {**answer, "notification_id": f"n-{self._count}"} if self.notifies else answer

    def _answer(
        self, name: str, value: Any, asked: AskedCredential | AskedDeferred, status: int = 200
    ) -> Response:
        value = self.change.get(name, lambda same: same)(value)
        key: EncryptionKey | None = asked.encryption
        if key is None or isinstance(value, Response):
            return self._said("", value, status)
        token = encrypt_response(json.dumps(value).encode(), key)
        return Response(token, status, content_type="application/jwt")

    def _deferred(self) -> Response:
        self._authorized()
        plain, encrypted = self._body()
        asked = parse_deferred_request(plain, encrypted=encrypted)
        if asked.transaction_id not in self._waiting:
            raise Rejected("invalid_transaction_id")
        if not self.ready:
            later = {"transaction_id": asked.transaction_id, "interval": 7}
            return self._answer("deferred", later, asked, 202)
        return self._answer("deferred", self.made(self._waiting.pop(asked.transaction_id)), asked)

    def _notification(self) -> Response:
        self._authorized()
        told = parse_notification(request.get_data())
        self.asked.append((request.path, (told.notification_id, told.event)))
        return Response(status=204)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps({name: getattr(value, name) for name in value.__struct_fields__}, default=_plain))


def browse(url: str) -> None:
    """The resident's browser, beside the wallet: opens the address and follows where it is sent."""

    def visit() -> None:
        with suppress(OSError), urlopen(url, timeout=60) as answer:
            answer.read()

    threading.Thread(target=visit, daemon=True).start()
