"""The board of a mandate: a grant that several sign is proposed, read and signed there (protocol section 10).

Who shows the bearer holds the mandate's seed, and is a party. The office keeps what hangs there for an hour and
looks at no more of it than whose mandate the terms name.
"""

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from issuer import store_mandate
from issuer.mandate import Registered
from issuer.mandate_books import is_mandate_id
from issuer.mandates import Mandates
from issuer.office import Office
from issuer.tables import cosignatures, proposals
from protocol import mandate_api as api
from protocol.canonical import b64u_decode, b64u_encode, convert, is_equal, parse_json
from protocol.errors import Rejected
from protocol.mandate import mandate_hash
from protocol.terms import check_terms
from service.database import immediate

_MAX_BODY = 256 * 1024


class Board:
    """Around one office; every method takes the mandate's id and the bearer (bytes) of the request."""

    def __init__(self, office: Office, mandates: Mandates) -> None:
        self._office = office
        self._mandates = mandates

    def look(self, id_: str, bearer: bytes) -> api.BoardAnswer:
        """What hangs there. Raises `Rejected`: `unauthorized` 401."""
        with immediate(self._office.engine) as connection:
            row = self._enter(connection, id_, bearer)
            return self._answer(connection, row)

    def propose(self, id_: str, bearer: bytes, proposal: api.Proposal) -> api.BoardAnswer:
        """1. a party; 2. who may sign; 3. terms of good form that name this mandate; 4. room for it.

        Raises `Rejected`: `unauthorized` 401, `bad_proposal`, `bad_terms`, `flags_missing`, `too_many` 409.
        """
        check_terms(proposal.terms)
        with immediate(self._office.engine) as connection:
            row = self._enter(connection, id_, bearer)  # 1
            if not row.signs(proposal.party):  # 2
                raise Rejected("bad_proposal", "this party signs nothing under the mandate")
            if proposal.terms.on_behalf_of != b64u_encode(mandate_hash(row.token)):  # 3
                raise Rejected("bad_proposal", "the terms name another mandate")
            hanging = select(func.count()).select_from(proposals).where(proposals.c.mandate == id_)
            if (connection.execute(hanging).scalar() or 0) >= api.MAX_PROPOSALS:  # 4
                raise Rejected("too_many", "the board is full; proposals come down after an hour", status=409)
            now, body = self._office.clock.now(), msgspec.json.encode(proposal).decode()
            values = {"mandate": id_, "body": body, "made": now, "expires": now + api.PROPOSAL_SECONDS}
            connection.execute(insert(proposals).values(**values))
            return self._answer(connection, row)

    def cosign(self, id_: str, number: int, bearer: bytes, cosigned: api.Cosigned) -> api.BoardAnswer:
        """Another party agrees; what he signed is for the proposer and the agency to verify.

        Raises `Rejected`: `unauthorized` 401, `unknown_proposal` 404, `bad_proposal`, `too_many` 409.
        """
        with immediate(self._office.engine) as connection:
            row = self._enter(connection, id_, bearer)
            known = select(proposals.c.number).where(proposals.c.mandate == id_, proposals.c.number == number)
            if connection.execute(known).first() is None:
                raise Rejected("unknown_proposal", "this proposal does not hang there any more", status=404)
            if not row.signs(cosigned.party):
                raise Rejected("bad_proposal", "this party signs nothing under the mandate")
            there = [one.cosigned for one in self._cosigned(connection, number)]
            if cosigned.cosigned in there:
                return self._answer(connection, row)
            if len(there) >= api.MAX_COSIGNATURES:
                raise Rejected("too_many", "enough have signed this proposal", status=409)
            values = {"proposal": number, "party": cosigned.party, "cosigned": cosigned.cosigned}
            connection.execute(insert(cosignatures).values(**values))
            return self._answer(connection, row)

    def _enter(self, connection: Connection, id_: str, bearer: bytes) -> Registered:
        """Unknown, ended and wrong are one refusal. What is over comes down."""
        refusal = Rejected("unauthorized", "token is not accepted", status=401)
        row = store_mandate.find_mandate(connection, id_) if is_mandate_id(id_) else None
        if row is None or row.ended is not None or not row.token:
            raise refusal
        expected = b64u_decode(api.board_bearer(self._mandates.seed_of(connection, id_)))
        if not is_equal(bearer, expected) or not self._mandates.is_lawful(connection, row):
            raise refusal
        over = select(proposals.c.number).where(proposals.c.expires <= self._office.clock.now())
        connection.execute(delete(cosignatures).where(cosignatures.c.proposal.in_(over)))
        connection.execute(delete(proposals).where(proposals.c.expires <= self._office.clock.now()))
        return row

    def _answer(self, connection: Connection, row: Registered) -> api.BoardAnswer:
        query = select(proposals).where(proposals.c.mandate == row.id).order_by(proposals.c.number)
        return api.BoardAnswer(
            [
                api.BoardProposal(
                    one.number,
                    one.made,
                    one.expires,
                    convert(parse_json(one.body, max_bytes=_MAX_BODY), api.Proposal),
                    self._cosigned(connection, one.number),
                )
                for one in connection.execute(query).all()
            ]
        )

    def _cosigned(self, connection: Connection, number: int) -> list[api.Cosigned]:
        query = select(cosignatures).where(cosignatures.c.proposal == number).order_by(cosignatures.c.id)
        return [api.Cosigned(one.party, one.cosigned) for one in connection.execute(query)]
