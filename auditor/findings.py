"""What an auditor says: three verdicts, never one, and the findings behind them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["integrity", "completeness", "policy"]
KINDS: tuple[Kind, ...] = ("integrity", "completeness", "policy")
State: TypeAlias = Literal["ok", "failed", "not_checked"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: which verdict it breaks, a stable code, a sentence, and the leaf if there is
    one.
    """

    kind: Kind
    code: str
    text: str
    index: int | None = None


@dataclass(frozen=True)
class Verdict:
    """*Integrity*: nothing moved or forged. *Completeness*: nothing missing. *Policy*: every read was allowed."""

    size: int
    root: bytes
    checked: frozenset[Kind]
    findings: tuple[Finding, ...]

    def state(self, kind: Kind) -> State:
        """One of the three verdicts."""
        if any(finding.kind == kind for finding in self.findings):
            return "failed"
        return "ok" if kind in self.checked else "not_checked"

    @property
    def is_clean(self) -> bool:
        """Whether nothing that was checked is wrong."""
        return not self.findings

    def with_findings(self, findings: Iterable[Finding], *checked: Kind) -> "Verdict":
        """This verdict after a further check of the kinds `checked`."""
        return Verdict(self.size, self.root, self.checked | set(checked), (*self.findings, *findings))
