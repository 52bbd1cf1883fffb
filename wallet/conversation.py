"""The wallet as one issuer's client, for one errand (OpenID4VCI 1.0, HAIP 1.0 section 4).

It proves who it is in headers (wallet attestation, DPoP), takes the nonces and challenges that the servers give,
and repeats a request once for each that a server wants. Answers are parsed, never believed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec

from protocol.canonical import b64u_encode, canonical_bytes
from protocol.client_attestation import (
    ATTESTATION_HEADER,
    CHALLENGE_HEADER,
    POP_HEADER,
    sign_attestation_pop,
)
from protocol.client_attestation import MAX_TEXT as MAX_CHALLENGE
from protocol.credential_encryption import (
    JWT_MEDIA_TYPE,
    MAX_ENCRYPTED_RESPONSE_BYTES,
    choose_request_key,
    choose_response_enc,
    decrypt_response,
    encrypt_request,
    response_parameters,
)
from protocol.credential_request import MAX_RESPONSE_BYTES, CredentialResponse, parse_credential_response
from protocol.direct_post import EncryptionKey
from protocol.dpop import MAX_NONCE, sign_dpop
from protocol.errors import Rejected
from protocol.issuer_metadata import (
    MAX_METADATA_BYTES,
    AuthorizationServerMetadata,
    IssuerMetadata,
    parse_foreign,
)
from protocol.keys import Es256Private
from protocol.oauth import (
    AuthorizationRequest,
    PushedResponse,
    TokenRequest,
    TokenResponse,
    authorization_form,
    parse_par_response,
    parse_token_response,
    token_form,
)
from protocol.openid4vci import Notification, parse_error, parse_nonce_response
from protocol.passphrase import Random
from service.fetch import Answer, Fetcher
from wallet.receive import origin_of

ISSUE_SECONDS = 15.0
"""A batch of twenty copies takes the issuer about a second on a slow machine."""
JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_KEY_SECRET_BYTES = 48
_JTI_BYTES = 16
_REFUSALS = (400, 401, 403)
_DPOP_NONCE, _CHALLENGE = "use_dpop_nonce", "use_attestation_challenge"


class _ChallengeAnswer(msgspec.Struct, frozen=True):
    attestation_challenge: str


@dataclass(frozen=True)
class Identity:
    """What the wallet is to one OAuth server. `client_id`: None where access is anonymous.

    `dpop`: None where the server knows no DPoP; `attestation` with the `key` that it attests, where the server
    wants to see one.
    """

    client_id: str | None
    dpop: Es256Private | None
    key: Es256Private | None = None
    attestation: str | None = None

    @property
    def token_type(self) -> str:
        """Of the tokens to ask for (RFC 9449 5)."""
        return "Bearer" if self.dpop is None else "DPoP"


@dataclass(frozen=True)
class _Message:
    """A body on its way, and what has to come back."""

    body: bytes
    content_type: str
    accept: str | None = JSON
    max_bytes: int = MAX_METADATA_BYTES


@dataclass
class Conversation:
    """Not for several threads. Errors: `Rejected` with the peer's code, or `Unavailable`; see `service.fetch`."""

    fetcher: Fetcher
    metadata: IssuerMetadata
    server: AuthorizationServerMetadata
    identity: Identity
    now: Callable[[], int]
    random: Random
    _nonces: dict[tuple[str, str], str] = field(default_factory=dict)
    _challenge: str | None = None

    def push(self, request: AuthorizationRequest) -> PushedResponse:
        """RFC 9126. The server's metadata MUST have a PAR endpoint."""
        endpoint = str(self.server.pushed_authorization_request_endpoint)
        return parse_par_response(self._send_form(endpoint, authorization_form(request)).body)

    def token(self, request: TokenRequest) -> TokenResponse:
        """VCI 6. A Bearer token in answer to a DPoP proof is refused: a thief could use it."""
        form = token_form(request, self.identity.client_id)
        answer = self._send_form(str(self.server.token_endpoint), form)
        return parse_token_response(answer.body, token_type=self.identity.token_type)

    def nonce(self) -> str | None:
        """VCI 7; None of an issuer that has no nonce endpoint. A DPoP nonce may come with it (7.2)."""
        endpoint = self.metadata.nonce_endpoint
        if endpoint is None:
            return None
        answer = self.fetcher.post_bytes(endpoint, b"", _FORM)
        self._remember(endpoint, answer)
        return parse_nonce_response(answer.body).c_nonce

    def credentials(
        self, endpoint: str, token: str, body: Mapping[str, Any], *, copies: int, transaction: str | None = None
    ) -> CredentialResponse:
        """VCI 8 and 9: what is issued, or when to come back; encrypted both ways where the issuer can (10).

        Raises also `Rejected`: `bad_metadata` where it wants an encryption that nobody here has.
        """
        request_key, enc = self._encryption()
        answer_key = Es256Private.from_secret(self.random(_KEY_SECRET_BYTES))
        if enc is not None:
            body = {**body, "credential_response_encryption": response_parameters(answer_key.public, enc)}
        data, content_type = canonical_bytes(body), JSON
        if request_key is not None:
            data, content_type = encrypt_request(data, request_key).encode("ascii"), JWT_MEDIA_TYPE
        if enc is None:
            message = _Message(data, content_type, JSON, MAX_RESPONSE_BYTES)
            plain = self._send(endpoint, message, token=token).body
        else:
            message = _Message(data, content_type, JWT_MEDIA_TYPE, MAX_ENCRYPTED_RESPONSE_BYTES)
            plain = decrypt_response(self._send(endpoint, message, token=token).body, answer_key)
        return parse_credential_response(plain, copies=copies, transaction=transaction)

    def _encryption(self) -> tuple[EncryptionKey | None, str | None]:
        """The issuer's key for requests and the encryption of the answer, each None where there is none."""
        for_requests = self.metadata.credential_request_encryption
        for_answers = self.metadata.credential_response_encryption
        key = None if for_requests is None else choose_request_key(for_requests)
        enc = None if for_answers is None or key is None else choose_response_enc(for_answers)
        if (for_requests and for_requests.encryption_required and key is None) or (
            for_answers and for_answers.encryption_required and enc is None
        ):
            raise Rejected("bad_metadata", "the issuer wants an encryption that this wallet does not have")
        return key, enc

    def notify(self, token: str, notification: Notification) -> None:
        """VCI 11. The issuer's metadata MUST have a notification endpoint."""
        message = _Message(canonical_bytes(notification), JSON, None)
        self._send(str(self.metadata.notification_endpoint), message, token=token)

    def _send_form(self, url: str, form: Mapping[str, str]) -> Answer:
        """To the OAuth server, as the client that we are."""
        return self._send(url, _Message(urlencode(form).encode("ascii"), _FORM), token=None)

    def _send(self, url: str, message: _Message, *, token: str | None) -> Answer:
        """With proof of who we are, and again with each nonce that the server asks for, once (RFC 9449 8, 9)."""
        if token is None and self.identity.attestation and self._challenge is None:
            self._fetch_challenge()
        repeated: set[str] = set()
        while True:
            answer = self.fetcher.post_bytes(
                url,
                message.body,
                message.content_type,
                headers=self._headers(url, token),
                accept=message.accept,
                max_bytes=message.max_bytes,
                expect=_REFUSALS,
                total_seconds=ISSUE_SECONDS,
            )
            self._remember(url, answer)
            if answer.status < 400:
                if message.accept is not None and answer.media_type != message.accept:
                    raise Rejected(
                        "bad_media_type", f"the issuer answered with another type than {message.accept}"
                    )
                return answer
            wanted = _wanted(answer)
            if wanted is None or wanted in repeated:
                raise parse_error(answer.body, answer.status)
            repeated.add(wanted)
            if wanted == _CHALLENGE and _header(answer, CHALLENGE_HEADER) is None:
                self._fetch_challenge()

    def _headers(self, url: str, token: str | None) -> dict[str, str]:
        headers = {}
        identity, jti = self.identity, b64u_encode(self.random(_JTI_BYTES))
        if token is not None:
            headers["Authorization"] = f"{identity.token_type} {token}"
        elif identity.attestation is not None and identity.key is not None:
            headers[ATTESTATION_HEADER] = identity.attestation
            headers[POP_HEADER] = sign_attestation_pop(
                identity.key,
                client_id=str(identity.client_id),
                audience=self.server.issuer,
                iat=self.now(),
                jti=b64u_encode(self.random(_JTI_BYTES)),
                challenge=self._challenge,
            )
        if identity.dpop is not None:
            nonce = self._nonces.get(origin_of(url))
            headers["DPoP"] = sign_dpop(
                identity.dpop, method="POST", uri=url, iat=self.now(), jti=jti, nonce=nonce, access_token=token
            )
        return headers

    def _remember(self, url: str, answer: Answer) -> None:
        """The newest nonce of each server (RFC 9449 8.2), and the newest challenge."""
        nonce, challenge = _header(answer, "DPoP-Nonce"), _header(answer, CHALLENGE_HEADER)
        if nonce is not None and len(nonce) <= MAX_NONCE:
            self._nonces[origin_of(url)] = nonce
        if challenge is not None and len(challenge) <= MAX_CHALLENGE:
            self._challenge = challenge

    def _fetch_challenge(self) -> None:
        if self.server.challenge_endpoint is None:
            return
        answer = self.fetcher.post_bytes(self.server.challenge_endpoint, b"", _FORM)
        self._remember(self.server.challenge_endpoint, answer)
        found = parse_foreign(answer.body, _ChallengeAnswer, "bad_challenge", MAX_METADATA_BYTES)
        if not 0 < len(found.attestation_challenge) <= MAX_CHALLENGE:
            raise Rejected("bad_challenge", "the challenge is empty or too long")
        self._challenge = found.attestation_challenge


def _header(answer: Answer, name: str) -> str | None:
    value = answer.headers.get(name.lower())
    return value if value and value.isascii() and value.isprintable() else None


def _wanted(answer: Answer) -> str | None:
    """The nonce that a server wants to see before it takes the request: in the error or the challenge header."""
    error = parse_error(answer.body, answer.status).code
    if error in (_DPOP_NONCE, _CHALLENGE):
        return error
    said = _header(answer, "WWW-Authenticate") or ""
    return next((name for name in (_DPOP_NONCE, _CHALLENGE) if f'error="{name}"' in said), None)
