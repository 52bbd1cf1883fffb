"""What the registrar answers to everybody. Nothing can be changed here: what is listed is changed by its commands.

    GET  /v1/trust-list                                     the signed trust list
    GET  /v1/wrp, /v1/wrp/{id}, /v1/wrp/{id}/services/{id}  registered relying parties    EUDI TS5 section 3.2
    GET  /v1/wrp/check-intended-use                         whether something may be asked
    GET  /v1/registration-certificates/{use}                rc-wrp+jwt of an intended use ETSI TS 119 475
    GET  /v1/status-lists/1                                 which of them are revoked     Token Status List 8
    GET  /v1/jwks                                           keys of the answers above
    POST /v1/wallet-attestations                            a wallet's key, attested      HAIP 4.4.1

The server reads the signed list and never the key that signs it.
"""

from pathlib import Path

from flask import Flask, Response, request

from protocol.client_attestation import sign_client_attestation
from protocol.errors import Rejected
from protocol.jws import sign_jws
from protocol.status_list import STATUS_LIST_MEDIA_TYPE, sign_status_token
from protocol.wallet_attestation import (
    ATTESTATIONS_PATH,
    AttestationAnswer,
    AttestationRequest,
    verify_wallet_key,
)
from registrar.certify import STATUS_BITS
from registrar.openapi import JWT, REGISTRAR
from registrar.published import Published
from registrar.wrp import check_intended_use, look_up, relying_party
from service.app import json_response, make_app, read_json
from service.clock import Clock, SystemClock
from service.home import Home
from service.openapi import publish

LIST_SECONDS = 60
"""How long what is looked up may be kept by caches: as long as roles keep the trust list."""
STATUS_SECONDS = 3600
ATTESTATION_SECONDS = 3600
"""An attestation serves one issuance; a stolen one is worth nothing without its key."""
POLICY = """Registration certificates (rc-wrp+jwt) of this registrar

Each says what the trust list says of one version of one service of a listed agency: who asks, for what, and which
attributes. It is issued when the list is signed and revoked when the list names the service no more. The registrar
has checked nobody's identity beyond what the list stands for.

Attestations of wallets (oauth-client-attestation+jwt)

Each says that somebody held the key in it and asked with the protocol of this software. It says nothing about the
device, the person or the software that asked.
"""


def create(home: Path) -> Flask:
    """The app of the registrar in `home`. Raises `Rejected`: `no_home`, `not_published`."""
    return make_web(Published(Home(home)), SystemClock())


def make_web(published: Published, clock: Clock) -> Flask:
    """The app over what is published."""
    config = published.config
    app = make_app("registrar", health=lambda: published.health(clock.now()))
    publish(app, REGISTRAR, url=config.base, contact=config.contact)

    @app.get("/v1/trust-list")
    def trust_list() -> Response:
        return _token(published.token(), max_age=LIST_SECONDS)

    @app.get("/v1/wrp")
    def relying_parties() -> Response:
        data, pagination = look_up(published.register(clock.now()), _query())
        return signed({"data": data, "pagination": pagination})

    @app.get("/v1/wrp/<identifier>")
    def one(identifier: str) -> Response:
        register = published.register(clock.now())
        return signed({"data": relying_party(register, register.find(identifier))})

    @app.get("/v1/wrp/<identifier>/services/<service>")
    def one_service(identifier: str, service: str) -> Response:
        register = published.register(clock.now())
        agency = register.find_service(identifier, service)
        return signed({"data": relying_party(register, agency, [service])})

    @app.get("/v1/wrp/check-intended-use")
    def intended_use() -> Response:
        return signed({"data": check_intended_use(published.register(clock.now()), _query())})

    @app.get("/v1/registration-certificates/<use>")
    def certificate(use: str) -> Response:
        return _token(published.certificate(use, clock.now()), max_age=LIST_SECONDS)

    @app.get("/v1/status-lists/1")
    def status_list() -> Response:
        now = clock.now()
        signer = published.registrations(now)
        token = sign_status_token(
            uri=config.status_uri,
            bits=STATUS_BITS,
            lst=published.statuses(),
            iat=now,
            exp=now + STATUS_SECONDS,
            ttl=LIST_SECONDS,
            signer=signer.key,
            x5c=signer.x5c,
        )
        return _token(token, STATUS_LIST_MEDIA_TYPE, max_age=LIST_SECONDS)

    @app.get("/v1/jwks")
    def jwks() -> Response:
        signer = published.registrations(clock.now())
        key = {**signer.key.public.jwk(), "kid": signer.key.public.thumbprint(), "alg": "ES256", "use": "sig"}
        return json_response({"keys": [{**key, "x5c": signer.x5c}]}, max_age=LIST_SECONDS)

    @app.get("/v1/certificate-policies/1")
    def policy() -> Response:
        return Response(POLICY, content_type="text/plain; charset=utf-8")

    @app.post(ATTESTATIONS_PATH)
    def attest() -> Response:
        now = clock.now()
        key = verify_wallet_key(read_json(AttestationRequest).proof, provider=config.base, now=now)
        signer = published.wallets(now)
        attestation = sign_client_attestation(
            signer.key,
            [signer.leaf.der],
            issuer=config.base,
            client_id=config.wallet_client_id,
            holder=key,
            iat=now,
            exp=now + ATTESTATION_SECONDS,
        )
        return json_response(AttestationAnswer(attestation, config.wallet_client_id), status=201)

    def signed(answer: dict[str, object]) -> Response:
        """TS5 section 3.2: a JWS with `iss`, `iat` and `data`; the header says where its key is."""
        now = clock.now()
        signer = published.registrations(now)
        header = {"kid": signer.key.public.thumbprint(), "x5c": signer.x5c}
        token = sign_jws({"iss": config.base, "iat": now, **answer}, signer.key, typ="JWT", header=header)
        response = _token(token, max_age=LIST_SECONDS)
        response.headers["x-jku-url"] = f"{config.base}/v1/jwks"
        return response

    return app


def _query() -> dict[str, str]:
    """The query, each parameter once. Raises `Rejected`: `duplicate_key`."""
    if any(len(values) != 1 for _, values in request.args.lists()):
        raise Rejected("duplicate_key", "a filter is named twice")
    return request.args.to_dict()


def _token(token: str, media_type: str = JWT, *, max_age: int) -> Response:
    headers = {"Cache-Control": f"public, max-age={max_age}", "Access-Control-Allow-Origin": "*"}
    return Response(token, content_type=media_type, headers=headers)
