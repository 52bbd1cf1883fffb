"""Sharing once (plain OpenID4VP 1.0): the asker gets a copy, which nothing can take back and no log guards."""

from collections.abc import Mapping

from protocol.direct_post import encrypt_response, plain_form
from protocol.errors import Rejected
from protocol.formats import Challenge, credential_format
from protocol.keys import Es256Private
from protocol.openid4vp import VerifiedRequest, check_registration
from wallet.choose import Chosen
from wallet.consent import asked_attributes, over_asking
from wallet.records import ShareChoice

NO_WAY_BACK = "A copy cannot be taken back, and no log shows you who looks at it."


def decide_share(request: VerifiedRequest, choice: ShareChoice) -> None:
    """1. it asks for a copy, not for standing access; 2. each attribute is registered, and 3. all of them
    together; of a stranger without registration only when the resident says so.

    Raises `Rejected`: `not_once`, `over_asking`.
    """
    if request.consent is not None:  # 1.
        raise Rejected("not_once", "this asks for standing access; allow it with `regie wallet grant`")
    is_unknown = not request.asker.is_listed and request.asker.registration is None
    too_much = [item.name for item in asked_attributes(request) if not item.registered]
    if too_much and not is_unknown:  # 2.
        raise over_asking(request, too_much, needed=True)
    if is_unknown and not choice.unregistered:
        raise Rejected(
            "over_asking",
            f"{request.asker.name} is not on your trust list, and no registration that can be checked shows that "
            "it may ask "
            f"({', '.join(too_much) or 'for a card'}); nothing was given; decline the request, or allow it all "
            "the same with --unregistered",
            status=403,
        )
    check_registration(request, unregistered=choice.unregistered)  # 3.


def sign_presentation(
    request: VerifiedRequest,
    given: Mapping[str, tuple[Chosen, ...]],
    keys: Mapping[str, Es256Private],
    now: int,
) -> bytes:
    """The form for `response_uri`: of each card exactly what was asked (OpenID4VP 1.0 section 7.3).

    `given` by DCQL id, `keys` by name of the copy; a copy that is bound to no key has none.
    Raises `Rejected`: `request_expired`.
    """
    if now >= request.exp:
        raise Rejected("request_expired", "the request has expired; ask for a new one", status=410)
    challenge = Challenge(request.client_id, request.nonce, request.response_uri)
    vp_token = {
        query_id: [
            credential_format(item.copy.format).present(
                item.copy.credential, item.paths, keys.get(item.name), challenge, now
            )
            for item in items
        ]
        for query_id, items in given.items()
    }
    if request.encryption is None:
        return plain_form(state=request.state, vp_token=vp_token)
    return encrypt_response(request.encryption, nonce=request.nonce, state=request.state, vp_token=vp_token)
