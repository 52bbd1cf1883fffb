"""Founding a town: registrar, issuer, witness, auditing cosigner, log and agency, each in its own process.

`found_town` gives a running `Town`; the stories tell themselves to a `Teller`.
"""

import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from examples.processes import (
    START_SECONDS,
    CommandFailed,
    Outcome,
    Server,
    free_ports,
    is_answering,
    run,
    stop_all,
)
from examples.services import PARKING

T = TypeVar("T", bound="Town")

PERSONS = Path(__file__).with_name("persons.jsonl")
ORIGIN = "log.voorbeeldstad.example/2026"
OIN = "00000099000000001000"
LISTS = tuple(
    word
    for option, name in (("--upl", "upl.csv"), ("--selectielijst", "selectielijst.csv"))
    for word in (option, str(Path(__file__).with_name(name)))
)
"""The national lists that the registrar holds services against: our own rows of them."""
PARALLEL = 4
"""Commands at once: most of each is starting Python."""
PASSPHRASE = "een lange zin die niemand raadt"  # noqa: S105 - of a fictional resident


class Town:
    """Homes and servers of one town below `home`. `found()` makes and starts them; `close()` stops them.

    `operators`: (needed, count) of those that hold the shares instead of the log; None for none.
    `command`: how a command is run, `processes.run` or `within.run`. Servers are always processes.
    """

    def __init__(
        self, home: Path, operators: tuple[int, int] | None = None, command: Callable[..., Outcome] = run
    ) -> None:
        self.home = home
        self._command = command
        self.needed, count = operators or (0, 0)
        self.operators = [f"operator{number}" for number in range(count)]
        names = ["registrar", "issuer", "log", "witness", "cosigner", "agency", *self.operators]
        self.urls = {
            name: f"http://localhost:{port}" for name, port in zip(names, free_ports(len(names)), strict=True)
        }
        self.servers: dict[str, Server] = {}
        self.passphrase = home / "passphrase"
        self.trust: tuple[str, ...] = ()

    def at(self, name: str) -> Path:
        """The home of one role."""
        return self.home / name

    def regie(self, who: str, *arguments: str, stdin: str = "", expect: int | None = 0) -> Outcome:
        """A command in the home of `who`; wallets are given the resident's passphrase file."""
        if arguments[0] == "wallet":
            arguments = (*arguments, "--passphrase-file", str(self.passphrase))
        return self._command(self.at(who), *arguments, stdin=stdin, expect=expect)

    def found(self, services: list[dict[str, Any]] | None = None) -> None:
        """Keys, trust list and servers. Raises `CommandFailed` when a part does not start."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.passphrase.write_text(PASSPHRASE + "\n")
        url = self.urls
        called = ("--name", "Registrar van Voorbeeldland", "--url", url["registrar"])
        registrar = self.regie("registrar", "registrar", "new", *called).answer
        # By its path, not its address: who reads a file sees a new list at once, and not after a minute.
        self.trust = ("--trust-list", registrar["trust_list"], "--registrar", registrar["registrar"])
        with ThreadPoolExecutor(PARALLEL) as pool:  # what waits for nothing else is done side by side
            made = {name: pool.submit(self._init, name, *words) for name, words in self._roles().items()}
            entries = {name: job.result() for name, job in made.items()}
            importing = pool.submit(self.regie, "issuer", "issuer", "import", str(PERSONS))
            self._register(entries, services or [PARKING])
            importing.result()
        self._serve("witness", "log", "witness", "serve")
        for name in ("cosigner", *self.operators):
            self._serve(name, "auditor", "cosign")
        self._wait()
        for name, command in (("log", "log"), ("issuer", "issuer"), ("agency", "verifier")):
            self._serve(name, command, "serve")
        self._serve("registrar", "registrar", "serve")
        self._wait()
        self._wait_for_witnesses()

    def _roles(self) -> dict[str, tuple[str, ...]]:
        """What makes the home of each."""
        url, agency = self.urls, ("--oin", OIN, "--name", "Parkeerbedrijf", "--log", ORIGIN)
        return {
            "issuer": ("issuer", "init", "--url", url["issuer"], "--name", "Gemeente Voorbeeldstad"),
            "agency": ("verifier", "init", "--url", url["agency"], *agency),
            "log": ("log", "init", "--url", url["log"], "--origin", ORIGIN),
            "witness": ("log", "witness", "init", "--url", url["witness"], "--name", "getuige.example"),
            "cosigner": (
                *("auditor", "init", "--url", url["cosigner"]),
                *("--name", "rekenkamer.example", "--log", ORIGIN),
            ),
        }

    def _register(self, entries: dict[str, Path], services: list[dict[str, Any]]) -> None:
        """List everybody, and give the agency the certificates of its services."""
        for name, entry in entries.items():
            kind = "witness" if name == "cosigner" else name
            self.regie("registrar", "registrar", f"add-{kind}", str(entry))
        self._list_operators(entries)
        for service in services:
            path = self._write(f"service-{service['id']}.json", service)
            self.regie("registrar", "registrar", "add-service", "--agency", OIN, str(path), *LISTS)
        self.regie("registrar", "registrar", "sign")
        registration = str(self.at("agency") / "registration.jwt")
        self.regie("registrar", "registrar", "certificate", "--agency", OIN, "--out", registration)

    def _list_operators(self, entries: dict[str, Path]) -> None:
        """Operators follow the log by themselves: the quorum does not need them, so that some may be down."""
        if not self.operators:
            return
        log, *cosigners = (json.loads(entries[name].read_text()) for name in ("log", "witness", "cosigner"))
        policy = self.home / "policy.txt"
        keys = [log["vkey"], *([log["pq_vkey"]] if "pq_vkey" in log else []), *log.get("also", [])]
        lines = [f"log {key} {log['url']}" for key in keys]
        lines += [f"witness {entry['name']} {entry['vkey']} {entry['url']}" for entry in cosigners]
        lines += ["group both all " + " ".join(entry["name"] for entry in cosigners), "quorum both"]
        policy.write_text("\n".join(lines) + "\n")
        self.regie("registrar", "registrar", "add-log", str(entries["log"]), "--policy", str(policy))
        for name in self.operators:
            url = ("--url", self.urls[name], "--name", f"{name}.example")
            entry = self._init(name, "auditor", "init", *url, "--log", ORIGIN, "--shares")
            self.regie("registrar", "registrar", "add-witness", str(entry))
        names = [f"{name}.example" for name in self.operators]
        needed = ("--log", ORIGIN, "--needed", str(self.needed))
        self.regie("registrar", "registrar", "set-operators", *needed, *names)

    def _init(self, who: str, *arguments: str) -> Path:
        entry = self.regie(who, *arguments, *self.trust).answer["entry"]
        return self._write(f"entry-{who}.json", entry)

    def _write(self, name: str, value: Any) -> Path:
        path = self.home / name
        path.write_text(json.dumps(value))
        return path

    def _serve(self, name: str, *arguments: str) -> None:
        """Start a server; `_wait` waits for it."""
        server = Server(name, self.at(name), arguments, self.urls[name], self.home / f"{name}.log")
        self.servers[name] = server
        server.launch()

    def _wait(self) -> None:
        """Until all that were started answer. Raises `CommandFailed` when one does not."""
        for server in self.servers.values():
            server.wait()

    def _wait_for_witnesses(self) -> None:
        """Until they have cosigned once: before that the log takes no grant. Raises `CommandFailed`."""
        deadline = time.monotonic() + START_SECONDS
        while not is_answering(self.urls["log"], "/checkpoint"):
            if time.monotonic() > deadline:
                raise CommandFailed("the log's witnesses cosigned nothing")
            time.sleep(0.05)

    def make_wallet(self, who: str) -> None:
        """A wallet to throw away: the small profile, under which a command does not take a second longer."""
        self.regie(who, "wallet", "init", "--profile", "small", *self.trust)

    def open_wallet(self, who: str, bsn: str, cards: tuple[str, ...] = ("persoon", "adres", "gezin")) -> None:
        """A resident comes to the counter: a new wallet, an offer and its code, the cards."""
        self.make_wallet(who)
        wanted = [part for card in cards for part in ("--credential", card)]
        offer = self.regie("issuer", "issuer", "offer", "--bsn", "-", *wanted, stdin=bsn).answer
        self.regie(who, "wallet", "receive", offer["offer"], "--tx-code", offer["tx_code"])

    def audit(self, *arguments: str, expect: int | None = 0) -> Outcome:
        """`auditor verify` of the running log, with all openings."""
        token = self.at("log") / "auditor-token.txt"
        if not token.exists():
            token.write_text(self.regie("log", "log", "auditor-token").answer["token"])
        return self.regie(
            "auditor", "auditor", "verify", "--openings", "--token", str(token), *arguments, expect=expect
        )

    def close(self) -> None:
        """Stop every server, the log before its witnesses."""
        last = {"cosigner", "witness", *self.operators}
        stop_all(server for name, server in self.servers.items() if name not in last)
        stop_all(self.servers.values())


class Teller:
    """Prints a step in plain words with the seconds since the start."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._start = time.monotonic()
        self._quiet = quiet

    def say(self, words: str) -> None:
        """One step."""
        if not self._quiet:
            print(f"[{time.monotonic() - self._start:5.1f} s] {words}", flush=True)


