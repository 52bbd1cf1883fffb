"""PyPI's `polaris-oid4vp` as a verifier over TLS: one process for each request it makes.

`keygen` makes its signing certificate under an anchor of its own, and a certificate for TLS on localhost.
"""

import base64
import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

from tests.interop.served import SOON, free_port
from tests.interop.strangers import Stranger

IS_MISSING = importlib.util.find_spec("polaris_oid4vp") is None
_COMMAND = [sys.executable, "-m", "polaris_oid4vp.cli"]


def keygen(folder: Path) -> Path:
    """A folder with `anchor.pem`, `client.pem`, `tls.pem` and their keys."""
    subprocess.run(
        [*_COMMAND, "keygen", "--out", str(folder), "--host", "localhost"], check=True, capture_output=True
    )
    return folder


def sign_as(folder: Path, who: Stranger) -> None:
    """Requests are signed by `who` from now on, under its root."""
    write_pem(folder / "anchor.pem", who.roots)
    write_pem(folder / "client.pem", who.x5c)
    (folder / "client-key.pem").write_bytes(who.key.to_pem())


def der_base64(pem: Path) -> str:
    """The first certificate of a PEM file, as trust lists have it."""
    lines = pem.read_text().partition("-----END")[0].splitlines()[1:]
    return "".join(lines)


def write_pem(path: Path, certificates: Sequence[str]) -> Path:
    """Certificates (base64 DER) as a PEM file."""
    bodies = [base64.encodebytes(base64.b64decode(one)).decode() for one in certificates]
    path.write_text("".join(f"-----BEGIN CERTIFICATE-----\n{b}-----END CERTIFICATE-----\n" for b in bodies))
    return path


class Asked:
    """One request: `link` for the wallet, and what polaris says of the answer."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: Queue[str] = Queue()
        self._process = process
        threading.Thread(target=self._listen, daemon=True).start()
        self.link = self._until("  openid4vp://").strip()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _until(self, beginning: str) -> str:
        said = []
        while line := self._lines.get(timeout=SOON):
            if line.startswith(beginning):
                return line
            said.append(line)
        raise AssertionError("".join(said))

    def verdict(self) -> str:
        """`200 authentic, claims [...]`, or the status and why not."""
        return self._until("  <- ").removeprefix("  <- ").strip()


@contextmanager
def asking(pki: Path, issuers: Path, vct: str, *claims: str, options: Sequence[str] = ()) -> Iterator[Asked]:
    """A verifier that asks `claims` of one type, trusts the roots in `issuers`, and ends with the block."""
    wanted = ["--vct", vct, *(part for claim in claims for part in ("--claim", claim))]
    place = ["--pki", str(pki), "--host", "localhost", "--bind", "127.0.0.1", "--port", str(free_port())]
    command = [
        *_COMMAND[:1],
        "-u",
        *_COMMAND[1:],
        "serve",
        *place,
        "--issuer-trust-anchor",
        str(issuers),
        "--once",
    ]
    process = subprocess.Popen(
        [*command, *wanted, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield Asked(process)
    finally:
        process.kill()
        process.communicate()
