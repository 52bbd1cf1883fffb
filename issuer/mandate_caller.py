"""Who asks about mandates: somebody who holds a `persoon` copy of his own, and says so for this request; or a
party that signs terms on the board with a copy of that mandate. Pure.
"""

from dataclasses import dataclass

from issuer.issue import status_uri
from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_encode, is_equal, parse_b64u_json, parse_object
from protocol.cosign import COSIGN_AGE, cosign_nonce
from protocol.credential import split_sd_jwt
from protocol.errors import Rejected
from protocol.issuer_jwt import CREDENTIAL_TYP, MAX_ISSUER_JWT_BYTES
from protocol.issuer_payload import read_members, type_and_mandate
from protocol.jws import parse_jws, verify_jws
from protocol.key_binding import MAX_KEY_BINDING_BYTES, verify_key_binding
from protocol.keys import Es256Public, parse_jwk
from protocol.mandate_api import Ask, ask_digest
from protocol.status_list import StatusReference
from protocol.terms import Terms, terms_hash

CALLER_CONFIGURATION = "persoon"
_VCT = next(kind.vct for kind in CREDENTIAL_TYPES.values() if kind.configuration_id == CALLER_CONFIGURATION)
_REFUSED = "show a persoon copy of your own, signed for this request"


@dataclass(frozen=True)
class Caller:
    """Where the status of the shown copy stands: by that the issuer knows whom it gave it to, as which party."""

    list_number: int
    index: int


def shown_nonce(ask: Ask) -> str:
    """The nonce that the caller answers; the office MUST spend it before it looks at anything else.

    Raises `Rejected`: `bad_presentation`.
    """
    try:
        kb_jwt = split_sd_jwt(ask.presentation).kb_jwt or ""
        nonce = parse_b64u_json(kb_jwt.split(".")[1], max_bytes=MAX_KEY_BINDING_BYTES)["nonce"]
    except (Rejected, IndexError, KeyError, TypeError) as error:
        raise Rejected("bad_presentation", _REFUSED) from error
    if not isinstance(nonce, str):
        raise Rejected("bad_presentation", _REFUSED)
    return nonce


def verify_caller(ask: Ask, *, issuer: str, key: Es256Public, nonce: str, now: int) -> Caller:
    """Who asks, by a copy that this issuer signed with its key of now.

    1. `JWT~KB`, signed by us, in force; 2. no copy under a mandate: nobody passes on what he may do for another
    (`mandate_chain` 403); 3. of type `persoon`; 4. key binding for this issuer, this nonce, and by `consent` for
    exactly this ask. **Not**: whether the copy was revoked.
    Raises `Rejected`: `bad_presentation`, `mandate_chain` 403.
    """
    try:
        parts = split_sd_jwt(ask.presentation)  # 1
        signed = parse_jws(parts.jwt, typ=CREDENTIAL_TYP, max_bytes=MAX_ISSUER_JWT_BYTES)
        claims = read_members(parse_object(verify_jws(signed, key), floats=True))
        vct, mandate = type_and_mandate(claims)
    except Rejected as error:
        raise Rejected("bad_presentation", _REFUSED) from error
    if mandate is not None:  # 2
        raise Rejected("mandate_chain", "who acts for another passes that on to nobody", status=403)
    status, cnf = claims.status, claims.cnf
    is_in_force = claims.exp is not None and claims.exp > now and claims.iss == issuer
    if vct != _VCT or not is_in_force or parts.disclosures or status is None or cnf is None:  # 3
        raise Rejected("bad_presentation", _REFUSED)
    try:
        bound = verify_key_binding(  # 4
            parts.kb_jwt or "", parts.presented, parse_jwk(cnf.jwk), audience=issuer, nonce=nonce, now=now
        )
    except Rejected as error:
        raise Rejected("bad_presentation", _REFUSED) from error
    if bound.consent is None or not is_equal(bound.consent, ask_digest(ask)):
        raise Rejected("bad_presentation", "the signature is for another request")
    return _place(status.status_list, issuer)


def verify_signer(shown: str, terms: Terms, client_id: str, *, issuer: str, key: Es256Public, now: int) -> Caller:
    """Who signed T on the board, by a copy under the mandate that T names, which this issuer signed with its key
    of now: `protocol.cosign.verify_cosigned` as the issuer itself can tell it.

    1. `JWT~KB`, signed by us, in force; 2. under this very mandate; 3. key binding for the agency and this T.
    **Not**: which party it was given to, and whether it was revoked: both stand in the books.
    Raises `Rejected`: `bad_signature`.
    """
    refused = Rejected("bad_signature", "sign these terms with a card of yours under this mandate")
    try:
        parts = split_sd_jwt(shown)  # 1
        signed = parse_jws(parts.jwt, typ=CREDENTIAL_TYP, max_bytes=MAX_ISSUER_JWT_BYTES)
        claims = read_members(parse_object(verify_jws(signed, key), floats=True))
        _, mandate = type_and_mandate(claims)
        status, cnf = claims.status, claims.cnf
        is_in_force = claims.exp is not None and claims.exp > now and claims.iss == issuer
        is_under = mandate is not None and b64u_encode(mandate) == terms.on_behalf_of  # 2
        if not is_in_force or not is_under or parts.disclosures or status is None or cnf is None:
            raise refused
        bound = verify_key_binding(  # 3
            parts.kb_jwt or "",
            parts.presented,
            parse_jwk(cnf.jwk),
            audience=client_id,
            nonce=cosign_nonce(terms),
            now=now,
            max_age=COSIGN_AGE,
        )
    except Rejected as error:
        raise refused from error
    if bound.consent is None or not is_equal(bound.consent, terms_hash(terms)):
        raise refused
    return _place(status.status_list, issuer)


def _place(status: StatusReference, issuer: str) -> Caller:
    number = status.uri.removeprefix(status_uri(issuer, 0)[:-1])
    if not number.isdecimal() or not number.isascii() or len(number) > 6:
        raise Rejected("bad_presentation", _REFUSED)
    return Caller(int(number), status.idx)
