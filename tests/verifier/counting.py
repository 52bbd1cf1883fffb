"""A counting party, the municipality that may ask it one question, and residents who granted that.

Import as `from tests.verifier.counting import Town`. The party is the `Agency` of `tests.verifier.agency`; the
municipality has a home and certificates of its own and reaches the party's web edge in place of the network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from protocol.errors import Rejected, Unavailable
from protocol.service_law import Condition
from protocol.trust_list import ServiceClaim, TrustList
from service.certificates import ROOT, SIGNING, SIGNING_KEY
from service.fetch import Answer, Fetcher
from service.home import Home
from tests.protocol import builders
from tests.protocol.builders import ADRES, AGENCY_ID, LOG_ORIGIN
from tests.verifier.agency import URL, Agency, Granted, Wallet
from verifier.cohort import Finished, Progress, answer_question
from verifier.cohort_asking import Told, ask_cohort, fetch_answer
from verifier.cohort_store import CohortStore
from verifier.config import VerifierConfig
from verifier.desk import Desk, Parts
from verifier.signing import COPIES_KEY

ASKER = builders.party("municipality", san_dns="vraag.voorbeeld.example")
ASKER_ID = "00000099000000002000"
OTHER = builders.party("somebody else", san_dns="anders.voorbeeld.example")
OTHER_ID = "00000099000000003000"
SERVICE = "vroeghulp"
"""Early help with debts: is the house number at least 10? An attribute that the small world has."""


def question_service(answers: str, **changes: Any) -> Any:
    """The service of the counting party."""
    members: dict[str, Any] = {
        "id": SERVICE,
        "claims": [
            ServiceClaim(vct=ADRES, path=["huisnummer"], needed=True),
            *(ServiceClaim(vct=ADRES, path=[flag], needed=True) for flag in builders.flags(ADRES)),
        ],
        "mode": "view",
        "retention": "P0D",
        "answers": answers,
        "question": [Condition(vct=ADRES, path=["huisnummer"], op="at_least", value=10)],
        "asked_by": ASKER_ID,
    }
    return builders.service(**{**members, **changes})


def trust_of(*services: Any) -> TrustList:
    """The counting party with these services, the municipality, and an agency that has nothing to do with it."""
    return builders.trust_list(
        agencies=[
            builders.agency(services=list(services)),
            builders.agency(id=ASKER_ID, name="Gemeente Vraag", roots=ASKER.roots, services=[]),
            builders.agency(id=OTHER_ID, name="Dienst Anders", roots=OTHER.roots, services=[]),
        ]
    )


class ToParty(Fetcher):
    """What the municipality reaches: the counting party's web edge."""

    def __init__(self, party: Agency) -> None:
        super().__init__(loopback=False)
        self.party = party
        self.sent: list[bytes] = []
        self.got: list[bytes] = []
        self.down = False

    def request(self, method: str, url: str, *, body: bytes | None = None, **options: Any) -> Answer:
        if self.down or not url.startswith(URL):
            raise Unavailable("unreachable", "no such host")
        self.sent.append(body or b"")
        answer = self.party.web.post(urlsplit(url).path, data=body, content_type="application/json")
        self.got.append(answer.data)
        if answer.status_code >= 400:
            raise Rejected(answer.json["code"], answer.json["detail"], status=answer.status_code)
        return Answer(answer.status_code, {"content-type": "application/json"}, answer.data)


@dataclass
class Municipality:
    """A home of the asker, or of somebody else who would like to be."""

    path: Path
    party: Agency
    oin: str = ASKER_ID
    keys: builders.Party = ASKER

    def __post_init__(self) -> None:
        self.home = Home(self.path).create()
        self.home.write_secret(SIGNING_KEY, self.keys.key.to_pem())
        self.home.write_public(SIGNING, self.keys.leaf)
        self.home.write_public(ROOT, self.keys.root)
        self.home.write_secret(COPIES_KEY, bytes(32))
        self.home.write_config(
            VerifierConfig(
                role="verifier",
                url="https://vraag.voorbeeld.example",
                oin=self.oin,
                name="Gemeente Vraag",
                log=LOG_ORIGIN,
                trust_list=str(self.party.path / "trust-list.jwt"),
                registrar=builders.REGISTRAR.public.jwk(),
            )
        )
        self.net = ToParty(self.party)
        self.desk = Desk(self.home, Parts(self.party.clock, self.net, builders.random_of(f"asker {self.oin}")))
        self.store = CohortStore(self.home)

    def ask(self) -> Told:
        """The question, sent."""
        return ask_cohort(self.desk, self.store, AGENCY_ID, URL, SERVICE)

    def fetch(self, question: str) -> Told:
        """The answer, if there is one."""
        return fetch_answer(self.desk, self.store, question)


class Town:
    """The party with services of `answers`, the municipality, and as many residents as come."""

    def __init__(self, path: Path, *services: Any, **config: Any) -> None:
        path.mkdir(exist_ok=True)
        self.party = Agency(path, trust=trust_of(*services), **config)
        self.asker = Municipality(path / "asker", self.party)
        self.store = CohortStore(self.party.home)

    def resident(self, name: str, **changes: Any) -> tuple[str, Granted]:
        """Somebody with cards of their own, who grants the question; `changes` are attributes."""
        wallet = Wallet(self.party.clock, self.party.log, trust=self.party.trust, name=name, set_name=name)
        wallet.cards[ADRES] = builders.credential(
            holder=wallet.keys[ADRES].public,
            set_id=builders.set_id(name),
            attributes=builders.attributes_of(ADRES, **changes),
        )
        return self.grant(wallet)

    def grant(self, wallet: Wallet) -> tuple[str, Granted]:
        """One more agreement of a wallet."""
        rid, link = self.party.ask(service=SERVICE)
        made = wallet.grant(wallet.open(self.party, link))
        response = self.party.post(rid, made.form())
        assert response.status_code == 200, response.text
        return rid, made

    def answer(
        self,
        noise: Any = lambda count, epsilon: count,
        told: Callable[[Progress], None] = lambda step: None,
    ) -> list[Finished]:
        """The counting party at work; without noise unless the test brings it."""
        waiting = [taken for taken in self.store.questions() if taken.answered is None]
        return [answer_question(self.party.desk, self.store, taken, noise, told) for taken in waiting]
