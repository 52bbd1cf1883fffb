"""The status of an asker's registration certificate, looked up before the resident is asked (TS 119 475 5.2.4).

A certificate that was revoked refuses the request. One whose status cannot be found out counts for nothing: a
stranger is then without registration; of a listed agency it still narrows what the trust list allows.
"""

import dataclasses

from protocol.errors import RegieError, Rejected
from protocol.openid4vp import VerifiedRequest
from protocol.status_list import VALID, StatusReference, verify_status_token
from protocol.x509 import parse_der_base64
from wallet.opened import OpenWallet


def with_checked_registration(wallet: OpenWallet, request: VerifiedRequest) -> VerifiedRequest:
    """`request`, without a registration that cannot be relied on. Raises `Rejected`: `registration_revoked`."""
    registration = request.asker.registration
    if registration is None or registration.status is None:
        return request
    status = _status_of(wallet, registration.status)
    if status is not None and status != VALID:
        raise Rejected("registration_revoked", "the registration of the asker was revoked; decline", status=403)
    if status is None and not request.asker.is_listed:
        return dataclasses.replace(request, asker=dataclasses.replace(request.asker, registration=None))
    return request


def _status_of(wallet: OpenWallet, reference: StatusReference) -> int | None:
    """None when it cannot be found out: no answer, no good list, no such place in it."""
    roots = [parse_der_base64(root) for root in wallet.trust_list().registration_roots]
    try:
        token = wallet.peers.status_token(reference.uri)
        listed = verify_status_token(token, uri=reference.uri, roots=roots, now=wallet.now())
        return listed.status(reference.idx)
    except RegieError:
        return None
