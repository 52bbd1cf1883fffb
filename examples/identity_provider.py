"""A small OpenID provider in the place of DigiD, or of an organisation's own sign-in, for tests and for trying
things out; never for real people.

    python -m examples.identity_provider --port 9000 --client-id issuer --client-key client.jwk \\
        --redirect-uri http://localhost:8080/login/callback
    python -m examples.identity_provider --staff --port 9001 --client-id desk --client-key staff-key.jwk \\
        --redirect-uri http://localhost:8082/desk/sign-in/callback

It knows the test persons, or with `--staff` some people of a town hall, and asks no password: whoever stands
before the screen chooses who he is and, for a resident, how surely he was identified. Everything is in memory.
Clients (the options of each in turn) by authorization code with PKCE and `private_key_jwt` or a secret (OpenID
Connect Core 1.0, Discovery 1.0, RFC 7636, RFC 9207).
"""

import argparse
import base64
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from examples.sign_in_page import POLICY, sign_in_page
from protocol.canonical import b64u_encode, parse_object, sha256
from protocol.jws import parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private, parse_jwk

PERSONS = Path(__file__).with_name("persons.jsonl")
LEVELS = ("urn:example:login:low", "urn:example:login:substantial", "urn:example:login:high")
CODE_SECONDS = 60
STAFF: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "b.bakker": ("Bente Bakker", ("balie",)),
    "m.mulder": ("Mees Mulder", ("chef",)),
    "f.faber": ("Fenna Faber", ("privacy",)),
    "a.aydin": ("Aylin Aydın", ("controle",)),
    "s.smit": ("Sam Smit", ()),
}
"""Name and groups by account; Sam has none, and so no role anywhere."""


@dataclass(frozen=True)
class Client:
    """A relying party. It authenticates with `key` (a public JWK) or with `secret`."""

    client_id: str
    redirect_uri: str
    key: Mapping[str, Any] | None = None
    secret: str | None = None


