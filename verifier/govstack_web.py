"""The read part of the GovStack Consent Building Block API, at `/govstack/service/...`: a thin adapter.

It is there when the home has a token for it (`regie verifier govstack-token`). It hands out no attribute of a
resident, and changes nothing: consent is given by a resident's signature, and ended by whoever shows its code.
Paths, names and the slash at their end are that API's; errors are ours (RFC 9457).
"""

from collections.abc import Sequence
from typing import TypeVar

from flask import Flask, Response, request

from protocol.canonical import b64u_decode
from protocol.errors import Rejected
from protocol.trust_list import Service
from service.app import json_response, make_app, require_bearer
from service.home import Home
from verifier.desk import Desk
from verifier.govstack import (
    agreement_id,
    agreement_json,
    policy_json,
    record_json,
    record_revision,
    service_revision,
)
from verifier.grants import StoredGrant
from verifier.standing import check_standing

T = TypeVar("T")
PREFIX = "/govstack"
TOKEN = "govstack-token"  # noqa: S105 - the name of a file
INDIVIDUAL = "X-ConsentBB-IndividualId"
MAX_LIMIT = 100


def has_token(home: Home) -> bool:
    """Whether the API is switched on."""
    return home.has(TOKEN)


def create(desk: Desk) -> Flask:
    """The app; every path needs the token. Raises `Rejected`: `open_secret`."""
    app = make_app("verifier")
    token = b64u_decode(desk.home.read_secret(TOKEN).decode("ascii").strip())

    @app.before_request
    def authorize() -> None:
        require_bearer(token)

    _add_agreements(app, desk)
    _add_records(app, desk)
    return app


def _add_agreements(app: Flask, desk: Desk) -> None:
    @app.get("/service/data-agreement/<agreement>/")
    def data_agreement(agreement: str) -> Response:
        service, active = _service(desk, agreement)
        told = agreement_json(desk.agency(desk.trust(desk.now())), service, active=active)
        return json_response({"dataAgreement": told, "revision": _revision(desk, service)})

    @app.get("/service/policy/<policy>/")
    def policy(policy: str) -> Response:
        service, _ = _service(desk, policy)
        return json_response({"policy": policy_json(service), "revision": _revision(desk, service)})

    @app.get("/service/verification/data-agreements/")
    def data_agreements() -> Response:
        agency = desk.agency(desk.trust(desk.now()))
        newest = _newest(agency.services)
        listed = [
            agreement_json(agency, service, active=newest[service.id] == service.version)
            for service in agency.services
        ]
        return json_response({"dataAgreements": _page(listed)})


def _add_records(app: Flask, desk: Desk) -> None:
    @app.get("/service/verification/consent-records/")
    def consent_records() -> Response:
        lines = desk.store.lists.standing(None, desk.now())
        return json_response({"consentRecords": [_record(desk, _grant(desk, line.id)) for line in _page(lines)]})

    @app.get("/service/verification/consent-record/<record>/")
    def consent_record(record: str) -> Response:
        grant = _grant(desk, record)
        told = _record(desk, grant, fresh=True)
        return json_response({"consentRecord": told, "revision": record_revision(grant)})

    @app.get("/service/individual/record/consent-record/")
    def records_of_individual() -> Response:
        return json_response({"consentRecords": [_record(desk, _of_individual(desk), fresh=True)]})

    @app.get("/service/individual/record/data-agreement/<agreement>/")
    def record_of_individual(agreement: str) -> Response:
        grant = _of_individual(desk)
        if agreement != f"{grant.request.service}@{grant.request.service_version}":
            raise Rejected("unknown_grant", "this individual has no such consent", status=404)
        return json_response({"consentRecord": _record(desk, grant, fresh=True)})


def _service(desk: Desk, name: str) -> tuple[Service, bool]:
    """A listed version, and whether it is the newest. Raises `Rejected`: `unknown_agreement` 404."""
    services = desk.agency(desk.trust(desk.now())).services
    found = next((service for service in services if agreement_id(service) == name), None)
    if found is None:
        raise Rejected("unknown_agreement", "there is no such data agreement", status=404)
    return found, _newest(services)[found.id] == found.version


def _newest(services: list[Service]) -> dict[str, int]:
    newest: dict[str, int] = {}
    for service in services:
        newest[service.id] = max(service.version, newest.get(service.id, 0))
    return newest


def _revision(desk: Desk, service: Service) -> object:
    return service_revision(service, desk.trust(desk.now()).iat)


def _grant(desk: Desk, name: str) -> StoredGrant:
    """Raises `Rejected`: `unknown_grant` 404."""
    return desk.store.grants.get(name)


def _of_individual(desk: Desk) -> StoredGrant:
    """The agreement of the individual in the header. Raises `Rejected`: `no_individual`, `unknown_grant` 404."""
    name = request.headers.get(INDIVIDUAL, "")
    if not name:
        raise Rejected("no_individual", f"send {INDIVIDUAL}")
    return _grant(desk, name)


def _record(desk: Desk, grant: StoredGrant, *, fresh: bool = False) -> object:
    """`fresh`: the log is asked whether the agreement stands, since somebody is about to act on it.

    Raises `Unavailable` when the log cannot be reached: then nobody knows.
    """
    now = desk.now()
    agency = desk.agency(desk.trust(now))
    name = f"{grant.request.service}@{grant.request.service_version}"
    service = next((service for service in agency.services if agreement_id(service) == name), None)
    stands = grant.state == "active" and now < grant.answer.terms.not_after
    if fresh and stands:
        stands = check_standing(desk, grant).state == "stands"
    active = service is not None and _newest(agency.services)[service.id] == service.version
    return record_json(grant, agency, service, active=active, stands=stands)


def _page(found: Sequence[T]) -> Sequence[T]:
    """`offset` and `limit` of the query. Raises `Rejected`: `bad_page`."""
    try:
        offset, limit = int(request.args.get("offset", "0")), int(request.args.get("limit", "10"))
    except ValueError as error:
        raise Rejected("bad_page", "offset and limit are numbers") from error
    if offset < 0 or not 1 <= limit <= MAX_LIMIT:
        raise Rejected("bad_page", f"offset is at least 0, limit 1 to {MAX_LIMIT}")
    return found[offset : offset + limit]
