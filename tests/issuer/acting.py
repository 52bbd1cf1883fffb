"""People who act for others, beside the persons of the desk, and how they ask the issuer."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from werkzeug.test import TestResponse

from issuer.brp import Bsn
from protocol import mandate_api as api
from protocol.canonical import to_builtins
from protocol.key_binding import sign_key_binding
from protocol.key_proof import sign_key_proof
from protocol.keys import Es256Private
from protocol.mandate import MandateService
from tests.issuer.desk import NOOR, PERSONS, Desk

JELLE, TIJN, WENDE = Bsn("999101742"), Bsn("999103477"), Bsn("999105206")
"""Jelle and Noor are the parents of Tijn (17) and Wende (12)."""
FLOOR, MELATI, ABEBA = Bsn("999110408"), Bsn("999112132"), Bsn("999106934")
SERVICE = MandateService("00000001234567890000", "parkeren")
DAY = 86400


def record(bsn: Bsn, **members: Any) -> bytes:
    """Somebody's record of the desk's register with other members; None takes one away."""
    found = next(one for one in map(json.loads, PERSONS.open("rb")) if one["burgerservicenummer"] == bsn)
    changed = {**found, **members}
    return json.dumps({name: value for name, value in changed.items() if value is not None}).encode()


def date(text: str) -> dict[str, str]:
    """A full date of the BRP."""
    return {"type": "Datum", "datum": text}


def born(bsn: Bsn, text: str, **members: Any) -> bytes:
    """Somebody's record with another date of birth."""
    return record(bsn, geboorte={"datum": date(text)}, **members)


def relation(type_: str, child: Bsn, *parents: Bsn, **members: Any) -> dict[str, Any]:
    """A Gezagsrelatie of any kind."""
    people = [{"burgerservicenummer": bsn, "naam": {"volledigeNaam": "X"}} for bsn in parents]
    found: dict[str, Any] = {"type": type_, "minderjarige": {"burgerservicenummer": child}, **members}
    if type_ == "GezamenlijkOuderlijkGezag":
        return found | {"ouders": people}
    if type_ == "EenhoofdigOuderlijkGezag":
        return found | {"ouder": people[0]}
    if type_ == "Voogdij":
        return found | {"derden": [{"type": "BekendeDerde", **one} for one in people]}
    return found | {"toelichting": "geen toelichting"}


def take_in(desk: Desk, *lines: bytes) -> None:
    """The register says this from now on."""
    _, refused = desk.office.import_persons(lines)
    assert not refused


def make_young(desk: Desk, text: str = "2018-09-30") -> None:
    """Wende is born then; her parents stay her parents."""
    take_in(desk, born(WENDE, text))


@dataclass
class Resident:
    """Somebody with one copy of his own `persoon`, or of another card."""

    desk: Desk
    jwt: str
    key: Es256Private

    def signed(self, ask: Any, *, audience: str | None = None, nonce: str | None = None, **changes: Any) -> Any:
        """The ask with a presentation that binds it; `changes`: what the signature says instead."""
        presented = f"{self.jwt}~"
        said = {"consent": api.ask_digest(ask), "iat": self.desk.clock.now()} | changes
        kb_jwt = sign_key_binding(
            presented, self.key, audience=audience or self.desk.url, nonce=nonce or self.desk.nonce(), **said
        )
        return replace(ask, presentation=presented + kb_jwt)

    def post(self, path: str, ask: Any) -> TestResponse:
        """Signed, to /v1/`path`."""
        return self.desk.client.post(f"/v1/{path}", json=to_builtins(self.signed(ask)))

    def listed(self) -> list[dict[str, Any]]:
        """The representations."""
        answer = self.post("representations", api.RepresentationsAsk(""))
        assert answer.status_code == 200, answer.text
        return list(answer.json["representations"])

    def one(self, **members: Any) -> dict[str, Any]:
        """The one representation that has these members."""
        (found,) = [one for one in self.listed() if members.items() <= one.items()]
        return found

    def take(self, reference: str) -> TestResponse:
        """Register or join."""
        return self.post("mandates", api.MandateAsk("", reference))

    def taken(self, **members: Any) -> dict[str, Any]:
        """The mandate of the one representation that has these members."""
        answer = self.take(self.one(**members)["reference"])
        assert answer.status_code == 200, answer.text
        return dict(answer.json)

    def invite(self) -> str:
        """An invitation."""
        answer = self.post("invitations", api.InvitationAsk(""))
        assert answer.status_code == 200, answer.text
        return str(answer.json["invitation"])

    def wish(self, invitation: str, *, days: int = 30, **members: Any) -> TestResponse:
        """A wish for one service."""
        until = members.pop("until", self.desk.clock.now() + days * DAY)
        services: Sequence[MandateService] = members.pop("services", [SERVICE])
        return self.post("wishes", api.WishAsk("", invitation, list(services), until, **members))

    def end(self, id_: str) -> TestResponse:
        """End a mandate."""
        return self.post(f"mandates/{id_}/ends", api.EndAsk("", id_))


def resident(desk: Desk, bsn: Bsn = NOOR, name: str = "persoon") -> Resident:
    """Somebody who has fetched a card of his own."""
    return holding(desk, desk.token(name, bsn=bsn), name)


def holding(desk: Desk, token: str, name: str) -> Resident:
    """Who fetches one copy with this token."""
    texts, key = fetch(desk, token, name)
    return Resident(desk, texts.partition("~")[0], key)


def fetch(desk: Desk, token: str, name: str) -> tuple[str, Es256Private]:
    """One copy, `JWT~D..~`, and its key."""
    key = Es256Private.from_secret(secrets.token_bytes(48))
    proof = sign_key_proof(key, audience=desk.url, nonce=desk.nonce(), iat=desk.clock.now())
    answer = desk.post_credential(token, name, [proof])
    assert answer.status_code == 200, answer.text
    return str(answer.json["credentials"][0]["credential"]), key


def redeem(desk: Desk, mandate: dict[str, Any]) -> str:
    """The access token for the offer of a mandate."""
    place = mandate["offer"].rpartition("%2F")[2]
    offer = desk.client.get(f"/offers/{place}").json
    code = offer["grants"]["urn:ietf:params:oauth:grant-type:pre-authorized_code"]["pre-authorized_code"]
    answer = desk.post_token(code, mandate["tx_code"])
    assert answer.status_code == 200, answer.text
    return str(answer.json["access_token"])
