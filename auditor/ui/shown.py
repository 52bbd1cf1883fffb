"""The file of an agreement as a page shows it: who, what, until when, each entry with what proves it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from auditor.case import CaseEvent, CaseFile
from auditor.ui.figures import ServiceKey
from protocol.attributes import FLAG_NAMES
from protocol.leaf import parse_leaf
from protocol.terms import Terms
from protocol.trust_list import Service, Words

NameOf = Callable[[str, str], str]
"""`name_of(vct, name)`."""
State = Literal["running", "stopped", "erased"]


@dataclass(frozen=True)
class ShownEvent:
    """An entry and its steps of proof: it stands in the signed tree; what it opens to is what it stands for; its
    parties signed it. `signed` is None where an entry bears no signature.
    """

    event: CaseEvent
    leaf: str
    hashes: int
    is_opened: bool
    is_fitting: bool
    is_signed: bool | None
    is_misnumbered: bool
    names: str


@dataclass(frozen=True)
class ShownCase:
    """`name` and `purpose` as registered, where the service is listed; `agency` is an OIN; `data`: names."""

    slot: int
    state: State
    agency: str
    name: Words | None
    purpose: Words | None
    law: str
    terms: Terms | None
    data: str
    events: tuple[ShownEvent, ...]
    reads: int
    refusals: int
    findings: int
    is_whole: bool
    size: int
    origin: str


def show_case(case: CaseFile, listed: Mapping[ServiceKey, Service], name_of: NameOf) -> ShownCase:
    """What the page shows of `case`; `listed`: services of the trust list; `name_of`: words of an attribute."""
    terms = case.terms
    key = None if terms is None else (terms.recipient, terms.service, terms.service_version)
    service = listed.get(key) if key is not None else None
    state: State = "stopped" if case.stop is not None else "running" if terms is not None else "erased"
    granted = [event for event in case.events if event.kind in ("grant", "refresh")]
    return ShownCase(
        case.slot,
        state,
        "" if terms is None else terms.recipient,
        service.name if service else None,
        service.purpose if service else None,
        (service.law or "") if service else "",
        terms,
        _names(granted[-1], name_of) if granted else "",
        tuple(_event(event, name_of) for event in case.events),
        sum(event.kind == "read" for event in case.events),
        sum(event.kind == "refusal" for event in case.events),
        len(case.findings),
        case.is_whole,
        case.checkpoint.size,
        case.checkpoint.origin,
    )


def _event(event: CaseEvent, name_of: NameOf) -> ShownEvent:
    codes = {finding.code for finding in event.findings}
    leaf = event.proof.leaf_bytes()
    signed = None
    if event.kind in ("read", "refusal") and event.read is not None:
        signed = "read_not_by_recipient" not in codes
    return ShownEvent(
        event,
        parse_leaf(leaf).to_bytes().hex(),
        len(event.proof.proof()),
        event.opening is not None,
        event.opening is not None and "bad_opening" not in codes,
        signed,
        bool(codes & {"gap_in_n", "wrong_tag"}),
        _names(event, name_of),
    )


def _names(event: CaseEvent, name_of: NameOf) -> str:
    return ", ".join(name_of(vct, name) for vct, name in event.attributes if name not in FLAG_NAMES)
