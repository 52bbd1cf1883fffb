"""Whom the wallet calls: one method for each message, in and out as values; all goes through `service.fetch`.

Answers are parsed, never believed: what a peer says is verified by the rules. No personal data stands in a URL;
what identifies a grant to the log is its slot, and the bearer travels in a header.
"""

from collections.abc import Iterator

from protocol.canonical import b64u_encode
from protocol.consent_api import (
    MAX_ANSWER_BYTES,
    MAX_PAGE_BYTES,
    CosignerRevocationAnswer,
    CosignerRevocationRequest,
    DepositAnswer,
    DepositRequest,
    EventsAnswer,
    GrantAnswer,
    GrantRequest,
    MessageAnswer,
    MessageRequest,
    RevocationAnswer,
    RevocationRequest,
)
from protocol.direct_post import ResponseObject, parse_redirect
from protocol.errors import Rejected
from protocol.jws import MAX_JWS_BYTES
from protocol.openid4vp import AuthorizationLink
from protocol.presentation import RegieSealed
from protocol.request_object import REQUEST_MEDIA_TYPE
from protocol.status_list import MAX_TOKEN_BYTES, STATUS_LIST_MEDIA_TYPE
from protocol.tiles import TILE_WIDTH, entries_path, parse_entries, tile_path, tile_width
from service.fetch import Fetcher
from wallet.client_issuer import IssuerPeers
from wallet.client_mandate import MandatePeers

LOG_SECONDS = 20.0
"""The log answers a grant once its witnesses have cosigned; longer than that it is kept and sent again."""
STOP_SECONDS = 5.0
DEPOSIT_SECONDS = 10.0
"""An operator that was away first fetches the leaves up to the grant."""
_FORM = "application/x-www-form-urlencoded"
_MAX_TILE_BYTES = TILE_WIDTH * 32
_MAX_BUNDLE_BYTES = TILE_WIDTH * 130


class Peers:
    """Thread-safe, as its fetcher is. Raises `Rejected` with the peer's code or `Unavailable`: see `fetch`."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetch = fetcher
        self.issuers = IssuerPeers(fetcher)
        self.mandates = MandatePeers(fetcher)

    # --- agency ---

    def request_object(self, link: AuthorizationLink, wallet_nonce: str) -> str:
        """The signed request behind a link (VP 5.10), not yet verified."""
        options = {"accept": REQUEST_MEDIA_TYPE, "max_bytes": MAX_JWS_BYTES}
        if link.post:
            answer = self._fetch.post_form(link.request_uri, {"wallet_nonce": wallet_nonce}, **options)
        else:
            answer = self._fetch.get(link.request_uri, **options)
        return answer.text.strip()

    def check_address(self, url: str) -> None:
        """That something could be sent there. Raises as `Fetcher.check_address` does."""
        self._fetch.check_address(url)

    def status_token(self, uri: str) -> str:
        """The status list at this address (Token Status List section 8), not yet verified."""
        return self._fetch.get(uri, accept=STATUS_LIST_MEDIA_TYPE, max_bytes=MAX_TOKEN_BYTES).text.strip()

    def answer(self, response_uri: str, form: bytes) -> str | None:
        """Post an answer or a refusal (VP 8.2); the address to go on to, if the agency names one that is good.

        Raises `Rejected` only when the agency did not take it: whatever stands in a 2xx, it has. One that is too
        large to read counts as a no.
        """
        answer = self._fetch.post_bytes(response_uri, form, _FORM, accept=None, total_seconds=LOG_SECONDS)
        try:
            return parse_redirect(answer.body) if answer.body else None
        except Rejected:
            return None

    def inbox(self, inbox: str, message: str) -> None:
        """A signed message about a grant, for the agency."""
        self._fetch.post_json(inbox, MessageRequest(message), accept=None)

    def deliver_refresh(self, inbox: str, vp_token: dict[str, list[str]], sealed: RegieSealed) -> None:
        """A newer version of a grant (section 9); the same one again changes nothing there."""
        body = ResponseObject(vp_token=vp_token, regie_sealed=sealed)
        self._fetch.post_json(inbox, body, accept=None, total_seconds=LOG_SECONDS)

    # --- log and cosigners ---

    def grant(self, log_url: str, body: GrantRequest) -> GrantAnswer:
        """Section 7.3: the same body gets the same answer."""
        answer = self._fetch.post_json(
            f"{log_url}/v1/grants", body, max_bytes=MAX_ANSWER_BYTES, total_seconds=LOG_SECONDS
        )
        return answer.json(GrantAnswer)

    def deposit(self, operator_url: str, body: DepositRequest) -> DepositAnswer:
        """Section 7.4: an operator's pieces of a share; the same body gets the same answer."""
        answer = self._fetch.post_json(f"{operator_url}/v1/deposits", body, total_seconds=DEPOSIT_SECONDS)
        return answer.json(DepositAnswer)

    def revoke(self, log_url: str, r: bytes) -> RevocationAnswer:
        """Section 9."""
        body = RevocationRequest(b64u_encode(r))
        answer = self._fetch.post_json(f"{log_url}/v1/revocations", body, total_seconds=STOP_SECONDS)
        return answer.json(RevocationAnswer)

    def hand_over(self, cosigner_url: str, origin: str, r: bytes) -> CosignerRevocationAnswer:
        """Section 9: the cosigner keeps r for the log. A lock that it does not know or that is over: 404."""
        body = CosignerRevocationRequest(origin, b64u_encode(r))
        answer = self._fetch.post_json(f"{cosigner_url}/v1/revocations", body, total_seconds=STOP_SECONDS)
        return answer.json(CosignerRevocationAnswer)

    def events(self, log_url: str, slot: int, view: bytes, start: int = 0) -> EventsAnswer:
        """Section 6: what the log has on one grant, for the holder of its code; a page, from leaf `start` on."""
        answer = self._fetch.get(
            f"{log_url}/v1/grants/{slot}/events?from={start}", headers=_bearer(view), max_bytes=MAX_PAGE_BYTES
        )
        return answer.json(EventsAnswer)

    def message(self, log_url: str, message: str, view: bytes) -> MessageAnswer:
        """Section 9: a resident's message, admitted by the view bearer."""
        answer = self._fetch.post_json(
            f"{log_url}/v1/messages",
            MessageRequest(message),
            headers=_bearer(view),
            max_bytes=MAX_ANSWER_BYTES,
            total_seconds=LOG_SECONDS,
        )
        return answer.json(MessageAnswer)

    def checkpoint(self, log_url: str) -> str:
        """The published checkpoint, not yet verified."""
        return self._fetch.get(f"{log_url}/checkpoint", accept=None).text

    def tile(self, log_url: str, level: int, n: int, width: int) -> bytes:
        """A hash tile: `width` hashes."""
        url = f"{log_url}/{tile_path(level, n, width)}"
        return self._fetch.get(url, accept=None, max_bytes=_MAX_TILE_BYTES).body

    def entries(self, log_url: str, first: int, size: int) -> Iterator[tuple[int, list[bytes]]]:
        """Bundles of leaves of a tree of `size`, from that of leaf `first` on: (index of its first, leaves)."""
        for n in range(first // TILE_WIDTH, -(-size // TILE_WIDTH)):
            width = tile_width(0, n, size)
            url = f"{log_url}/{entries_path(n, width)}"
            body = self._fetch.get(url, accept=None, max_bytes=_MAX_BUNDLE_BYTES).body
            yield n * TILE_WIDTH, parse_entries(body, width)


def _bearer(view: bytes) -> dict[str, str]:
    return {"Authorization": f"Bearer {b64u_encode(view)}"}
