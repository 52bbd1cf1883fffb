"""An issuer, an agency and a registrar, each as a `House`."""

import json
from contextlib import ExitStack
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from issuer.openapi import ISSUER
from protocol.canonical import parse_object, to_builtins
from protocol.consent import refresh_nonce
from protocol.credential_encryption import JWT_MEDIA_TYPE, encrypt_request, response_parameters
from protocol.direct_post import EncryptionKey, error_form
from protocol.wallet_attestation import sign_wallet_key
from registrar.openapi import REGISTRAR
from service.operations import FORM
from tests.issuer.desk import KARIM, NOOR, PRE_AUTHORIZED
from tests.issuer.login import LoginDesk, login_desk
from tests.openapi.acting import Acting
from tests.openapi.house import House, Make, Request
from tests.protocol import builders
from tests.protocol.builders import NOW
from tests.registrar.open_registrar import URL, USE, OpenRegistrar
from tests.verifier.agency import Wallet, copy_form
from tests.verifier.counting import Town, question_service
from tests.verifier.test_inbox import message, refreshed, rid_of
from verifier.openapi import AGENCY


class Counter:
    """An issuer with our persons, an OpenID provider, and a wallet in every state of the flows."""

    def __init__(self, desk: LoginDesk) -> None:
        self.desk, self.wallet = desk, desk.wallet()
        self.offer, _ = desk.office.offer(NOOR, ("persoon", "adres"))
        self.bearer = {"Authorization": f"Bearer {desk.token('persoon', 'adres')}"}
        self.tokens = self.wallet.tokens(scope="persoon adres")
        desk.office.hold(KARIM, "adres in onderzoek")
        token = self.tokens["access_token"]
        issued = self.wallet.post_credential(
            token, self.credential(iss=self.wallet.client_id), self.wallet.resource("/credential", token)
        )
        self.notification = {"notification_id": issued.json["notification_id"], "event": "credential_accepted"}

    def credential(self, **claims: str) -> dict[str, Any]:
        """The body of a credential request; `claims` of its proofs."""
        return {"credential_configuration_id": "adres", "proofs": {"jwt": self.desk.proofs(2, **claims)}}

    def encrypted(self) -> Request:
        """A credential request that nobody between reads, nor its answer."""
        known = self.desk.client.get("/.well-known/openid-credential-issuer").json
        key = known["credential_request_encryption"]["jwks"]["keys"][0]
        reply = response_parameters(builders.es256("reply").public, "A128GCM")
        body = {**self.credential(iss=self.wallet.client_id), "credential_response_encryption": reply}
        token = encrypt_request(json.dumps(body).encode(), EncryptionKey(key, "A128GCM"))
        headers = self.wallet.resource("/credential", self.tokens["access_token"])
        return Request(headers=headers, body=token.encode(), media_type=JWT_MEDIA_TYPE)

    def resource(self, path: str, body: dict[str, Any]) -> Request:
        """With the DPoP-bound token of a login."""
        return Request(headers=self.wallet.resource(path, self.tokens["access_token"]), body=body)

    def token(self, **form: str) -> Request:
        """A token request of the wallet."""
        return Request(headers=self.wallet.headers("/token"), body=form, media_type=FORM)

    def pre_authorized(self) -> Request:
        """An offer's code, without any client authentication."""
        code, tx_code = self.desk.offer("persoon")
        form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code, "tx_code": tx_code}
        return Request(body=form, media_type=FORM)

    def authorized(self) -> Request:
        """The code after a login."""
        form = {"redirect_uri": self.wallet.redirect_uri, "code_verifier": self.wallet.verifier}
        return self.token(grant_type="authorization_code", code=self.wallet.code(), **form)

    def refresh(self) -> Request:
        """The refresh token of a login."""
        return self.token(grant_type="refresh_token", refresh_token=self.wallet.tokens()["refresh_token"])

    def held(self) -> Request:
        """Who asks for a record that a clerk looks at first."""
        token = self.wallet.redeem(self.wallet.code(bsn=KARIM)).json["access_token"]
        body = {"credential_configuration_id": "persoon", "proofs": {"jwt": self.wallet.proofs(1)}}
        return Request(headers=self.wallet.resource("/credential", token), body=body)

    def deferred(self) -> Request:
        """The wallet comes back for what was held."""
        held = self.held()
        answer = self.desk.client.post("/credential", json=held.body, headers=held.headers)
        token = held.headers["Authorization"].removeprefix("DPoP ")
        headers = self.wallet.resource("/deferred-credential", token)
        return Request(headers=headers, body={"transaction_id": answer.json["transaction_id"]})

    def approved(self) -> Request:
        """The same once the clerk has looked."""
        request = self.deferred()
        for one in self.desk.office.waiting():
            self.desk.office.approve(one.offer_id)
        self.desk.office.hold(KARIM, "adres in onderzoek")
        return request

    def pushed(self) -> str:
        """A request URI."""
        return str(self.wallet.push().json["request_uri"])

    def authorize(self) -> Request:
        """The browser arrives with what was pushed."""
        return Request(query={"client_id": self.wallet.client_id, "request_uri": self.pushed()})

    def callback(self) -> Request:
        """The browser comes back from the provider."""
        there = self.desk.client.get("/authorize", query_string=self.authorize().query)
        back = urlsplit(self.wallet.log_in(there.headers["Location"]))
        cookies = {name: one.value for name, one in SimpleCookie(there.headers["Set-Cookie"]).items()}
        return Request(query=dict(parse_qsl(back.query)), cookies=cookies)