def verdict_words(verdict: dict[str, Any]) -> str:
    """The auditor's three verdicts in one line."""
    return ", ".join(f"{kind} {verdict[kind]}" for kind in ("integrity", "completeness", "policy"))


def start_town(town: T, tell: Teller, services: list[dict[str, Any]] | None = None) -> T:
    """The same town, running, with an auditor of its own; or nothing left running."""
    try:
        town.found(services)
        town.regie("auditor", "auditor", "init", *town.trust, "--log", ORIGIN)
    except BaseException:
        town.close()
        raise
    tell.say("The town stands: registrar, issuer, log, witness, auditing cosigner, agency; each its own process.")
    return town


def found_town(
    home: Path,
    tell: Teller,
    services: list[dict[str, Any]] | None = None,
    operators: tuple[int, int] | None = None,
    command: Callable[..., Outcome] = run,
) -> Town:
    """A running town with an auditor of its own, or nothing left running. `operators`, `command`: see `Town`."""
    return start_town(Town(home, operators, command), tell, services)


@contextmanager
def folder_for_a_story() -> Iterator[Path]:
    """A folder that does not outlive the block, an error or a SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="regie-town-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def town_for_a_story(
    tell: Teller,
    services: list[dict[str, Any]] | None = None,
    operators: tuple[int, int] | None = None,
    command: Callable[..., Outcome] = run,
) -> Iterator[Town]:
    """A running town in a folder of its own; neither outlives the block."""
    with folder_for_a_story() as folder:
        town = found_town(folder, tell, services, operators, command)
        try:
            yield town
        finally:
            town.close()
