"""Whom the wallet calls to get cards: what issuers, their OAuth servers and wallet providers tell anybody.

`conversation.py` is the wallet as one issuer's client. Answers are parsed, never believed.
"""

from collections.abc import Sequence

from protocol.client_attestation import parse_own_attestation
from protocol.issuer_metadata import (
    MAX_METADATA_BYTES,
    AuthorizationServerMetadata,
    IssuerMetadata,
    parse_authorization_server_metadata,
    parse_issuer_metadata,
    well_known_url,
)
from protocol.keys import Es256Private
from protocol.openid4vci import MAX_OFFER_BYTES, CredentialOffer, parse_nonce_response, parse_offer
from protocol.signed_metadata import (
    MAX_SIGNED_METADATA_BYTES,
    SIGNED_METADATA_MEDIA_TYPE,
    verify_issuer_metadata,
)
from protocol.wallet_attestation import ATTESTATIONS_PATH, AttestationAnswer, AttestationRequest, sign_wallet_key
from service.fetch import Fetcher


class IssuerPeers:
    """Thread-safe, as its fetcher is. Raises `Rejected` with the peer's code or `Unavailable`: see `fetch`."""

    def __init__(self, fetcher: Fetcher) -> None:
        self.fetcher = fetcher

    def offer(self, uri: str) -> CredentialOffer:
        """An offer by reference (VCI 4.1.3). The caller MUST have checked its address (`receive`)."""
        return parse_offer(self.fetcher.get(uri, max_bytes=MAX_OFFER_BYTES).body)

    def issuer_metadata(self, issuer: str, roots: Sequence[bytes], now: int) -> IssuerMetadata:
        """VCI 12.2: signed where the issuer can, then by a chain to `roots`; else as it is."""
        answer = self.fetcher.get(
            well_known_url(issuer, "openid-credential-issuer"),
            accept=(SIGNED_METADATA_MEDIA_TYPE, "application/json"),
            max_bytes=MAX_SIGNED_METADATA_BYTES,
        )
        if answer.media_type == SIGNED_METADATA_MEDIA_TYPE:
            return verify_issuer_metadata(answer.body, issuer=issuer, roots=roots, now=now)
        return parse_issuer_metadata(answer.body, issuer)

    def server_metadata(self, server: str) -> AuthorizationServerMetadata:
        """RFC 8414; of a server that has only the document of OpenID Connect, that one (RFC 8414 5)."""
        url = well_known_url(server, "oauth-authorization-server")
        answer = self.fetcher.get(url, max_bytes=MAX_METADATA_BYTES, expect=(404,))
        if answer.status == 404:
            url = f"{server.rstrip('/')}/.well-known/openid-configuration"
            answer = self.fetcher.get(url, max_bytes=MAX_METADATA_BYTES)
        return parse_authorization_server_metadata(answer.body, server)

    def nonce(self, endpoint: str) -> str:
        """A fresh c_nonce (VCI 7), outside a conversation. The caller MUST have the endpoint from its metadata."""
        answer = self.fetcher.post_bytes(endpoint, b"", "application/x-www-form-urlencoded")
        return parse_nonce_response(answer.body).c_nonce

    def attestation(self, provider: str, key: Es256Private, now: int) -> AttestationAnswer:
        """A wallet attestation of `key`, good for some hours (see `protocol.wallet_attestation`).

        Raises also `Rejected`: `bad_attestation`.
        """
        body = AttestationRequest(sign_wallet_key(key, provider=provider, iat=now))
        answer = self.fetcher.post_json(provider.rstrip("/") + ATTESTATIONS_PATH, body)
        made = answer.json(AttestationAnswer)
        parse_own_attestation(made.attestation, client_id=made.client_id, holder=key.public)
        return made
