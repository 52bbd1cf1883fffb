"""A running town with its four faces, and the story that is on them when somebody comes to look.

Everything is a process of its own, as in `make demo ARGS=--stay`: the agency serves its desk, the issuer its
counter, the auditor the console, and each resident has a wallet of his own on a port of its own.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from examples import within
from examples.founding import ORIGIN, PARKING, PERSONS, Town
from examples.processes import (
    START_SECONDS,
    Outcome,
    Server,
    environment,
    free_ports,
    is_answering,
    is_port_dead,
)

BSNS = [json.loads(line)["burgerservicenummer"] for line in PERSONS.read_text().splitlines()]
CASE = "Z-2026-0042"
STAFF = {"clerk": "b.bakker", "manager": "m.mulder", "privacy": "f.faber", "nobody": "s.smit"}
"""Account of each role at the town's identity provider (`examples.identity_provider`)."""
DESK, COUNTER = "/desk/", "/counter/"
_LAUNCH = re.compile(r"https?://[\w.-]+:\d+/open/[\w-]+")


@dataclass
class LocalFace:
    """A face on its user's own machine. `launch`: the address that opens it once."""

    server: Server
    launch: str
    cookies: list[Any] = field(default_factory=list)
    """What the first visitor got for that address; it opens nothing a second time."""

    @property
    def origin(self) -> str:
        """Scheme, name and port."""
        parts = urlsplit(self.launch)
        return f"{parts.scheme}://{parts.netloc}"


class FacesTown(Town):
    """`Town` whose agency and issuer let staff sign in at `provider`, and whose users' faces can be started."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, command=within.run)
        port, papers = free_ports(2)
        self.provider, self.papers = f"http://localhost:{port}", f"http://localhost:{papers}"
        self.local: dict[str, LocalFace] = {}
        self._provider: subprocess.Popen[bytes] | None = None

    def _register(self, entries: dict[str, Path], services: list[dict[str, Any]]) -> None:
        super()._register(entries, services)
        self._open_doors()

    def _open_doors(self) -> None:
        """Staff of both roles sign in at one provider, which knows the keys of both."""
        roles = ("--role", "balie=clerk", "--role", "chef=manager")
        told = {
            "desk": self.regie(
                "agency", "verifier", "staff", "--provider", self.provider, "--client-id", "desk",
                *roles, "--role", "privacy=privacy",
            ),
            "counter": self.regie(
                "issuer", "issuer", "staff", "--provider", self.provider, "--client-id", "counter", *roles
            ),
            "papers": self._make_paper_counter("--provider", self.provider, "--client-id", "papers", *roles),
        }  # fmt: skip
        clients = []
        for name, outcome in told.items():
            key = self._write(f"{name}.jwk", outcome.answer["jwk"])
            clients += ["--client-id", name, "--client-key", str(key)]
            clients += ["--redirect-uri", outcome.answer["redirect_uri"]]
        with (self.home / "provider.log").open("ab") as output:
            self._provider = subprocess.Popen(
                [
                    *(sys.executable, "-m", "examples.identity_provider", "--staff"),
                    *("--port", str(urlsplit(self.provider).port), *clients),
                ],
                env=environment(self.home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _make_paper_counter(self, *staff: str) -> Outcome:
        home, name = self.at("papers"), ("--name", "Gemeente Voorbeeldstad")
        self._command(home, "wallet", "counter", "init", "--url", self.papers, *name, *self.trust)
        return self._command(home, "wallet", "counter", "staff", *staff)

    def paper_counter(self) -> str:
        """Where forms on paper are handed in; started when somebody comes for the first time."""
        if "papers" not in self.servers:
            self.urls["papers"] = self.papers
            self._serve("papers", "wallet", "counter", "serve")
            self.servers["papers"].wait()
        return f"{self.papers}/"

    def face(self, who: str, *command: str) -> LocalFace:
        """Start the face of a user's own machine in the home of `who`, and wait until it tells its address."""
        if who in self.local:
            return self.local[who]
        (port,) = free_ports(1)
        words = self.home / f"{who}-face.log"
        arguments = (*command, "--port", str(port))
        server = Server(f"{who}-face", self.at(who), arguments, f"http://localhost:{port}", words)
        server.launch()
        self.servers[server.name] = server
        self.local[who] = LocalFace(server, self._told(server))
        return self.local[who]

    def _told(self, server: Server) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = [
                told
                for told in _LAUNCH.findall(server.log.read_text())
                if f":{urlsplit(server.url).port}/" in told
            ]
            if found and not is_port_dead(server.url):
                return str(found[-1])
            if server.process is None or server.process.poll() is not None:
                break
            time.sleep(0.05)
        server.kill()
        raise AssertionError(f"{server.name} told no address:\n{server.log.read_text()[-2000:]}")

    def wallet(self, who: str) -> LocalFace:
        """The wallet of a resident in a browser; the command line's home, if there is one."""
        return self.face(who, "wallet", "serve")

    def new_wallet(self, who: str) -> LocalFace:
        """A home without a wallet: its resident makes one in the browser, for the town's trust list."""
        self.at(who).mkdir(exist_ok=True)
        return self.face(who, "wallet", "serve", *self.trust)

    def console(self) -> LocalFace:
        """The auditor's."""
        return self.face("auditor", "auditor", "serve")

    def close(self) -> None:
        super().close()
        if self._provider is not None:
            self._provider.terminate()
            self._provider.wait(60)


