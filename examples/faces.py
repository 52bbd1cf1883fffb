"""A town with its faces: staff who sign in at the agency and the issuer, residents and an auditor with a browser.

`FacesTown` is a `Town` whose agency serves a desk and whose issuer serves a counter; `wallet` and `console` start
what runs on somebody's own machine. Every face is a process of its own, known by the address that it prints.
"""

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from examples.founding import Town
from examples.processes import START_SECONDS, CommandFailed, Outcome, Server, free_ports, is_port_dead, run

ACCOUNTS = {"clerk": "b.bakker", "manager": "m.mulder", "privacy": "f.faber", "nobody": "s.smit"}
"""The account of each role at the town's identity provider (`identity_provider.STAFF`); no password is asked."""
GROUPS = ("--role", "balie=clerk", "--role", "chef=manager")
AGENCY = "Gemeentewinkel Voorbeeldstad"
DESK, COUNTER = "/desk/", "/counter/"
_LAUNCH = re.compile(r"https?://[\w.-]+:\d+/open/[\w-]+")


@dataclass
class LocalFace:
    """A face on its user's own machine. `launch`: the address that opens it once."""

    server: Server
    launch: str

    @property
    def origin(self) -> str:
        """Scheme, name and port."""
        parts = urlsplit(self.launch)
        return f"{parts.scheme}://{parts.netloc}"


class FacesTown(Town):
    """See the module. `provider`: the identity provider of all staff of the town."""

    def __init__(
        self, home: Path, operators: tuple[int, int] | None = None, command: Callable[..., Outcome] = run
    ) -> None:
        super().__init__(home, operators, command)
        (port,) = free_ports(1)
        self.provider = f"http://localhost:{port}"
        self.local: dict[str, LocalFace] = {}

    @property
    def desk(self) -> str:
        """Where the agency's staff work."""
        return self.urls["agency"] + DESK

    @property
    def counter(self) -> str:
        """Where the issuer's staff work."""
        return self.urls["issuer"] + COUNTER

    def _roles(self) -> dict[str, tuple[str, ...]]:
        """Its agency has several services, which is no parking company any more."""
        roles = super()._roles()
        words = tuple(AGENCY if word == "Parkeerbedrijf" else word for word in roles["agency"])
        return {**roles, "agency": words}

    def _register(self, entries: dict[str, Path], services: list[dict[str, Any]]) -> None:
        """Once agency and issuer have their homes, and before they serve: who may sign in there."""
        super()._register(entries, services)
        at = ("--provider", self.provider, "--client-id")
        told = {
            "desk": self.regie("agency", "verifier", "staff", *at, "desk", *GROUPS, "--role", "privacy=privacy"),
            "counter": self.regie("issuer", "issuer", "staff", *at, "counter", *GROUPS),
        }
        clients: list[str] = []
        for name, outcome in told.items():
            key = self._write(f"{name}.jwk", outcome.answer["jwk"])
            clients += ["--client-id", name, "--client-key", str(key)]
            clients += ["--redirect-uri", outcome.answer["redirect_uri"]]
        program = (sys.executable, "-m", "examples.identity_provider")
        arguments = ("--staff", "--port", str(urlsplit(self.provider).port), *clients)
        log = self.home / "provider.log"
        server = Server("provider", self.home, arguments, self.provider, log, program=program)
        self.servers["provider"] = server
        server.launch()

    def wallet(self, who: str) -> LocalFace:
        """The wallet of a resident in a browser; it uses the home of the command line."""
        return self._face(who, "wallet", "serve")

    def console(self) -> LocalFace:
        """The auditor's, who follows the log with openings."""
        token = self.regie("log", "log", "auditor-token").answer["token"]
        self.regie("auditor", "auditor", "token", "-", stdin=token)
        self.regie("auditor", "auditor", "follow", "--once")
        return self._face("auditor", "auditor", "serve")

    def _face(self, who: str, *command: str) -> LocalFace:
        if who in self.local:
            return self.local[who]
        (port,) = free_ports(1)
        log = self.home / f"{who}-face.log"
        name = f"{who}-face"
        server = Server(name, self.at(who), (*command, "--port", str(port)), f"http://localhost:{port}", log)
        self.servers[name] = server
        server.launch()
        self.local[who] = LocalFace(server, _told(server))
        return self.local[who]


def _told(server: Server) -> str:
    """The address that a face printed. Raises `CommandFailed` when it prints none."""
    port, deadline = urlsplit(server.url).port, time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = [told for told in _LAUNCH.findall(server.log.read_text()) if f":{port}/" in told]
        if found and not is_port_dead(server.url):
            return str(found[-1])
        if server.process is None or server.process.poll() is not None:
            break
        time.sleep(0.05)
    server.kill()
    raise CommandFailed(f"{server.name} told no address:\n{server.log.read_text()[-2000:]}")
