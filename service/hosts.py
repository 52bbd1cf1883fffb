"""Which host of a PostgreSQL cluster to ask first: the one that let us in last; at the end, who kept us waiting.

libpq draws the order anew for every session. Then a host that hangs costs every second or third session its whole
time-out, also when another has long taken over: at a failover some seconds for each step of the log.
"""

import random
from collections.abc import Callable, Mapping
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo

T = TypeVar("T")
_LET_IN = -1.0


class Hosts:
    """The hosts of one set of libpq's parameters; each process asks them in its own order at first.

    Raises `ValueError` when the lists of hosts, addresses and ports do not fit each other.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._guard = Lock()
        alone = _each_alone(parameters)
        random.shuffle(alone)
        self._seconds = dict.fromkeys(alone, 0.0)
        """For each host how long its last refusal took, or `_LET_IN`."""

    def order(self) -> list[str]:
        """Conninfo of each host alone."""
        with self._guard:
            return sorted(self._seconds, key=self._seconds.__getitem__)

    def connect(self, open_session: Callable[[str], T]) -> T:
        """The first session that a host gives. Raises `psycopg.OperationalError`: that of the last host."""
        *others, last = self.order()
        for host in others:
            try:
                return self._ask(host, open_session)
            except psycopg.OperationalError:
                continue
        return self._ask(last, open_session)

    def _ask(self, host: str, open_session: Callable[[str], T]) -> T:
        started = monotonic()
        try:
            session = open_session(host)
        except psycopg.OperationalError:
            self._note(host, monotonic() - started)
            raise
        self._note(host, _LET_IN)
        return session

    def _note(self, host: str, seconds: float) -> None:
        with self._guard:
            self._seconds[host] = seconds


def _each_alone(parameters: Mapping[str, Any]) -> list[str]:
    """As libpq reads its lists: one port for all, or one for each."""
    lists = {name: str(parameters.get(name) or "").split(",") for name in ("host", "hostaddr", "port")}
    count = max(map(len, lists.values()))
    for name, values in lists.items():
        if len(values) == 1:
            lists[name] = values * count
        elif len(values) != count:
            raise ValueError("the database URL has other numbers of hosts and ports")
    rest = {name: value for name, value in parameters.items() if name not in (*lists, "load_balance_hosts")}
    # A name may stand for several hosts: then libpq draws among those.
    rest |= {"load_balance_hosts": "random"}
    found = []
    for one in zip(*lists.values(), strict=True):
        mine = {name: value for name, value in zip(lists, one, strict=True) if value}
        found.append(make_conninfo("", **rest, **mine))
    return found
