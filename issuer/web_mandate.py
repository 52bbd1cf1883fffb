"""The endpoints for mandates (protocol section 10, **ours**): who may act for whom.

    POST /v1/representations                                   whom may I act for, who for me
    POST /v1/mandates                                          register or join
    POST /v1/mandates/{id}/ends                                end
    POST /v1/invitations, /v1/invitations/lookups, /v1/wishes  "elkaar machtigen"
    GET  /v1/mandates/{id}/proposals                           the board; POST proposes
    POST /v1/mandates/{id}/proposals/{number}/cosignatures     sign with the others

Errors are problems (RFC 9457): `service.app` makes them.
"""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, Response

from issuer.board import Board
from issuer.mandates import Mandates
from issuer.openapi_mandate import MAX_NUMBER
from issuer.wishes import Wishes
from protocol import mandate_api as api
from protocol.consent_api import MAX_REQUEST_BYTES
from protocol.terms import Form
from service.app import bearer_token, json_response, read_json

A = TypeVar("A", bound=api.Ask)


def add_mandates(app: Flask, mandates: Mandates, wishes: Wishes, board: Board, prefix: str) -> None:
    """Add them below `prefix`."""

    def post(path: str, kind: type[A], act: Callable[[A], Form]) -> None:
        def view() -> Response:
            return json_response(act(read_json(kind, MAX_REQUEST_BYTES)))

        app.add_url_rule(f"{prefix}/v1/{path}", f"mandates-{path}", view, methods=["POST"])

    post("representations", api.RepresentationsAsk, mandates.representations)
    post("mandates", api.MandateAsk, mandates.take)
    post("invitations", api.InvitationAsk, wishes.invite)
    post("invitations/lookups", api.InvitedAsk, wishes.invited)
    post("wishes", api.WishAsk, wishes.wish)

    @app.post(f"{prefix}/v1/mandates/<mandate_id>/ends")
    def end_mandate(mandate_id: str) -> Response:
        return json_response(mandates.end(mandate_id, read_json(api.EndAsk, MAX_REQUEST_BYTES)))

    @app.get(f"{prefix}/v1/mandates/<mandate_id>/proposals")
    def list_proposals(mandate_id: str) -> Response:
        return json_response(board.look(mandate_id, bearer_token()))

    @app.post(f"{prefix}/v1/mandates/<mandate_id>/proposals")
    def propose(mandate_id: str) -> Response:
        bearer = bearer_token()
        return json_response(board.propose(mandate_id, bearer, read_json(api.Proposal, MAX_REQUEST_BYTES)))

    @app.post(f"{prefix}/v1/mandates/<mandate_id>/proposals/<int(max={MAX_NUMBER}):number>/cosignatures")
    def cosign(mandate_id: str, number: int) -> Response:
        bearer = bearer_token()
        cosigned = read_json(api.Cosigned, MAX_REQUEST_BYTES)
        return json_response(board.cosign(mandate_id, number, bearer, cosigned))
