"""Residents who act for others, as the descriptions of an issuer's operations are asked."""

from collections.abc import Callable

from sqlalchemy import delete

from issuer.tables import invitations, mandates, proposals
from protocol import mandate_api as api
from protocol.canonical import b64u_decode, b64u_encode, convert, to_builtins
from protocol.cosign import cosign
from protocol.mandate import mandate_hash
from protocol.terms import Terms
from service.database import immediate
from tests.issuer.acting import DAY, FLOOR, MELATI, SERVICE, Resident, fetch, redeem, resident
from tests.issuer.desk import Desk
from tests.openapi.house import Make, Request
from tests.protocol import granting

CLIENT = "x509_san_dns:a"


class Acting:
    """Floor lets Melati help her."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.floor, self.melati = resident(desk, FLOOR), resident(desk, MELATI)
        self.floor.wish(self.melati.invite())
        self.taken = self.melati.taken(kind="helper")
        self.card, self.key = fetch(desk, redeem(desk, self.taken), "adres")
        self.bearer = {"Authorization": f"Bearer {api.board_bearer(b64u_decode(self.taken['seed']))}"}

    def ask(self, who: Resident, ask: Callable[[], api.Ask]) -> Make:
        """Signed anew each time."""
        return lambda: Request(body=to_builtins(who.signed(ask())))

    def invited(self) -> str:
        """A fresh invitation; those of before are gone, so that there is room."""
        with immediate(self.desk.office.engine) as connection:
            connection.execute(delete(invitations))
        return self.melati.invite()

    def wished(self) -> api.WishAsk:
        """A wish; earlier ones are gone, so that there is room."""
        with immediate(self.desk.office.engine) as connection:
            connection.execute(delete(mandates).where(mandates.c.id != self.taken["id"]))
        return api.WishAsk("", self.invited(), [SERVICE], self.desk.clock.now() + 30 * DAY)

    def invitation(self) -> api.InvitationAsk:
        """Room for one more."""
        self.invited()
        return api.InvitationAsk("")

    def ended(self) -> Request:
        """Of a mandate made for it."""
        wish = self.wished()
        id_ = self.floor.post("wishes", wish).json["id"]
        return Request({"mandate_id": id_}, body=to_builtins(self.melati.signed(api.EndAsk("", id_))))

    def proposed(self) -> Request:
        """Terms under the mandate, on an empty board."""
        with immediate(self.desk.office.engine) as connection:
            connection.execute(delete(proposals))
        behalf = b64u_encode(mandate_hash(self.taken["mandate"]))
        terms = granting.terms(on_behalf_of=behalf)
        made = api.Proposal(1, "https://a.example/r", CLIENT, terms, self.signed(terms))
        return Request({"mandate_id": self.taken["id"]}, headers=self.bearer, body=to_builtins(made))

    def signed(self, terms: Terms) -> str:
        """By Melati's card under the mandate."""
        jwt = self.card.partition("~")[0]
        return cosign(jwt, self.key, terms, client_id=CLIENT, now=self.desk.clock.now())

    def cosigned(self) -> Request:
        """Of the first proposal."""
        place = f"/v1/mandates/{self.taken['id']}/proposals"
        if not (hung := self.desk.client.get(place, headers=self.bearer).json["proposals"]):
            made = self.desk.client.post(place, json=self.proposed().body, headers=self.bearer)
            hung = made.json["proposals"]
        path = {"mandate_id": self.taken["id"], "number": hung[0]["number"]}
        terms = convert(hung[0]["proposal"]["terms"], Terms)
        return Request(path, headers=self.bearer, body={"party": 1, "cosigned": self.signed(terms)})

    @property
    def truths(self) -> dict[str, list[Make]]:
        """What is answered well."""
        reference = self.melati.one(kind="helper")["reference"]
        id_ = self.taken["id"]
        return {
            "postRepresentations": [self.ask(self.floor, lambda: api.RepresentationsAsk(""))],
            "postMandate": [self.ask(self.melati, lambda: api.MandateAsk("", reference))],
            "postInvitation": [self.ask(self.melati, self.invitation)],
            "postInvitationLookup": [self.ask(self.floor, lambda: api.InvitedAsk("", self.invited()))],
            "postWish": [self.ask(self.floor, self.wished)],
            "postMandateEnd": [self.ended],
            "getProposals": [lambda: Request({"mandate_id": id_}, headers=self.bearer)],
            "postProposal": [self.proposed],
            "postCosignature": [self.cosigned],
        }