def issuer_house(folder: Path) -> House:
    """An issuer with and without login."""
    stack = ExitStack()
    found = Counter(stack.enter_context(login_desk(folder / "issuer")))
    wallet = found.wallet
    truths: dict[str, list[Make]] = {
        "getIssuerMetadata": [lambda: Request(headers={"Accept": "application/jwt"})],
        "getOffer": [lambda: Request({"offer_id": found.offer.id})],
        "postPushedAuthorizationRequest": [
            lambda: Request(headers=wallet.headers("/par"), body=wallet.form(), media_type=FORM)
        ],
        "getAuthorize": [found.authorize],
        "getLoginCallback": [found.callback],
        "postToken": [found.pre_authorized, found.authorized, found.refresh],
        "postCredential": [
            lambda: Request(headers=found.bearer, body=found.credential()),
            lambda: found.resource("/credential", found.credential(iss=wallet.client_id)),
            found.held,
            found.encrypted,
        ],
        "postDeferredCredential": [
            lambda: found.resource("/deferred-credential", {"transaction_id": "unknown"}),
            found.deferred,
            found.approved,
        ],
        "postNotification": [lambda: found.resource("/notification", found.notification)],
        "getStatusList": [lambda: Request({"number": 0}), lambda: Request({"number": 1})],
        **Acting(found.desk).truths,
    }
    return House("issuer", ISSUER, found.desk.client.application, truths, stack.close)


def registrar_house(folder: Path) -> House:
    """A registrar with two agencies."""
    registrar = OpenRegistrar(folder)
    registrar.add_second()
    registrar.sign()
    agency, service = {"identifier": builders.AGENCY_ID}, {"service": builders.SERVICE_ID}

    def proof() -> dict[str, str]:
        return {"proof": sign_wallet_key(builders.HOLDER, provider=URL, iat=NOW)}

    truths: dict[str, list[Make]] = {
        "getRegistrationCertificate": [lambda: Request({"use": USE})],
        "listRelyingParties": [lambda: Request(query=agency), lambda: Request(query={"limit": "1"})],
        "checkIntendedUse": [lambda: Request(query={**agency, "serviceidentifier": builders.SERVICE_ID})],
        "getRelyingParty": [lambda: Request(agency)],
        "getService": [lambda: Request({**agency, **service})],
        "attestWallet": [lambda: Request(body=proof())],
    }
    return House("registrar", REGISTRAR, registrar.app(), truths)


