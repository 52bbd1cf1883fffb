"""Certificate roots of agencies that stood in the trust list once: for looking back at what they signed then.

The trust list names who may sign today. A READ of last year was signed under a root that may be gone; that alone
makes it no lie. So an auditor remembers until when it has seen each root listed, and counts a root for READs of
that time only: who was taken off the list because a key was stolen signs nothing new.
"""

import msgspec

from protocol.canonical import parse_struct
from protocol.errors import Rejected
from protocol.trust_list import Agency, TrustList
from service.home import MAX_FILE_BYTES, Home

FILE = "agency-roots.json"
SEEN_SECONDS = 60
"""How old "seen until" may be before it is written again."""
SKEW = 60
"""A READ's own time may lie this far ahead of the log's."""


class _Known(msgspec.Struct, forbid_unknown_fields=True):
    """`roots`: by certificate, until when it was seen listed (POSIX seconds)."""

    entry: Agency
    roots: dict[str, int]


class AgencyRoots:
    """Kept in a file of the home, which other processes of the auditor may write too."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[str, _Known] = {}
        if home.has(FILE):
            self._known = parse_struct(home.read_public(FILE), dict[str, _Known], max_bytes=MAX_FILE_BYTES)

    def remember(self, trust: TrustList, now: int) -> None:
        """What `trust` lists was listed until `now`."""
        is_new = False
        for agency in trust.agencies:
            known = self._known.setdefault(agency.id, _Known(agency, {}))
            known.entry = msgspec.structs.replace(agency, services=[])
            for root in agency.roots:
                is_new |= now - known.roots.get(root, -SEEN_SECONDS) >= SEEN_SECONDS
                known.roots[root] = max(now, known.roots.get(root, 0))
        if is_new:
            self._home.write_json(FILE, self._known)

    def agency_at(self, trust: TrustList, oin: str, time: int) -> Agency:
        """The agency with the roots that it has now and those that were listed at `time`.

        Raises `Rejected`: `not_listed` for one that was not listed then.
        """
        known = self._known.get(oin)
        then = [] if known is None else [root for root, until in known.roots.items() if time <= until + SKEW]
        try:
            found = trust.agency(oin)
        except Rejected:
            if known is None or not then:
                raise
            found = msgspec.structs.replace(known.entry, roots=[])
        if set(then) <= set(found.roots):
            return found  # it remembers its parsed certificates
        return msgspec.structs.replace(found, roots=list(dict.fromkeys([*found.roots, *then])))
