"""Elkaar machtigen: somebody lets somebody else help him, for named services until a date (protocol section 10).

The helper makes an invitation, the represented signs a wish with it; the issuer keeps the wish and signs the
mandate. Nobody needs to know a number of the other.
"""

from sqlalchemy import Connection

from issuer import store_mandate
from issuer.brp import Bsn
from issuer.handle import ID_BYTES, find_id, make_handle
from issuer.issue import DAY
from issuer.mandate import ADULT, Registered, check_wish, is_competent
from issuer.mandate_books import day_of, new_id
from issuer.mandates import Mandates
from issuer.office import Office
from protocol import mandate_api as api
from protocol.canonical import canonical_bytes
from protocol.errors import Rejected
from service.database import immediate, snapshot

MAX_INVITATIONS = 8
"""Open ones of one resident."""
_INVITATION = b"regie/invitation/v1"


class Wishes:
    """Around one office."""

    def __init__(self, office: Office, mandates: Mandates) -> None:
        self._office = office
        self._mandates = mandates
        self._key = office.codes_key
        self._engine = office.engine

    def invite(self, ask: api.InvitationAsk) -> api.InvitationAnswer:
        """Somebody is willing to help. Raises `Rejected`: `not_competent` 403, `too_many` 409, as `caller`."""
        caller, now = self._mandates.caller(ask), self._office.clock.now()
        with immediate(self._engine) as connection:
            if not is_competent(self._mandates.person(connection, caller), day_of(now), ADULT):
                raise Rejected("not_competent", "a helper is an adult under no curatele", status=403)
            if store_mandate.count_invitations(connection, caller, now) >= MAX_INVITATIONS:
                raise Rejected("too_many", f"at most {MAX_INVITATIONS} open invitations", status=409)
            id_ = self._office.random(ID_BYTES).hex()
            expires = now + api.INVITATION_SECONDS
            store_mandate.add_invitation(connection, id_, caller, expires, now)
        return api.InvitationAnswer(make_handle(self._key, _INVITATION, id_), expires)

    def invited(self, ask: api.InvitedAsk) -> api.InvitedAnswer:
        """Who made an invitation, for who was given it. Raises `Rejected`: `bad_invitation` 404, as `caller`."""
        self._mandates.caller(ask)
        with snapshot(self._engine) as connection:
            _, helper, expires = self._invitation(connection, ask.invitation)
            return api.InvitedAnswer(self._mandates.name(connection, helper), expires)

    def _invitation(self, connection: Connection, text: str) -> tuple[str, Bsn, int]:
        id_ = find_id(self._key, _INVITATION, text)
        found = None
        if id_ is not None:
            found = store_mandate.find_invitation(connection, id_, self._office.clock.now())
        if id_ is None or found is None:
            raise Rejected("bad_invitation", "the invitation is unknown, used or over", status=404)
        return id_, found[0], found[1]

    def wish(self, ask: api.WishAsk) -> api.WishAnswer:
        """The caller lets the maker of an invitation act for him; the signed wish is kept as evidence.

        Raises `Rejected`: `bad_invitation` 404, `too_many` 409, as `mandate.check_wish` and `Mandates.caller`.
        """
        caller, now = self._mandates.caller(ask), self._office.clock.now()
        if len(set(ask.services)) != len(ask.services):
            raise Rejected("bad_wish", "a service is named twice")
        with immediate(self._engine) as connection:
            invitation, helper, _ = self._invitation(connection, ask.invitation)
            people = [self._mandates.person(connection, bsn) for bsn in (caller, helper)]
            check_wish(people[0], people[1], ask.claims, ask.until, now, day_of(now))
            made = Registered(
                new_id(self._office.random),
                "wish",
                "helper",
                caller,
                (helper,),
                ((1,),),
                ask.until - ask.until % DAY,
                claims=None if ask.claims is None else tuple(ask.claims),
                services=tuple(ask.services),
            )
            row = self._mandates.register(connection, made, evidence=canonical_bytes(ask).decode())
            store_mandate.spend_invitation(connection, invitation)
            return api.WishAnswer(row.id, self._mandates.name(connection, helper), row.until)
