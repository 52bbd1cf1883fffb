"""What stands on the paper of an agreement, and on the page after it was made. Pure."""

from dataclasses import dataclass

from protocol.names import visible
from protocol.terms import places_of
from wallet.records import GrantRecord
from wallet.state import State, state_of
from wallet.ui.names import card_label, is_flag, label, purpose, service_name


@dataclass(frozen=True)
class Paper:
    """`data`: labels by card; `code`: ten groups of four digits; `qr`: what its QR says. Times in POSIX seconds.

    `reads`: looks at most, None for any; `has_flags`: warnings of the register went along.
    """

    number: str
    organisation: str
    oin: str
    service: str
    purpose: str
    basis: str
    law: str | None
    data: tuple[tuple[str, tuple[str, ...]], ...]
    has_flags: bool
    made: int
    until: int
    reads: int | None
    retention: str
    mode: str
    privacy_policy: str | None
    contact: str
    state: State
    code: str
    qr: str

    @property
    def groups(self) -> list[str]:
        """The code in groups of digits."""
        return self.code.split(" ")


def view_paper(number: str, record: GrantRecord, code: str, qr: str, now: int, language: str) -> Paper:
    """Of a grant, in the language of the page."""
    terms, about = record.body.terms, record.about
    by_card: dict[str, list[str]] = {}
    for place in places_of(terms):
        if not is_flag(f"{place.vct}.{place.name}"):
            by_card.setdefault(card_label(place.vct, "", language), []).append(
                label(place.vct, (place.name,), language)
            )
    return Paper(
        number=number,
        organisation=visible(record.agency.name),
        oin=record.agency.id,
        service=service_name(record, language),
        purpose=purpose(record, language),
        basis=terms.basis,
        law=visible(about.law) if about and about.law else None,
        data=tuple((card, tuple(labels)) for card, labels in by_card.items()),
        has_flags=sum(map(len, by_card.values())) < len(terms.claims),
        made=record.made_at,
        until=terms.not_after,
        reads=terms.max_reads,
        retention=terms.retention,
        mode=terms.mode,
        privacy_policy=about.privacy_policy if about else None,
        contact=visible(record.agency.erasure_contact),
        state=state_of(record, now),
        code=code,
        qr=qr,
    )
