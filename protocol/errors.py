"""The two trunks of every error: the peer's message is bad, or we could not.

Neither ever carries personal data: a `detail` names the rule that was broken, never a value. Misuse by our
own code is `TypeError` or `ValueError`, and stays one.
"""


class RegieError(Exception):
    """What both trunks share: a stable `code` for programs and a `detail` for people."""

    def __init__(self, code: str, detail: str = "", *, status: int) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.status = status


class Rejected(RegieError):
    """What somebody sent breaks a rule. `status` is the HTTP hint for the edge (400 for invalid input)."""

    def __init__(self, code: str, detail: str = "", *, status: int = 400) -> None:
        super().__init__(code, detail, status=status)


class Unavailable(RegieError):
    """We could not: a peer, a disk or a quorum is missing. `retry_after` is in seconds."""

    def __init__(self, code: str, detail: str = "", *, retry_after: int = 1) -> None:
        super().__init__(code, detail, status=503)
        self.retry_after = retry_after
