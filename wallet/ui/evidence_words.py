"""What each thing that a log cannot truly say means to a resident."""

from dataclasses import dataclass
from typing import Any

from service.ui.words import lazy as _l
from wallet.records import Evidence


@dataclass(frozen=True)
class EvidenceWords:
    """`title`: what the log did; `meaning`: why that cannot be."""

    title: Any
    meaning: Any


_WORDS = {
    "missing_event": EvidenceWords(
        _l("The log left something out"),
        _l("Every entry about your agreement has a number. One number is missing. So the log hides an entry."),
    ),
    "fewer_events": EvidenceWords(
        _l("The log shows less than before"),
        _l("Your wallet has seen entries that the log no longer shows. A log may never take anything back."),
    ),
    "hidden_event": EvidenceWords(
        _l("The log hides an entry"),
        _l("The public log holds an entry about your agreement. When your wallet asked, the log kept it back."),
    ),
    "read_after_stop": EvidenceWords(
        _l("Somebody looked after you stopped"),
        _l("The log let the organisation look at your data after your stop. It was not allowed to."),
    ),
    "bad_consistency": EvidenceWords(
        _l("The log has changed its past"),
        _l("What the log shows now does not continue what it showed before. A log may only grow."),
    ),
    "wrong_grant": EvidenceWords(
        _l("The log answered about another agreement"),
        _l("Your wallet asked about your agreement. The log signed an answer about another one."),
    ),
}
_ANY = EvidenceWords(
    _l("The log showed something that is not right"),
    _l("Your wallet checks every entry of the log. An entry does not fit your agreement, or its signature."),
)


def words_of(found: Evidence) -> EvidenceWords:
    """The words for what was found."""
    return _WORDS.get(found.code, _ANY)