@dataclass(frozen=True)
class Story:
    """What is on the faces. Ids of agreements as the wallet (`...`) and the agency (`ask_...`) know them.

    `kept`: read twice, once refused; `stopped`: by the resident; `offer` and `request`: not answered yet.
    """

    kept: str
    ask_kept: str
    stopped: str
    ask_stopped: str
    request: str
    offer: str
    code: str


def tell_story(town: FacesTown, who: str = "anna") -> Story:
    """Anna has three cards and two agreements; the agency read one of them, and asks for a third."""
    town.open_wallet(who, BSNS[0])
    asks = [town.regie("agency", "verifier", "ask", PARKING["id"], "--case", CASE).answer for _ in range(3)]
    kept, stopped = (town.regie(who, "wallet", "grant", ask["request"], "--yes").answer for ask in asks[:2])
    read = ("verifier", "read", asks[0]["id"], "--only", "postcode", "--case", CASE)
    town.regie("agency", *read)
    town.regie(who, "wallet", "revoke", stopped["id"])
    town.regie("agency", "verifier", "read", asks[1]["id"], "--only", "postcode", "--case", CASE, expect=1)
    town.regie(who, "wallet", "history")
    offer = town.regie("issuer", "issuer", "offer", "--bsn", "-", "--credential", "adres", stdin=BSNS[0]).answer
    return Story(
        kept=kept["id"],
        ask_kept=asks[0]["id"],
        stopped=stopped["id"],
        ask_stopped=asks[1]["id"],
        request=asks[2]["request"],
        offer=offer["offer"],
        code=offer["tx_code"],
    )


@contextmanager
def town_with_faces(home: Path) -> Iterator[FacesTown]:
    """A running town; nothing of it outlives the block."""
    town = FacesTown(home)
    try:
        town.found()
        town.regie("auditor", "auditor", "init", *town.trust, "--log", ORIGIN)
        token = town.regie("log", "log", "auditor-token").answer["token"]
        town.regie("auditor", "auditor", "token", "-", stdin=token)
        deadline = time.monotonic() + START_SECONDS
        while not is_answering(town.provider):
            if time.monotonic() > deadline:
                raise AssertionError((town.home / "provider.log").read_text()[-2000:])
            time.sleep(0.05)
        yield town
    finally:
        town.close()
