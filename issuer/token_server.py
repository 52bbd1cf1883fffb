"""The token endpoint (RFC 6749 section 5, VCI 6): codes and refresh tokens become tokens.

A pre-authorized code gives a Bearer token to whoever has the transaction code, or, to a wallet that shows a DPoP
key, tokens bound to it. An authorization code or a refresh token is for the attested wallet that it was given to,
and always bound. What is decided: `offer`, `authorize`, `renew`.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from issuer import store, store_oauth
from issuer.authorize import Authorization, Client, decide_redemption, find_coded
from issuer.handle import ID_BYTES
from issuer.offer import (
    TOKEN_SECONDS,
    Offer,
    decide_pre_authorized,
    find_offer_id,
    is_open,
    make_issuance,
    make_token,
    token_hash,
)
from issuer.office import Office
from issuer.possession import Possession, Proofs
from issuer.renew import (
    Renewal,
    decide_refresh,
    list_details,
    make_renewal,
    parse_again,
    read_refresh_token,
    refresh_token_of,
    split_identifier,
)
from issuer.store_oauth import Access
from protocol.canonical import b64u_decode
from protocol.errors import Rejected
from protocol.oauth import (
    AuthorizationCode,
    PreAuthorizedCode,
    RefreshToken,
    TokenResponse,
    parse_authorization_details,
    parse_token_request,
)
from service.database import immediate


def _asks_details(text: str | None) -> bool:
    """Whether a wallet with a pre-authorized code wants to know what it is given by identifier (VCI 6.1). What it
    is given stands in the offer. Raises `Rejected`: `invalid_request`.
    """
    if text is None:
        return False
    try:
        return bool(parse_authorization_details(text))
    except Rejected as error:
        raise Rejected("invalid_request", error.detail) from error


class TokenServer:
    """Around one office."""

    def __init__(self, office: Office, possession: Possession) -> None:
        self._office = office
        self._possession = possession
        self._key = office.codes_key
        self._engine = office.engine

    def _now(self) -> int:
        return self._office.clock.now()

    def token(self, pairs: Sequence[tuple[str, str]], proofs: Proofs) -> TokenResponse:
        """Tokens for a code or a refresh token. A proof is taken, and so remembered, only from who shows a code
        or a token that we have made: strangers are not to fill the disk.

        Raises `Rejected` with the codes of `oauth.TOKEN_ERRORS`.
        """
        request = parse_token_request(pairs)
        if isinstance(request, PreAuthorizedCode):
            is_ours = find_offer_id(self._key, request.pre_authorized_code) is not None
            with_details = _asks_details(dict(pairs).get("authorization_details"))
            jkt = self._bound(proofs) if proofs.dpop and is_ours else None
            return self._redeem_offer(request, jkt, with_details=with_details)
        client_id = dict(pairs).get("client_id")
        if isinstance(request, AuthorizationCode):
            if find_coded(self._key, request.code) is None:
                raise Rejected("invalid_grant", "the code is wrong, used or expired, or not for this request")
            client = self._client(proofs, client_id)
            return self._redeem_code(request, client, self._bound(proofs))
        if read_refresh_token(self._key, request.refresh_token) is None:
            raise Rejected("invalid_grant", "the refresh token is unknown, used or expired")
        attested = self._client(proofs, client_id) if proofs.attestation is not None else None
        again = parse_again(dict(pairs).get("authorization_details"))
        return self._refresh(request, attested, self._bound(proofs), again)

    def _client(self, proofs: Proofs, client_id: str | None) -> Client:
        attested = self._possession.client(proofs)
        if client_id not in (None, attested.client_id):
            raise Rejected("invalid_client", "client_id is not the attested one", status=401)
        return Client(attested.client_id, attested.key.thumbprint())

    def _bound(self, proofs: Proofs) -> str:
        return self._possession.dpop(proofs.dpop, method="POST", path="/token").jkt

    def _redeem_offer(self, request: PreAuthorizedCode, jkt: str | None, *, with_details: bool) -> TokenResponse:
        """Bearer and once, unless the wallet shows a key: then the token is bound to it, and it may come back."""
        now = self._now()
        with immediate(self._engine) as connection:
            found = store.find_offer(connection, find_offer_id(self._key, request.pre_authorized_code))
            offer, refusal = decide_pre_authorized(found, request.tx_code, key=self._key, now=now)
            answer = None
            if offer is not None and refusal is None and jkt is not None:
                level = self._office.signer.loa  # of the desk today, whatever it is when the wallet comes back
                renewal = make_renewal(
                    self._new_id(),
                    offer.bsn,
                    offer.configurations,
                    jkt,
                    now=now,
                    loa=level,
                    with_details=with_details,
                    under=offer.under,
                )
                store_oauth.add_renewal(connection, renewal, now)
                offer = replace(offer, renewal_id=renewal.id, expires=renewal.expires, loa=level)
                answer = self._tokens(connection, renewal, offer)
            elif offer is not None and refusal is None:
                answer = TokenResponse(self._access(connection, Access(offer)), "Bearer", TOKEN_SECONDS)
            # Stored before the refusal is raised, which would roll a spent try back.
            if offer is not None and offer != found:
                store.update_offer(connection, offer)
        if refusal is not None or answer is None:
            raise refusal or Rejected("invalid_grant", "the code is of no offer")
        return answer

    def _redeem_code(self, request: AuthorizationCode, client: Client, jkt: str) -> TokenResponse:
        now, answer = self._now(), None
        with immediate(self._engine) as connection:
            found = store_oauth.find_authorization(connection, find_coded(self._key, request.code))
            changed, refusal = decide_redemption(found, request, client, jkt, now)
            if changed is not None:
                store_oauth.update_authorization(connection, changed)
            if changed is not None and refusal is not None:
                store_oauth.end_renewal(connection, changed.id)  # what a stolen code may have been turned into
            elif changed is not None:
                answer = self._grant(connection, changed, jkt, now)
        if answer is None:
            raise refusal or Rejected("invalid_grant", "the offer is over")
        return answer

    def _grant(
        self, connection: Connection, authorization: Authorization, jkt: str, now: int
    ) -> TokenResponse | None:
        """The issuance that was authorized: the offer's, if one was named, which serves once. None if it has."""
        if authorization.bsn is None:
            raise ValueError("an authorization without a resident has no code")
        names = authorization.configurations
        renewal = make_renewal(
            authorization.id,
            authorization.bsn,
            names,
            jkt,
            now=now,
            loa=authorization.loa,
            client=authorization.client,
            with_details=authorization.with_details,
        )
        if authorization.offer_id is None:
            offer = self._open_issuance(connection, renewal, now)
        else:
            known = store.find_offer(connection, authorization.offer_id)
            if known is None or not is_open(known, now):
                return None
            bound = replace(known, renewal_id=renewal.id, expires=renewal.expires, loa=renewal.loa)
            offer = replace(bound, redeemed=True, configurations=names)
            store.update_offer(connection, offer)
        store_oauth.add_renewal(connection, renewal, now)
        return self._tokens(connection, renewal, offer)

    def _refresh(
        self, request: RefreshToken, client: Client | None, jkt: str, again: Sequence[str]
    ) -> TokenResponse:
        """A new issuance under the renewal; a token of before that comes again ends it."""
        now, answer = self._now(), None
        id_, number = read_refresh_token(self._key, request.refresh_token) or ("", 0)
        with immediate(self._engine) as connection:
            found = store_oauth.find_renewal(connection, id_)
            renewal, refusal = decide_refresh(found, number, client, jkt, now)
            if renewal is None:
                store_oauth.end_renewal(connection, id_)
            elif refusal is None:
                self._check_again(connection, renewal, again)
                store_oauth.update_renewal(connection, renewal)
                answer = self._tokens(connection, renewal, self._open_issuance(connection, renewal, now), again)
        if refusal is not None or answer is None:
            raise refusal or Rejected("invalid_grant", "the refresh token is unknown")
        return answer

    def _check_again(self, connection: Connection, renewal: Renewal, again: Sequence[str]) -> None:
        """Everything that is named belongs to this renewal. Raises `Rejected`: `invalid_request`."""
        for identifier in again:
            name, issuance = split_identifier(identifier) or ("", "")
            earlier = store.find_offer(connection, issuance)
            if name not in renewal.configurations or earlier is None or earlier.renewal_id != renewal.id:
                raise Rejected("invalid_request", "an identifier was not given with this refresh token")

    def _open_issuance(self, connection: Connection, renewal: Renewal, now: int) -> Offer:
        made = make_issuance(
            self._new_id(),
            renewal.bsn,
            renewal.configurations,
            renewal.loa,
            renewal.id,
            renewal.expires,
            renewal.under,
        )
        store.add_offer(connection, made, now)
        return made

    def _new_id(self) -> str:
        return self._office.random(ID_BYTES).hex()

    def _access(self, connection: Connection, access: Access) -> str:
        token = make_token(self._office.random)
        store_oauth.add_token(connection, token_hash(b64u_decode(token)), access, self._now() + TOKEN_SECONDS)
        return token

    def _tokens(
        self, connection: Connection, renewal: Renewal, offer: Offer, again: Sequence[str] = ()
    ) -> TokenResponse:
        access = Access(offer, renewal.dpop_jkt, renewal.id, renewal.with_details)
        return TokenResponse(
            self._access(connection, access),
            "DPoP",
            TOKEN_SECONDS,
            refresh_token_of(self._key, renewal),
            None if renewal.with_details else " ".join(renewal.configurations),
            list_details(renewal, offer.id, again) if renewal.with_details else None,
        )
