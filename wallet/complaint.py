"""A complaint for the supervisor, with a file that a program can read (EUDI TS8, GDPR article 77). Pure.

The file holds what was asked and by whom, as an excerpt of the transaction log of TS10, the request that the asker
signed, and what the log showed that cannot be. It holds names of attributes and no value, and nothing by which
somebody could look back or stop (no code, no view key, no tag_key).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from protocol.names import visible
from protocol.reading import one_month_after, parse_message
from protocol.rights import RIGHTS, right_of
from wallet.asker_facts import AskerFacts, asker_facts
from wallet.authority import Authority
from wallet.records import Activity, Evidence, GrantRecord, OutgoingMessage

FORMAT = "regie-complaint/v1"
Reason: TypeAlias = Literal[
    "asks_too_much", "suspicious", "no_answer", "not_erased", "looked_without_reason", "log_lies"
]
REASONS: tuple[Reason, ...] = get_args(Reason)
"""Why somebody complains; a closed list, so that the file holds nothing that nobody meant to tell."""


@dataclass(frozen=True)
class Complaint:
    """`file`: the evidence as plain JSON values; `party`: who it is about, as registered."""

    authority: Authority
    party: str
    reason: Reason
    file: dict[str, Any]

    @property
    def body(self) -> bytes:
        """The file as it is handed over."""
        return msgspec.json.format(msgspec.json.encode(self.file), indent=1)


def complaint_of(
    subject: GrantRecord | Activity,
    transaction: dict[str, Any],
    reason: Reason,
    messages: Sequence[OutgoingMessage],
    evidence: Sequence[Evidence],
    now: int,
) -> Complaint:
    """About an agreement, a copy, or a request that was refused; `messages` and `evidence` of the agreement."""
    name = visible(subject.agency.name if isinstance(subject, GrantRecord) else subject.agency_name)
    facts = asker_facts(subject.request)
    file: dict[str, Any] = {
        "format": FORMAT,
        "madeAt": _date_time(now),
        "reason": reason,
        "dpaReport": {
            "dpaName": {"lang": "nl", "content": facts.authority.name},
            "dpaCountry": {"lang": "nl", "content": facts.authority.country},
        },
        "dpaContact": facts.authority.contacts,
        "party": _party(name, facts),
        "transaction": transaction,
        "request": subject.request or None,
        "rightsExercised": [_asked(sent) for sent in messages if _is_right(sent)],
        "logEvidence": [msgspec.to_builtins(each) for each in evidence],
    }
    if isinstance(subject, GrantRecord):
        file["logEntry"] = {"log": subject.body.terms.log, "slot": subject.slot, "index": subject.index}
    return Complaint(facts.authority, name, reason, file)


def _party(name: str, facts: AskerFacts) -> dict[str, Any]:
    return {
        "commonName": name,
        "registeredIdentifier": facts.identifier,
        "country": facts.country,
        "supportURI": facts.support,
        "registryURI": facts.registry,
        "isPublicBody": facts.public_body,
    }


def _is_right(sent: OutgoingMessage) -> bool:
    return right_of(parse_message(sent.token).kind) is not None


def _asked(sent: OutgoingMessage) -> dict[str, Any]:
    """A request of a right as the resident signed it: its time and signature prove when the month began."""
    said = parse_message(sent.token)
    right = right_of(said.kind)
    return {
        "right": right,
        "article": RIGHTS[right].article if right else None,
        "askedAt": _date_time(said.iat),
        "due": _date_time(one_month_after(said.iat)),
        "received": sent.at_agency,
        "inLog": sent.at_log,
        "message": sent.token,
    }


def _date_time(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
