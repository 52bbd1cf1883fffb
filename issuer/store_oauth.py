"""What the authorization server keeps: tokens, authorizations, renewals and what was spent (tables: `tables`).

Each function is one step inside a transaction that its caller opened, as in `store`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Row, delete, insert, select, update

from issuer import store
from issuer.authorize import Authorization, Client
from issuer.brp import Bsn
from issuer.offer import Offer
from issuer.renew import Renewal
from issuer.tables import authorizations, renewals, spent_nonces, tokens


@dataclass(frozen=True)
class Access:
    """What a live access token gives: an offer to fetch from, for who holds the key of `dpop_jkt` (None: for
    whoever holds the token). `with_details`: credentials may be asked for by identifier; `client_id`: None for
    an anonymous wallet.
    """

    offer: Offer
    dpop_jkt: str | None = None
    renewal_id: str | None = None
    with_details: bool = False
    client_id: str | None = None


# ---- tokens


def add_token(connection: Connection, token_hash: bytes, access: Access, expires: int) -> None:
    """Keep the hash of an access token."""
    connection.execute(
        insert(tokens).values(
            token_hash=token_hash,
            offer_id=access.offer.id,
            expires=expires,
            dpop_jkt=access.dpop_jkt,
            renewal_id=access.renewal_id,
            with_details=int(access.with_details),
        )
    )


def find_access(connection: Connection, token_hash: bytes, now: int) -> Access | None:
    """What a live token gives."""
    row = connection.execute(
        select(tokens).where(tokens.c.token_hash == token_hash, tokens.c.expires > now)
    ).one_or_none()
    offer = None if row is None else store.find_offer(connection, row.offer_id)
    if row is None or offer is None:
        return None
    client = select(renewals.c.client_id).where(renewals.c.id == row.renewal_id)
    client_id: str | None = connection.execute(client).scalar()
    return Access(offer, row.dpop_jkt, row.renewal_id, bool(row.with_details), client_id)


# ---- nonces and proofs


def spend_nonces(connection: Connection, nonces: Mapping[bytes, int], now: int) -> bool:
    """Spend nonces (random part -> expiry) that were verified; False when one of them was spent before.

    All are spent either way: a nonce serves one try.
    """
    connection.execute(delete(spent_nonces).where(spent_nonces.c.expires <= now))
    known = set(connection.execute(select(spent_nonces.c.nonce).where(spent_nonces.c.nonce.in_(nonces))).scalars())
    for nonce, expires in nonces.items():
        if nonce not in known:
            connection.execute(insert(spent_nonces).values(nonce=nonce, expires=expires))
    return not known


# ---- authorizations


def add_authorization(connection: Connection, made: Authorization, now: int) -> None:
    """Keep a pushed request; forget those that are over."""
    connection.execute(delete(authorizations).where(authorizations.c.expires < now))
    connection.execute(insert(authorizations).values(**_authorization_row(made)))


def find_authorization(connection: Connection, id_: str | None) -> Authorization | None:
    """The authorization of this id."""
    row = connection.execute(select(authorizations).where(authorizations.c.id == id_)).one_or_none()
    return None if row is None else _authorization(row)


def update_authorization(connection: Connection, changed: Authorization) -> None:
    """Store the next phase. The transaction is what makes each step happen once: a writer is alone from its first
    statement, so two cannot both have read the phase before."""
    values = _authorization_row(changed)
    connection.execute(update(authorizations).where(authorizations.c.id == changed.id).values(**values))


def _authorization_row(made: Authorization) -> dict[str, object]:
    return {
        "id": made.id,
        "client_id": made.client.client_id,
        "client_jkt": made.client.jkt,
        "dpop_jkt": made.dpop_jkt,
        "redirect_uri": made.redirect_uri,
        "state": made.state,
        "code_challenge": made.code_challenge,
        "configurations": " ".join(made.configurations),
        "with_details": int(made.with_details),
        "offer_id": made.offer_id,
        "phase": made.phase,
        "expires": made.expires,
        "browser": made.browser,
        "bsn": made.bsn,
        "loa": made.loa,
    }


def _authorization(row: Row[tuple[object, ...]]) -> Authorization:
    return Authorization(
        id=row.id,
        client=Client(row.client_id, row.client_jkt),
        dpop_jkt=row.dpop_jkt,
        redirect_uri=row.redirect_uri,
        state=row.state,
        code_challenge=row.code_challenge,
        configurations=tuple(row.configurations.split(" ")),
        with_details=bool(row.with_details),
        offer_id=row.offer_id,
        phase=row.phase,
        expires=row.expires,
        browser=bytes(row.browser),
        bsn=None if row.bsn is None else Bsn(row.bsn),
        loa=row.loa,
    )


# ---- renewals


def add_renewal(connection: Connection, renewal: Renewal, now: int) -> None:
    """Keep a new renewal; forget those that are over."""
    connection.execute(delete(renewals).where(renewals.c.expires < now))
    client = renewal.client
    connection.execute(
        insert(renewals).values(
            id=renewal.id,
            bsn=renewal.bsn,
            configurations=" ".join(renewal.configurations),
            loa=renewal.loa,
            client_id=None if client is None else client.client_id,
            client_jkt=None if client is None else client.jkt,
            dpop_jkt=renewal.dpop_jkt,
            with_details=int(renewal.with_details),
            expires=renewal.expires,
            number=renewal.number,
            day=renewal.day,
            refreshes=renewal.refreshes,
            **store.columns_of(renewal.under),
        )
    )


def find_renewal(connection: Connection, id_: str) -> Renewal | None:
    """The renewal of this id."""
    row = connection.execute(select(renewals).where(renewals.c.id == id_)).one_or_none()
    if row is None:
        return None
    return Renewal(
        id=row.id,
        bsn=Bsn(row.bsn),
        configurations=tuple(row.configurations.split(" ")),
        loa=row.loa,
        client=None if row.client_id is None else Client(row.client_id, row.client_jkt),
        dpop_jkt=row.dpop_jkt,
        with_details=bool(row.with_details),
        expires=row.expires,
        number=row.number,
        day=row.day,
        refreshes=row.refreshes,
        under=store.under_of(row),
    )


def update_renewal(connection: Connection, changed: Renewal) -> None:
    """Store the number that counts now."""
    connection.execute(
        update(renewals)
        .where(renewals.c.id == changed.id)
        .values(number=changed.number, day=changed.day, refreshes=changed.refreshes)
    )


def end_renewal(connection: Connection, id_: str) -> None:
    """Neither its refresh tokens nor its access tokens count any more."""
    connection.execute(delete(renewals).where(renewals.c.id == id_))
    connection.execute(delete(tokens).where(tokens.c.renewal_id == id_))
