"""What a resident may ask of who has their data, and how it is answered (GDPR 15 to 17, protocol section 9).

Each right has a kind of message in which it is asked, one that says it has come in, one that says it was done and
one that refuses. A refusal names the law under which (GDPR article 12.4, UAVG article 41).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

MessageKind: TypeAlias = Literal[
    "erasure_asked",
    "erasure_acknowledged",
    "erased",
    "kept",
    "access_asked",
    "access_acknowledged",
    "access_answered",
    "access_refused",
    "rectification_asked",
    "rectification_acknowledged",
    "rectified",
    "rectification_refused",
    "complaint",
]
Right: TypeAlias = Literal["erasure", "access", "rectification"]


@dataclass(frozen=True)
class RightKinds:
    """The kinds of message about one right; `article` of the GDPR."""

    article: int
    asked: MessageKind
    acknowledged: MessageKind
    done: MessageKind
    refused: MessageKind

    @property
    def final(self) -> tuple[MessageKind, MessageKind]:
        """What ends the clock."""
        return self.done, self.refused


RIGHTS: Mapping[Right, RightKinds] = {
    "erasure": RightKinds(17, "erasure_asked", "erasure_acknowledged", "erased", "kept"),
    "access": RightKinds(15, "access_asked", "access_acknowledged", "access_answered", "access_refused"),
    "rectification": RightKinds(
        16, "rectification_asked", "rectification_acknowledged", "rectified", "rectification_refused"
    ),
}
RESIDENT_KINDS: frozenset[MessageKind] = frozenset({*(kinds.asked for kinds in RIGHTS.values()), "complaint"})
REFUSALS: frozenset[MessageKind] = frozenset(kinds.refused for kinds in RIGHTS.values())
"""They name a law; `kept` also until when."""
_RIGHT_OF: Mapping[str, Right] = {
    kind: right
    for right, kinds in RIGHTS.items()
    for kind in (kinds.asked, kinds.acknowledged, kinds.done, kinds.refused)
}


def right_of(kind: str) -> Right | None:
    """Which right a message is about; None for a complaint."""
    return _RIGHT_OF.get(kind)
