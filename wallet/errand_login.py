"""Receiving by a login, for a user interface that cannot wait: what is asked now, and what comes of it later.

The command line waits for the browser (`errand_receive`); a web face answers other requests meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.openid4vci import AuthorizationCodeGrant
from wallet.errand_client import Client, Login, access_of, meet, push_login, redeem_login
from wallet.errand_receive import Received, deliver, named
from wallet.opened import OpenWallet
from wallet.receive import Batch, Source, plan_batches


@dataclass(frozen=True)
class Begun:
    """An errand that waits for the resident's login; good for one answer."""

    client: Client
    batches: tuple[Batch, ...]
    login: Login


def begin_login(
    wallet: OpenWallet, source: Source, names: Sequence[str], grant: AuthorizationCodeGrant, redirect_uri: str
) -> Begun:
    """Metadata of the issuer, what to ask, and a pushed request. Nothing is kept.

    Raises `Rejected` and `Unavailable` of rules and peers, as `errand_receive.get` does.
    """
    client = meet(wallet, source, login=True, server=grant.authorization_server, known=None)
    batches = plan_batches(client.metadata, list(dict.fromkeys(names)), source)
    return Begun(client, batches, push_login(wallet, client, batches, grant, redirect_uri))


def finish_login(wallet: OpenWallet, begun: Begun, query: str) -> list[Received]:
    """The cards, for the query with which the browser came back. Raises as `errand_receive.get` does."""
    token = redeem_login(begun.client, begun.login, query)
    access = access_of(wallet, begun.client, begun.batches, token)
    wanted = [(batch, name) for batch in begun.batches for name in named(token, batch)]
    return deliver(wallet, begun.client, access, wanted)