@dataclass
class Provider:
    """What is known here. `persons`: name by BSN; `algorithm` of ID tokens; `bsn_in_userinfo`: and not in them.

    `staff`: name and groups by account, in the place of `persons`; `also`: more clients.
    """

    url: str
    client: Client
    persons: Mapping[str, str]
    algorithm: str = "ES256"
    bsn_in_userinfo: bool = False
    staff: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    also: tuple[Client, ...] = ()
    now: Callable[[], int] = lambda: int(time.time())
    questions: dict[str, dict[str, str]] = field(default_factory=dict)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    spent: set[str] = field(default_factory=set)
    key: Es256Private = field(default_factory=lambda: Es256Private.from_secret(secrets.token_bytes(48)))
    rsa_key: rsa.RSAPrivateKey | None = None

    def __post_init__(self) -> None:
        if self.algorithm != "ES256":
            self.rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self) -> dict[str, str]:
        """The key that verifies its ID tokens."""
        if self.rsa_key is None:
            return {**self.key.public.jwk(), "kid": "1", "use": "sig", "alg": "ES256"}
        numbers = self.rsa_key.public_key().public_numbers()
        n, e = (
            b64u_encode(value.to_bytes((value.bit_length() + 7) // 8, "big")) for value in (numbers.n, numbers.e)
        )
        return {"kty": "RSA", "n": n, "e": e, "kid": "1", "use": "sig", "alg": self.algorithm}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """An ID token."""
        if self.rsa_key is None:
            return sign_jws(claims, self.key, typ="JWT", header={"kid": "1"})
        parts = ({"alg": self.algorithm, "typ": "JWT", "kid": "1"}, claims)
        message = ".".join(b64u_encode(json.dumps(part).encode()) for part in parts)
        scheme = (
            padding.PKCS1v15() if self.algorithm == "RS256" else padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        )
        return f"{message}.{b64u_encode(self.rsa_key.sign(message.encode(), scheme, hashes.SHA256()))}"

    def find_client(self, client_id: str | None) -> Client | None:
        """The client that is called so."""
        return next((one for one in (self.client, *self.also) if one.client_id == client_id), None)

    def subject(self, who: str) -> str:
        """`sub`: an account of the staff as it is; of a resident one that tells nothing of him."""
        return who if who in self.staff else b64u_encode(sha256(b"identity-provider", who.encode()))

    def claims(self, who: str) -> dict[str, Any]:
        """What is said of somebody besides `sub`."""
        if who in self.staff:
            name, groups = self.staff[who]
            return {"name": name, "roles": list(groups)}
        return {"bsn": who}


def known_persons() -> dict[str, str]:
    """Name by BSN of the project's own test persons."""
    lines = [json.loads(line) for line in PERSONS.read_text().splitlines() if line.strip()]
    return {one["burgerservicenummer"]: one.get("naam", {}).get("volledigeNaam") or "onbekend" for one in lines}


def make_provider(provider: Provider) -> Flask:
    """The app of a provider."""
    app = Flask("identity_provider")
    _add_documents(app, provider)
    _add_login(app, provider)
    _add_tokens(app, provider)
    return app


def _add_documents(app: Flask, provider: Provider) -> None:
    @app.get("/.well-known/openid-configuration")
    def configuration() -> Response:
        return jsonify(
            issuer=provider.url,
            authorization_endpoint=f"{provider.url}/authorize",
            token_endpoint=f"{provider.url}/token",
            userinfo_endpoint=f"{provider.url}/userinfo",
            jwks_uri=f"{provider.url}/jwks",
            response_types_supported=["code"],
            subject_types_supported=["pairwise"],
            id_token_signing_alg_values_supported=[provider.algorithm],
            token_endpoint_auth_methods_supported=["private_key_jwt", "client_secret_basic"],
            code_challenge_methods_supported=["S256"],
            acr_values_supported=list(LEVELS),
            authorization_response_iss_parameter_supported=True,
        )

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @app.get("/jwks")
    def jwks() -> Response:
        return jsonify(keys=[provider.jwk()])


def _add_login(app: Flask, provider: Provider) -> None:
    @app.get("/authorize")
    def authorize() -> Response:
        asked = request.args.to_dict()
        client = provider.find_client(asked.get("client_id"))
        expected = {
            "response_type": "code",
            "redirect_uri": client.redirect_uri if client else None,
            "code_challenge_method": "S256",
        }
        if (
            client is None
            or any(asked.get(name) != value for name, value in expected.items())
            or "code_challenge" not in asked
        ):
            return Response("unknown client, or not a request that this provider answers", status=400)
        login = secrets.token_urlsafe(16)
        provider.questions[login] = asked
        people = _people(provider)
        response = Response(
            sign_in_page(login, people, () if provider.staff else LEVELS), content_type="text/html; charset=utf-8"
        )
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @app.post("/login")
    def login() -> Response:
        asked = provider.questions.pop(request.form.get("login", ""), None)
        if asked is None:
            return Response("this login is over", status=400)
        who, level = request.form.get("bsn", ""), request.form.get("level", "")
        answer = {"state": asked.get("state", ""), "iss": provider.url}
        if who in (provider.staff or provider.persons) and level in (("",) if provider.staff else LEVELS):
            answer["code"] = secrets.token_urlsafe(24)
            until = provider.now() + CODE_SECONDS
            provider.codes[answer["code"]] = {**asked, "who": who, "acr": level, "until": until}
        else:
            answer["error"] = "access_denied"
        return Response(status=303, headers={"Location": f"{asked['redirect_uri']}?{urlencode(answer)}"})


def _people(provider: Provider) -> dict[str, str]:
    """Who can be chosen, and how each is called on the page."""
    staff = {
        who: f"{name} ({who}): {', '.join(groups) or 'geen groep'}"
        for who, (name, groups) in provider.staff.items()
    }
    return staff or dict(provider.persons)


def _add_tokens(app: Flask, provider: Provider) -> None:
    @app.post("/token")
    def token() -> tuple[Response, int]:
        client = _client_that_asks(provider)
        if client is None:
            return jsonify(error="invalid_client"), 401
        known = provider.codes.pop(request.form.get("code", ""), None)
        verifier = request.form.get("code_verifier", "").encode()
        if (
            known is None
            or known["until"] <= provider.now()
            or known["client_id"] != client.client_id
            or known["redirect_uri"] != request.form.get("redirect_uri")
            or known["code_challenge"] != b64u_encode(sha256(verifier))
        ):
            return jsonify(error="invalid_grant"), 400
        now, access = provider.now(), secrets.token_urlsafe(24)
        provider.tokens[access] = known["who"]
        claims = {
            "iss": provider.url,
            "sub": provider.subject(known["who"]),
            "aud": client.client_id,
            "iat": now,
            "auth_time": now,
            "exp": now + 300,
            "nonce": known.get("nonce"),
            "acr": known["acr"] or LEVELS[-1],
        }
        if not provider.bsn_in_userinfo:
            claims |= provider.claims(known["who"])
        return jsonify(access_token=access, token_type="Bearer", id_token=provider.sign(claims)), 200  # noqa: S106

    @app.get("/userinfo")
    def userinfo() -> tuple[Response, int]:
        who = provider.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if who is None:
            return jsonify(error="invalid_token"), 401
        return jsonify(sub=provider.subject(who), **provider.claims(who)), 200


def _client_that_asks(provider: Provider) -> Client | None:
    """The registered client that this request is of, by a key proof that was not seen before or by its secret."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Basic":
        name, _, secret = base64.b64decode(value).decode().partition(":")
        client = provider.find_client(unquote(name))
        return client if client and client.secret is not None and unquote(secret) == client.secret else None
    client = provider.find_client(request.form.get("client_id"))
    return client if client and client.key is not None and _is_proof(provider, client, client.key) else None


def _is_proof(provider: Provider, client: Client, key: Mapping[str, Any]) -> bool:
    jws = parse_jws(request.form.get("client_assertion", ""), typ="JWT")
    claims = parse_object(verify_jws(jws, parse_jwk(dict(key))))
    is_fresh = claims["jti"] not in provider.spent and claims["exp"] > provider.now()
    provider.spent.add(claims["jti"])
    audiences = (provider.url, f"{provider.url}/token")
    return is_fresh and claims["iss"] == claims["sub"] == client.client_id and claims["aud"] in audiences


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9000, help="0 takes a free one")
    parser.add_argument("--staff", action="store_true", help="people of a town hall, and not its residents")
    parser.add_argument("--client-id", action="append", required=True)
    parser.add_argument("--redirect-uri", action="append", required=True)
    parser.add_argument("--client-key", type=Path, action="append", help="file with the client's public key (JWK)")
    parser.add_argument("--client-secret", action="append", help="in place of a key")
    options = parser.parse_args()
    keys = [json.loads(path.read_text()) for path in options.client_key or []]
    known_by = [(key, None) for key in keys] or [(None, secret) for secret in options.client_secret]
    named = zip(options.client_id, options.redirect_uri, known_by, strict=True)
    client, *also = (Client(name, uri, *by) for name, uri, by in named)
    provider = Provider("", client, known_persons(), staff=STAFF if options.staff else {}, also=tuple(also))
    server = make_server("localhost", options.port, make_provider(provider), threaded=True)
    provider.url = f"http://localhost:{server.port}"
    print(f"listening on {provider.url}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
