"""A verifier that nobody here wrote, for our wallet: asks over real HTTP on loopback and looks at what comes back.

It stands for the OpenID conformance suite in its role against wallets: signs request objects of its own making,
well or badly, and checks an answer with nothing of the wallet's own rules. `received` holds every POST to its
response_uri: a refusal of the wallet leaves it empty.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode

from joserfc.jwe import decrypt_compact
from joserfc.jwk import ECKey

from protocol.keys import Es256Private, parse_jwk
from tests.protocol import builders as b
from tests.protocol import strangers
from tests.protocol.builders import NOW, Party

VERIFIER = strangers.party(strangers.SHOP_NAME, san_dns="localhost", organization_id=strangers.SHOP_ORGANIZATION)
"""The shop, on this machine."""
ANSWER_KEY = b.es256("foreign answer key")
REDIRECT = "https://localhost/done#code_verifier=4ufVd-xkz"


def b64u(data: bytes) -> str:
    """As in JOSE."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64u(text: str) -> bytes:
    """The inverse."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jwt_parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload, without looking at the signature."""
    header, payload, _ = token.split(".")
    return json.loads(unb64u(header)), json.loads(unb64u(payload))


def sign(header: Mapping[str, Any], payload: Mapping[str, Any], key: Es256Private) -> str:
    """A compact JWS, whatever the header says."""
    text = f"{b64u(json.dumps(header).encode())}.{b64u(json.dumps(payload).encode())}"
    return f"{text}.{b64u(key.sign(text.encode()))}"


