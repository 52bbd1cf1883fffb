"""The board of a mandate: a grant that several sign is proposed, read and signed there (protocol section 10).

Who shows the bearer holds the mandate's seed, and may read. Who hangs something there signs the terms with a card
of his own under the mandate, so that nobody who has only the seed, as a thief of one phone has after its cards
were taken back, can fill the board or sign in the name of others. The office keeps what hangs there for an hour.
"""

import msgspec
from sqlalchemy import Connection, delete, insert, select

from issuer import store_mandate
from issuer.mandate import Registered
from issuer.mandate_books import is_mandate_id
from issuer.mandate_caller import verify_signer
from issuer.mandates import Mandates
from issuer.office import Office
from issuer.tables import cosignatures, proposals
from protocol import mandate_api as api
from protocol.canonical import b64u_decode, b64u_encode, convert, is_equal, parse_json
from protocol.errors import Rejected
from protocol.mandate import mandate_hash
from protocol.terms import check_terms
from service.database import immediate

BOARD_BYTES = api.MAX_MANDATE_ANSWER - 64 * 1024
"""Of all that hangs on a board, so that it and what stands around it is an answer that wallets take. Each signing
party has its own share."""
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
        """1. the bearer; 2. who may sign; 3. terms of good form that name this mandate; 4. signed by a card of
        that party; 5. room in the share of that party.

        Raises `Rejected`: `unauthorized` 401, `bad_proposal`, `bad_terms`, `flags_missing`, `bad_signature`,
        `too_many` 409.
        """
        check_terms(proposal.terms)
        with immediate(self._office.engine) as connection:
            row = self._enter(connection, id_, bearer)  # 1
            if not row.signs(proposal.party):  # 2
                raise Rejected("bad_proposal", "this party signs nothing under the mandate")
            if proposal.terms.on_behalf_of != b64u_encode(mandate_hash(row.token)):  # 3
                raise Rejected("bad_proposal", "the terms name another mandate")
            self._check_signed(connection, row, proposal.party, proposal.signed, proposal)  # 4
            body = msgspec.json.encode(proposal).decode()
            if any(_is_same(one.proposal, proposal) for one in self._answer(connection, row).proposals):
                return self._answer(connection, row)
            self._check_room(connection, row, proposal.party, len(body.encode()), is_proposal=True)  # 5
            now = self._office.clock.now()
            values = {"mandate": id_, "body": body, "made": now, "expires": now + api.PROPOSAL_SECONDS}
            connection.execute(insert(proposals).values(**values))
            return self._answer(connection, row)

    def cosign(self, id_: str, number: int, bearer: bytes, cosigned: api.Cosigned) -> api.BoardAnswer:
        """Another party agrees: the newest signature of each, by a card that counts. Proposer and agency verify it
        again.

        Raises `Rejected`: `unauthorized` 401, `unknown_proposal` 404, `bad_proposal`, `bad_signature`, `too_many`
        409.
        """
        with immediate(self._office.engine) as connection:
            row = self._enter(connection, id_, bearer)
            known = select(proposals.c.body).where(proposals.c.mandate == id_, proposals.c.number == number)
            body: str | None = connection.execute(known).scalar()
            if body is None:
                raise Rejected("unknown_proposal", "this proposal does not hang there any more", status=404)
            if not row.signs(cosigned.party):
                raise Rejected("bad_proposal", "this party signs nothing under the mandate")
            if cosigned in self._cosigned(connection, number):
                return self._answer(connection, row)
            self._check_signed(connection, row, cosigned.party, cosigned.cosigned, _proposal(body))
            mine = (cosignatures.c.proposal == number, cosignatures.c.party == cosigned.party)
            connection.execute(delete(cosignatures).where(*mine))
            self._check_room(connection, row, cosigned.party, len(cosigned.cosigned))
            values = {"proposal": number, "party": cosigned.party, "cosigned": cosigned.cosigned}
            connection.execute(insert(cosignatures).values(**values))
            return self._answer(connection, row)

    def _check_signed(
        self, connection: Connection, row: Registered, party: int, shown: str, proposal: api.Proposal
    ) -> None:
        """Raises `Rejected`: `bad_signature`."""
        signer = self._office.signer
        found = verify_signer(
            shown,
            proposal.terms,
            proposal.client_id,
            issuer=signer.issuer,
            key=signer.key.public,
            now=self._office.clock.now(),
        )
        if store_mandate.party_of(connection, found.list_number, found.index) != (row.id, party):
            raise Rejected("bad_signature", "the card is of another party, or was taken back")

    def _check_room(
        self, connection: Connection, row: Registered, party: int, size: int, *, is_proposal: bool = False
    ) -> None:
        """Each party that signs has its own share of the board. Raises `Rejected`: `too_many` 409."""
        sharing = len({one for group in row.signers for one in group})
        hung = self._answer(connection, row).proposals
        own = [one.proposal for one in hung if one.proposal.party == party]
        signed = [each.cosigned for one in hung for each in one.cosigned if each.party == party]
        used = size + sum(len(msgspec.json.encode(one)) for one in own) + sum(map(len, signed))
        is_full = is_proposal and len(own) >= api.MAX_PROPOSALS // sharing
        if is_full or used > BOARD_BYTES // sharing:
            raise Rejected("too_many", "you have enough on the board; it comes down after an hour", status=409)

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
                    _proposal(one.body),
                    self._cosigned(connection, one.number),
                )
                for one in connection.execute(query).all()
            ]
        )

    def _cosigned(self, connection: Connection, number: int) -> list[api.Cosigned]:
        query = select(cosignatures).where(cosignatures.c.proposal == number).order_by(cosignatures.c.id)
        return [api.Cosigned(one.party, one.cosigned) for one in connection.execute(query)]


def _proposal(body: str) -> api.Proposal:
    return convert(parse_json(body, max_bytes=_MAX_BODY), api.Proposal)


def _is_same(one: api.Proposal, other: api.Proposal) -> bool:
    """Whether a party proposes again what hangs there: the answer was lost."""
    return (one.party, one.terms, one.client_id) == (other.party, other.terms, other.client_id)
