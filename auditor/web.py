"""Who calls an auditor: the log for a cosignature, residents with a revocation to keep, the log to fetch it.

Of one that holds shares: wallets with a deposit, agencies for a release.
"""

import secrets
from pathlib import Path

from flask import Flask, Response, request

from auditor.client import LogReader
from auditor.config import cosigner_keys, holds_shares, log_keys, read_config, receipt_signer, trust_of
from auditor.cosigner import Cosigner
from auditor.custodian import Custodian
from auditor.openapi import COSIGNER, OPERATOR
from auditor.store import Store
from protocol.canonical import b64u_encode, b64u_fixed
from protocol.consent_api import (
    MAX_RELEASE_BYTES,
    CosignerRevocationAnswer,
    CosignerRevocationRequest,
    DepositRequest,
    PendingRevocations,
    ReleaseRequest,
)
from protocol.errors import Rejected
from protocol.log_keys import LogKey
from protocol.receipt import make_revocation_receipt
from protocol.terms import check_terms
from service.app import json_response, make_app, read_json
from service.clock import Clock, SystemClock
from service.fetch import Fetcher
from service.home import Home
from service.openapi import publish
from service.serve import on_stop
from service.witness import Witness, witness_blueprint


def create(home: Path) -> Flask:
    """The auditing cosigner of the home's log. Raises `Rejected`: `no_home`, `no_cosigner`."""
    return make_web(Home(home), clock=SystemClock(), fetcher=Fetcher())


def make_web(place: Home, *, clock: Clock, fetcher: Fetcher) -> Flask:
    """The same, with this clock, and the log behind this fetcher."""
    config = read_config(place)
    if config.name is None:
        raise Rejected("no_cosigner", "this auditor was initialised without --url: it does not cosign")
    trust, store = trust_of(place, config), Store(place)
    receipts = receipt_signer(place, config.name)

    def reader() -> LogReader:
        return LogReader(trust.current(clock.now()).log(config.log).url, fetcher)

    def log_key(origin: str) -> LogKey | None:
        return log_keys(trust.current(clock.now()), origin)[1] if origin == config.log else None

    def check_origin(origin: str) -> None:
        if origin != config.log:
            raise Rejected("unknown_log", "this cosigner does not follow that log", status=404)

    cosigner = Cosigner(store, lambda start, size: reader().leaves(start, size))
    witness = Witness(
        store.engine,
        cosigner_keys(place, config.name).signers,
        clock,
        log_key,
        before_cosign=cosigner.before_cosign,
        in_transaction=cosigner.last_look,
    )
    app = make_app("auditor")
    app.register_blueprint(witness_blueprint(witness))
    api = OPERATOR if holds_shares(place) else COSIGNER
    publish(app, api, url=config.url or "", contact=config.contact)

    if holds_shares(place):
        custodian = Custodian(
            place,
            config,
            store,
            cosigner,
            trust=lambda: trust.current(clock.now()),
            clock=clock,
            random=secrets.token_bytes,
        )
        add_custody(app, custodian)
        custodian.start()
        on_stop(custodian.stop)

    @app.post("/v1/revocations")
    def keep_revocation() -> Response:
        wanted = read_json(CosignerRevocationRequest)
        check_origin(wanted.origin)
        lock = cosigner.keep(b64u_fixed(wanted.r, 32))
        receipt = make_revocation_receipt(config.log, lock, clock.now(), receipts)
        return json_response(CosignerRevocationAnswer(receipt))

    @app.get("/v1/revocations")
    def pending_revocations() -> Response:
        check_origin(request.args.get("origin", ""))
        return json_response(PendingRevocations([b64u_encode(r) for r in cosigner.pending()]))

    return app


def add_custody(app: Flask, custodian: Custodian) -> None:
    """What an operator answers besides."""

    @app.post("/v1/deposits")
    def deposit() -> Response:
        wanted = read_json(DepositRequest, MAX_RELEASE_BYTES)
        check_terms(wanted.terms)
        return json_response(custodian.deposit(wanted))

    @app.post("/v1/releases")
    def release() -> Response:
        return json_response(custodian.release(read_json(ReleaseRequest, MAX_RELEASE_BYTES)))
