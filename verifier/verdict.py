"""The verdict on an answer: every step that was taken, in words, and the one that stopped it (pure).

It names steps, codes and the ids of credential queries, which are the agency's own words: nothing of what a
resident shared, so that it may be kept, logged and shown to whoever asks why an answer was refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from protocol.errors import Rejected

Outcome: TypeAlias = Literal["passed", "failed", "undetermined", "not_reached"]
MAX_STEPS = 512
"""Of one verdict: 16 presentations of 14 steps and a dozen of the whole answer come to less."""


@dataclass(frozen=True)
class Words:
    """What a step establishes, and where that is laid down."""

    nl: str
    en: str
    clause: str


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """`credential`: the id of a credential query, `.2` and on for further presentations; `code`: why it failed.

    `undetermined`: nobody could tell; a later step says whether the service goes on without knowing.
    """

    name: str
    outcome: Outcome
    credential: str | None = None
    code: str | None = None


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """`code` of the refusal when it was not accepted."""

    accepted: bool
    steps: list[Step]
    code: str | None = None


WORDS: Mapping[str, Words] = {
    "form": Words(
        "Het antwoord heeft de gevraagde vorm", "The answer has the form that was asked for",
        "OpenID4VP 1.0 sections 8.2, 8.3.1",
    ),
    "request_open": Words(
        "De vraag staat nog open en is niet verlopen", "The request is still open and has not expired",
        "OpenID4VP 1.0 section 14.1",
    ),
    "answers_request": Words(
        "Het antwoord hoort bij deze vraag: sleutel en state kloppen",
        "The answer belongs to this request: key and state are right", "OpenID4VP 1.0 sections 8.3, 5.3",
    ),
    "wallet_agrees": Words(
        "De wallet deelt wat gevraagd is", "The wallet shares what was asked", "OpenID4VP 1.0 section 8.5",
    ),
    "presentations": Words(
        "Er zijn zoveel kaarten getoond als gevraagd", "As many cards were shown as were asked",
        "OpenID4VP 1.0 sections 6.1, 8.1",
    ),
    "credential_form": Words(
        "De kaart is leesbaar en van een vorm die wij aannemen", "The card can be read and has a form we take",
        "RFC 9901 section 4, SD-JWT VC section 2.2",
    ),
    "key_binding": Words(
        "De houder heeft getekend", "The holder has signed", "RFC 9901 sections 7.3, 9.5",
    ),
    "issuer_known": Words(
        "De uitgever staat op de vertrouwenslijst of is een anker van dit huis",
        "The issuer is on the trust list, or an anchor of this home", "SD-JWT VC section 2.5",
    ),
    "issuer_may_issue": Words(
        "De uitgever mag kaarten van dit soort uitgeven", "The issuer may issue cards of this type",
        "protocol.md section 5",
    ),
    "issuer_certificate": Words(
        "Het certificaat leidt naar een wortel van de uitgever en noemt hem",
        "The certificate leads to a root of the issuer and names it", "HAIP 1.0 section 6.1.1",
    ),
    "issuer_signature": Words(
        "De uitgever heeft de kaart getekend", "The issuer has signed the card", "RFC 9901 section 7.1",
    ),
    "credential_dates": Words(
        "De kaart is geldig op dit moment", "The card is valid at this time", "SD-JWT VC section 2.2.2",
    ),
    "holder_signature": Words(
        "De houder tekende met de sleutel van de kaart", "The holder signed with the key of the card",
        "RFC 9901 section 7.3",
    ),
    "sd_hash": Words(
        "De handtekening van de houder gaat over precies wat getoond is",
        "The holder's signature covers exactly what was shown", "RFC 9901 section 4.3.1",
    ),
    "audience": Words(
        "De houder tekende voor deze organisatie", "The holder signed for this organisation",
        "OpenID4VP 1.0 appendix B.3.6",
    ),
    "nonce": Words(
        "De houder tekende voor deze vraag", "The holder signed for this request", "OpenID4VP 1.0 section 14.1",
    ),
    "binding_time": Words(
        "De houder tekende zojuist", "The holder signed just now", "RFC 9901 section 7.3",
    ),
    "disclosures": Words(
        "Alles wat getoond is hoort bij de kaart", "All that was shown belongs to the card",
        "RFC 9901 section 7.1",
    ),
    "own_data": Words(
        "De kaarten gaan over wie ze toont", "The cards are about who shows them", "protocol.md section 10",
    ),
    "mandate": Words(
        "Wie tekende mag dit namens de inwoner toestaan", "Who signed may grant this on behalf of the resident",
        "protocol.md section 10",
    ),
    "one_person": Words(
        "De kaarten zijn van een en dezelfde persoon", "The cards are of one and the same person",
        "protocol.md section 2",
    ),
    "query": Words(
        "Wat getoond is beantwoordt de vraag; de rest is weggegooid",
        "What was shown answers the query; the rest was dropped", "OpenID4VP 1.0 sections 6, 8.6",
    ),
    "transaction": Words(
        "De houder tekende de transacties die gevraagd zijn", "The holder signed the transactions that were asked",
        "OpenID4VP 1.0 section 8.4",
    ),
    "terms": Words(
        "De voorwaarden beantwoorden deze vraag", "The terms answer this request", "protocol.md section 4",
    ),
    "grant": Words(
        "Toestemming, ontvangstbewijs en handtekeningen kloppen", "Consent, receipt and signatures are right",
        "protocol.md sections 4, 8.4",
    ),
    "status": Words(
        "De uitgever heeft de kaart niet teruggenomen", "The issuer has not revoked the card",
        "Token Status List section 8.3",
    ),
    "current": Words(
        "Het register heeft de gegevens van deze kaart niet veranderd",
        "The register has not changed the data of this card", "protocol.md section 9",
    ),
    "status_decision": Words(
        "De dienst gaat door met wat over de status bekend is",
        "The service goes on with what is known of the status", "config.json, accept_undetermined",
    ),
    "standing": Words(
        "De toestemming staat nu in het logboek", "The grant stands in the log now", "protocol.md section 6",
    ),
    "return": Words(
        "De wallet keerde terug in de sessie die de vraag begon",
        "The wallet came back to the session that began the request", "HAIP 1.0 section 5.1",
    ),
}  # fmt: skip
"""Each step in both languages."""

PRESENTATION_STEPS = (
    "credential_form", "key_binding", "issuer_known", "issuer_may_issue", "issuer_certificate", "issuer_signature",
    "credential_dates", "holder_signature", "sd_hash", "audience", "nonce", "binding_time", "disclosures",
)  # fmt: skip
"""Of each presentation of a copy, in the order in which they are taken."""
_BEFORE = ("form", "request_open", "answers_request")
STEPS: Mapping[str, Sequence[str]] = {
    "copy": (
        *_BEFORE, "presentations", *PRESENTATION_STEPS, "own_data", "one_person", "query", "transaction",
        "status", "status_decision",
    ),
    "standing": (*_BEFORE, "terms", "grant", "status", "status_decision", "standing"),
}  # fmt: skip
"""By kind of request."""


class Trace:
    """Notes each step as it is taken; one for each answer, used by one thread."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def note(self, name: str, outcome: Outcome, credential: str | None = None, code: str | None = None) -> None:
        """A step whose outcome is known. Raises `ValueError` for one that has no words."""
        if name not in WORDS:
            raise ValueError("a step of a verdict has words")
        self.steps.append(Step(name, outcome, credential, code))

    @contextmanager
    def step(self, name: str, credential: str | None = None) -> Iterator[None]:
        """Passed, or failed with the code of the `Rejected` that goes on its way."""
        try:
            yield
        except Rejected as error:
            self.note(name, "failed", credential, error.code)
            raise
        self.note(name, "passed", credential)

    def presentation(self, credential: str, failed: str | None = None, code: str | None = None) -> None:
        """The steps of one presentation, in order: all passed, or until the one that failed."""
        for name in PRESENTATION_STEPS:
            if name == failed:
                self.note(name, "failed", credential, code)
                return
            self.note(name, "passed", credential)

    def verdict(self, kind: str, code: str | None = None) -> Verdict:
        """What was done, and by name what was not reached."""
        taken = {step.name for step in self.steps}
        missing = [Step(name, "not_reached") for name in STEPS[kind] if name not in taken]
        return Verdict(code is None, [*self.steps, *missing][:MAX_STEPS], code)