class Asking:
    """An agency that has asked, and the wallet that answers it."""

    def __init__(self, folder: Path) -> None:
        self.counting = Town(folder, question_service("yes_no"), builders.service())
        self.agency = self.counting.party
        self.wallet = Wallet(self.agency.clock, self.agency.log, trust=self.agency.trust)
        self.open = [self.agency.ask()[0], self.agency.ask(once=True)[0]]
        answered, link = self.agency.ask()
        self.granted = self.wallet.grant(self.wallet.open(self.agency, link))
        self.redirect = self.agency.post(answered, self.granted.form()).json["redirect_uri"]
        self.answered = answered

    def standing(self) -> Request:
        """A grant in answer to a request."""
        request_id, link = self.agency.ask()
        made = self.wallet.grant(self.wallet.open(self.agency, link))
        return Request({"request_id": request_id}, body=made.form(), media_type=FORM)

    def copy(self) -> Request:
        """A copy in answer to a request."""
        request_id, link = self.agency.ask(once=True)
        request = self.wallet.open(self.agency, link)
        return Request(
            {"request_id": request_id}, body=copy_form(request, self.wallet.show(request)), media_type=FORM
        )

    def start(self, **headers: str) -> Request:
        """A resident begins on the device of the wallet."""
        _, start = self.agency.ask(once=True, same_device=True)
        return Request({"start": start.rpartition("/")[2]}, headers=headers)

    def refusal(self) -> Request:
        """The wallet says no."""
        request_id, link = self.agency.ask()
        body = error_form(self.wallet.open(self.agency, link).state)
        return Request({"request_id": request_id}, body=body, media_type=FORM)

    def refresh(self) -> Request:
        """The next version of the grant, once the one before has ended."""
        at = {"grant_id": rid_of(self.granted)}
        self.granted = new = refreshed(self.wallet, self.granted)
        vp_token = new.vp_token(nonce=refresh_nonce(new.sealed.terms))
        return Request(at, body={"vp_token": vp_token, "regie_sealed": to_builtins(new.sealed)})

    def message(self) -> Request:
        """The resident asks for erasure."""
        return Request({"grant_id": rid_of(self.granted)}, body={"message": message(self.granted)})

    def question(self) -> Request:
        """A municipality asks, and nobody has asked before."""
        self.counting.answer()
        self.counting.asker.ask()
        return Request(body=parse_object(self.counting.asker.net.sent[-1]))

    def answered_question(self) -> Request:
        """It fetches what was answered."""
        asked = self.question()
        self.counting.answer()
        return asked


def agency_house(folder: Path) -> House:
    """An agency whose requests are open, answered and declined."""
    found = Asking(folder)

    def known(request_id: str) -> list[Make]:
        return [
            lambda: Request({"request_id": request_id}),
            lambda: Request({"request_id": request_id}, body={"wallet_nonce": "a nonce"}, media_type=FORM),
        ]

    requests = [make for request_id in (*found.open, found.answered) for make in known(request_id)]
    code = {"response_code": found.redirect.partition("=")[2]}
    truths: dict[str, list[Make]] = {
        "getRequestObject": requests[::2],
        "postRequestObject": requests,
        "postResponse": [found.standing, found.copy, found.refusal],
        "getAnswer": [lambda: Request({"request_id": found.answered}, code)],
        "getStart": [found.start],
        "beginSession": [found.start, partial(found.start, **{"Sec-Fetch-Site": "cross-site"})],
        "postToInbox": [found.refresh, found.message],
        "postCohortQuestion": [found.question, found.answered_question],
    }
    return House("agency", AGENCY, found.agency.app, truths)
