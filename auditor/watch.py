"""Following a log from a home: where it is read by the trust list of the moment, with which token, and one look.

What `regie auditor follow` does every few seconds, the console does when somebody presses a button.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator

from auditor.client import LogReader
from auditor.config import Config, log_keys, read_config, trust_of
from auditor.follow import Followed, Follower, Step
from auditor.follow_store import FollowStore
from auditor.roots import AgencyRoots
from auditor.store import Store
from protocol.consent_api import OpeningsAnswer
from protocol.errors import Rejected, Unavailable
from protocol.note import MAX_NOTE_BYTES, parse_vkey
from service.fetch import Fetcher
from service.home import Home
from service.trust import TrustSource

LOCK = "follow.lock"
TOKEN = "log-token"  # noqa: S105 - the name of a file
MAX_TOKEN_CHARS = 1024
Progress = Callable[[str, int, int], None]
"""`progress(what, done, of)`: `leaves` or `openings`, entries so far, entries in all."""


class LogSource:
    """The log as the trust list has it at each step. `progress`: is told while much is fetched."""

    def __init__(
        self,
        trust: TrustSource,
        origin: str,
        url: str | None,
        token: str | None,
        roots: AgencyRoots,
        progress: Progress | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        self._trust, self._origin, self._url, self._token, self._roots = trust, origin, url, token, roots
        self._fetcher = fetcher or Fetcher()
        self._progress = progress

    def log(self, now: int) -> Followed:
        """Raises `Unavailable`: `trust_list`; `Rejected`: `not_listed`."""
        trust = self._trust.current(now)
        listed, keys, policy = log_keys(trust, self._origin)
        self._roots.remember(trust, now)
        names = {witness.key for witness in policy.witnesses}
        witnesses = [
            (witness.name, self._latest(witness.url))
            for witness in trust.witnesses
            if any(parse_vkey(key) in names for key in (witness.vkey, *witness.also))
        ]
        url = self._url or listed.url
        reader = LogReader(url, self._fetcher)
        if self._progress is not None:
            reader = _ToldReader(url, self._fetcher, self._progress)
        agency_at = functools.partial(self._roots.agency_at, trust)
        return Followed(keys, policy, agency_at, reader, witnesses, self._token)

    def _latest(self, url: str) -> Callable[[], str]:
        """A witness's monitoring endpoint (C2SP tlog-mirror names it so; our witnesses offer it)."""
        digest = hashlib.sha256(self._origin.encode("utf-8")).hexdigest()
        place = f"{url.rstrip('/')}/{digest}/checkpoint"
        return lambda: self._fetcher.get(place, accept="text/plain", max_bytes=MAX_NOTE_BYTES).text


class _ToldReader(LogReader):
    """Tells how far it is with what takes long."""

    def __init__(self, url: str, fetcher: Fetcher, progress: Progress) -> None:
        super().__init__(url, fetcher)
        self._tell = progress

    def leaves(self, start: int, size: int) -> Iterator[bytes]:
        """As they come."""
        for place, leaf in enumerate(super().leaves(start, size), start):
            if place % 256 == 0:
                self._tell("leaves", place, size)
            yield leaf

    def _page(self, start: int, size: int, token: str) -> OpeningsAnswer:
        self._tell("openings", start, size)
        return super()._page(start, size, token)


def source_of(
    home: Home,
    *,
    url: str | None = None,
    token: str | None,
    progress: Progress | None = None,
    fetcher: Fetcher | None = None,
) -> LogSource:
    """What the home says of its log; `token` None: integrity only."""
    config: Config = read_config(home)
    return LogSource(trust_of(home, config), config.log, url, token, AgencyRoots(home), progress, fetcher)


def kept_token(home: Home) -> str | None:
    """The auditor's token as `regie auditor token` kept it; None without one. Raises `Rejected`: `open_secret`."""
    if not home.has(TOKEN):
        return None
    return read_token(home.read_secret(TOKEN))


def read_token(data: bytes) -> str:
    """A token out of a file. Raises `Rejected`: `bad_token`."""
    text = data.decode("ascii", "replace").strip()
    if not text or len(text) > MAX_TOKEN_CHARS or not text.isascii() or any(sign.isspace() for sign in text):
        raise Rejected("bad_token", "the file holds no token of a log")
    return text


def one_step(follower: Follower, source: LogSource, now: int) -> Step:
    """A look at the log; also without a trust list it is a look, which waits."""
    try:
        return follower.step(source.log(now), now)
    except (Rejected, Unavailable) as error:
        return Step("waiting", follower.size, code=error.code, text=error.detail)


def look_now(home: Home, now: int, progress: Progress | None = None, fetcher: Fetcher | None = None) -> Step:
    """One look, with the kept token. Raises `Unavailable`: `in_use` while somebody else follows in this home."""
    source = source_of(home, token=kept_token(home), progress=progress, fetcher=fetcher)
    with home.lock(LOCK):
        return one_step(Follower(FollowStore(home), Store(home).seen_notes()), source, now)
