"""Sharing once (plain OpenID4VP 1.0): the agency gets a copy, which nothing can take back and no log guards."""

from collections.abc import Mapping

from protocol.credential import split_sd_jwt
from protocol.direct_post import encrypt_response
from protocol.disclosure import parse_disclosure
from protocol.errors import Rejected
from protocol.key_binding import sign_key_binding
from protocol.keys import Es256Private
from protocol.openid4vp import VerifiedRequest, check_registration
from wallet.choose import Chosen
from wallet.consent import decide_places
from wallet.records import Choice

NO_WAY_BACK = "A copy cannot be taken back, and no log shows you who looks at it."


def decide_share(request: VerifiedRequest) -> None:
    """1. it asks for a copy, not for standing access; 2. the attributes are registered, each and together.

    Raises `Rejected`: `not_once`, `over_asking`, `nothing_left`, `unknown_vct`.
    """
    if request.consent is not None:  # 1.
        raise Rejected("not_once", "this asks for standing access; allow it with `regie wallet grant`")
    if any(item.claims for item in request.query.credentials):  # 2.
        decide_places(request, Choice())
    check_registration(request)


def sign_presentation(
    request: VerifiedRequest, chosen: Mapping[str, Chosen], keys: Mapping[str, Es256Private], now: int
) -> bytes:
    """The form for `response_uri`: of each card exactly the attributes asked (openid4vc.md clause 24).

    Raises `Rejected`: `request_expired`.
    """
    if now >= request.exp:
        raise Rejected("request_expired", "the request has expired; ask for a new one", status=410)
    vp_token = {query_id: [_present(request, item, keys[query_id], now)] for query_id, item in chosen.items()}
    return encrypt_response(request.encryption, nonce=request.nonce, state=request.state, vp_token=vp_token)


def _present(request: VerifiedRequest, chosen: Chosen, key: Es256Private, now: int) -> str:
    parts = split_sd_jwt(chosen.copy.credential)
    shown = [text for text in parts.disclosures if parse_disclosure(text).name in chosen.attributes]
    presented = "~".join((parts.jwt, *shown, ""))
    return presented + sign_key_binding(presented, key, audience=request.client_id, nonce=request.nonce, iat=now)
