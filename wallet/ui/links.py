"""What a scanned or pasted text is: an offer, a request, the code on a paper, an invitation to be helped. Pure."""

import re
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from protocol.errors import Rejected
from protocol.openid4vci import MAX_OFFER_BYTES, OFFER_SCHEMES
from protocol.openid4vp import SCHEMES
from protocol.revocation_code import PAPER_QR_PREFIX, STOP_QR_PREFIX

LinkKind: TypeAlias = Literal["offer", "request", "paper", "invitation"]
_CODE = re.compile(r"[0-9]{40}|[0-9]{44}")
"""Of one agreement, or of a stop paper."""
_INVITATION = re.compile(r"[A-Za-z0-9_-]{43,128}")
"""`mandate_api.Opaque`, as an issuer makes it."""


def read_text(text: str) -> str:
    """A link without the line breaks and spaces that come along with pasting. Raises `Rejected`: `too_large`."""
    if len(text) > 2 * MAX_OFFER_BYTES:
        raise Rejected("too_large", "this is longer than a link can be", status=413)
    return "".join(text.split())


def kind_of(link: str) -> LinkKind:
    """By its scheme; a web address when it carries an offer. Raises `Rejected`: `not_a_link`."""
    if link.startswith((PAPER_QR_PREFIX, STOP_QR_PREFIX)) or _CODE.fullmatch(link):
        return "paper"
    if _INVITATION.fullmatch(link):
        return "invitation"
    try:
        scheme, query = urlsplit(link).scheme.lower(), urlsplit(link).query
    except ValueError as error:
        raise _no_link() from error
    if scheme in OFFER_SCHEMES or (scheme in ("https", "http") and "credential_offer" in query):
        return "offer"
    if scheme in SCHEMES and "request_uri" in query:
        return "request"
    raise _no_link()


def _no_link() -> Rejected:
    return Rejected("not_a_link", "this is neither an offer nor a request for a wallet")