class ForeignVerifier:
    """One request at a time. `ask` makes it; members set to None are left out."""

    def __init__(self, party: Party = VERIFIER) -> None:
        self.party = party
        self.header: dict[str, Any] = {}
        self.payload: dict[str, Any] = {}
        self.token: str | None = None
        self.status, self.answer = 200, b"{}"
        self.fetched: list[tuple[str, dict[str, str], dict[str, list[str]]]] = []
        self.received: list[dict[str, str]] = []
        self.key = ANSWER_KEY
        self.redirect_to: str | None = None
        self.files: dict[str, tuple[str, bytes]] = {}
        """Served beside: media type and body by path."""
        verifier = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._serve(b"")

            def do_POST(self) -> None:
                self._serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

            def _serve(self, body: bytes) -> None:
                status, media_type, answer = verifier.handle(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", str(verifier.redirect_to))
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "ForeignVerifier":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Serves the request object and takes answers."""
        form = parse_qs(body.decode(), keep_blank_values=True)
        if path in self.files:
            return 200, *self.files[path]
        if path == "/request":
            self.fetched.append((method, headers, form))
            if self.redirect_to is not None:
                return 302, "text/plain", b""
            nonce = form.get("wallet_nonce", [None])[0] if method == "POST" else None
            payload = {**self.payload, "wallet_nonce": nonce} if nonce else self.payload
            token = self.token or sign(self.header, payload, self.party.key)
            return 200, "application/oauth-authz-req+jwt", token.encode()
        self.received.append({name: values[0] for name, values in form.items()})
        return self.status, "application/json", self.answer

    # --- asking ---

    def ask(
        self,
        query: Mapping[str, Any],
        *,
        prefix: str = "x509_hash",
        mode: str = "direct_post.jwt",
        post: bool = False,
        link: Mapping[str, str] | None = None,
        header: Mapping[str, Any] | None = None,
        registration: str | None = None,
        **changes: Any,
    ) -> str:
        """The link to a request with this query; `changes` are members of the request object."""
        digest = b64u(hashlib.sha256(self.party.leaf).digest())
        client_id = f"x509_hash:{digest}" if prefix == "x509_hash" else "x509_san_dns:localhost"
        self.header = {"alg": "ES256", "typ": "oauth-authz-req+jwt", "x5c": self.party.x5c, **(header or {})}
        made = {
            "client_id": client_id,
            "aud": "https://self-issued.me/v2",
            "response_type": "vp_token",
            "response_mode": mode,
            "response_uri": f"{self.url}/responseuri",
            "nonce": "n-0S6_WzA2Mj-vreemd-24chars",
            "state": "af0ifjsldkj-af0ifjsldkj",
            "dcql_query": query,
            "client_metadata": self.metadata(encrypted=mode == "direct_post.jwt"),
            "verifier_info": registration and [{"format": "registration_cert", "data": registration}],
            **changes,
        }
        self.payload = {name: value for name, value in made.items() if value is not None}
        members = {"client_id": client_id, "request_uri": f"{self.url}/request", **(link or {})}
        if post:
            members["request_uri_method"] = "post"
        return f"openid4vp://?{urlencode(members)}"

    def metadata(
        self, *keys: Mapping[str, Any], encrypted: bool = True, use: str | None = "enc"
    ) -> dict[str, Any]:
        """`client_metadata`; `keys` stand before the one that can be used."""
        made: dict[str, Any] = {
            "vp_formats_supported": {"dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}}
        }
        if encrypted:
            own = {**self.key.public.jwk(), "kid": "answer-key", "alg": "ECDH-ES", "use": use}
            made["jwks"] = {"keys": [*keys, {name: value for name, value in own.items() if value}]}
            made["encrypted_response_enc_values_supported"] = ["A128GCM", "A256GCM"]
        return made

    # --- what came back ---

    def open_answer(self) -> dict[str, list[str]]:
        """The one `vp_token` received, with the conditions of the suite on the response itself."""
        (form,) = self.received
        if self.payload["response_mode"] == "direct_post":
            assert set(form) <= {"vp_token", "state"}
            assert form.get("state") == self.payload.get("state")
            token: dict[str, list[str]] = json.loads(form["vp_token"])
            return token
        assert set(form) == {"response"}
        header = json.loads(unb64u(form["response"].split(".")[0]))
        assert (header["alg"], header["kid"]) == ("ECDH-ES", "answer-key")
        assert header["enc"] in self.payload["client_metadata"]["encrypted_response_enc_values_supported"]
        plain = decrypt_compact(
            form["response"], ECKey.import_key(self.key.key), algorithms=["ECDH-ES", "A128GCM", "A256GCM"]
        ).plaintext
        body = json.loads(plain or b"")
        assert not {"iss", "exp", "aud"} & set(body)
        assert body.get("state") == self.payload.get("state")
        found: dict[str, list[str]] = body["vp_token"]
        return found

    def open_presentation(self, presentation: str, *, now: int = NOW) -> tuple[dict[str, Any], list[list[Any]]]:
        """Issuer payload and disclosures, once the key binding is found good by RFC 9901 section 4.3."""
        jwt, *disclosures, binding = presentation.split("~")
        _, issued = jwt_parts(jwt)
        header, bound = jwt_parts(binding)
        assert header == {"alg": "ES256", "typ": "kb+jwt"}
        assert set(bound) == {"aud", "nonce", "iat", "sd_hash"}
        assert (bound["aud"], bound["nonce"]) == (self.payload["client_id"], self.payload["nonce"])
        assert abs(bound["iat"] - now) <= 60
        covered = presentation[: len(presentation) - len(binding)]
        assert bound["sd_hash"] == b64u(hashlib.sha256(covered.encode()).digest())
        signed, _, signature = binding.rpartition(".")
        parse_jwk(issued["cnf"]["jwk"]).verify(unb64u(signature), signed.encode())
        assert len(set(disclosures)) == len(disclosures)
        return issued, [json.loads(unb64u(text)) for text in disclosures]

    def shown(self, query_id: str) -> list[str]:
        """Names (or values of array elements) that the one presentation for this query opened, sorted."""
        (presentation,) = self.open_answer()[query_id]
        _, disclosures = self.open_presentation(presentation)
        return sorted(str(item[1]) for item in disclosures)
