"""Receiving cards from pages: what waits between two requests, and a login that nobody stands still for.

A login goes to the issuer in the resident's browser and comes back to a listener of its own on 127.0.0.1, the one
address that every issuer takes for a program on this machine (RFC 8252 sections 7.3 and 8.3). Nothing of the
wallet is at that address. The page that began it sees the answer and fetches the cards.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from protocol.errors import Rejected, Unavailable
from protocol.openid4vci import AuthorizationCodeGrant, CredentialOffer
from wallet.errand_login import Begun, begin_login, finish_login
from wallet.errand_receive import Received, accept
from wallet.errand_sync import deliver_stops
from wallet.loopback import LOGIN_SECONDS, LoopbackListener
from wallet.opened import OpenWallet
from wallet.receive import Source, choose_grant


@dataclass(frozen=True)
class Offered:
    """An offer that is open on a page."""

    offer: CredentialOffer
    source: Source


@dataclass(frozen=True)
class Came:
    """What an issuer gave."""

    received: tuple[Received, ...]


@dataclass(frozen=True)
class Waiting:
    """A login that the browser has not come back from. `offer_id`: the offer it is for, if there is one."""

    begun: Begun
    listener: LoopbackListener
    issuer: str
    offer_id: str | None

    @property
    def url(self) -> str:
        """Where the resident logs in."""
        return self.begun.login.url

    @property
    def origin(self) -> str:
        """The same without what identifies the login."""
        return "/".join(self.url.split("/")[:3])

    @property
    def is_back(self) -> bool:
        """Whether the browser has come back."""
        return self.listener.answer is not None


def take_up(wallet: OpenWallet, offered: Offered, code: str | None) -> Came:
    """The cards of an offer with a code, or with nothing but itself. Raises as `errand_receive.accept`."""
    deliver_stops(wallet)
    return Came(tuple(accept(wallet, offered.offer, offered.source, code)))


def begin(wallet: OpenWallet, offered: Offered, offer_id: str) -> Waiting:
    """A login for an offer. Raises `Rejected`: `need_tx_code` when it is not by login; as `begin_login`."""
    grant = choose_grant(offered.offer, None)
    if not isinstance(grant, AuthorizationCodeGrant):
        raise Rejected("need_tx_code", "this offer is taken up without a login")
    return _begin(wallet, offered.source, offered.offer.credential_configuration_ids, grant, offer_id)


def begin_without_offer(wallet: OpenWallet, source: Source, names: Sequence[str]) -> Waiting:
    """A login for cards that the resident asks for. Raises as `begin_login`."""
    return _begin(wallet, source, names, AuthorizationCodeGrant(), None)


def _begin(
    wallet: OpenWallet, source: Source, names: Sequence[str], grant: AuthorizationCodeGrant, offer_id: str | None
) -> Waiting:
    deliver_stops(wallet)
    listener = LoopbackListener(wallet.random)
    with ExitStack() as undo:
        undo.callback(listener.close)
        begun = begin_login(wallet, source, names, grant, listener.redirect_uri)
        undo.pop_all()
    listener.listen()
    threading.Thread(target=_close_in_time, args=(listener,), name="login", daemon=True).start()
    return Waiting(begun, listener, source.name, offer_id)


def _close_in_time(listener: LoopbackListener) -> None:
    """Free the port once the answer is there, or nobody came in time; the answer stays readable."""
    listener.wait(LOGIN_SECONDS)
    time.sleep(1)  # so that the browser gets its page
    listener.close()


def finish(wallet: OpenWallet, waiting: Waiting) -> Came:
    """The cards, once the browser is back. Raises `Unavailable`: `no_login` before; as `finish_login`."""
    answer = waiting.listener.answer
    if answer is None:
        raise Unavailable("no_login", "the browser has not come back from the issuer yet")
    return Came(tuple(finish_login(wallet, waiting.begun, answer)))
