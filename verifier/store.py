"""What an agency keeps: one SQLite file in its home, 0600, every commit durable (synchronous=FULL).

It holds secrets (the keys of requests, the one-use reply keys of READs under way) and sealed disclosures, but no
value of standing access: those are never written. Each method is one transaction; the compare-and-swap of each
step stands in its SQL. Several processes use the file: the server, and every `regie verifier` command.
"""

from pathlib import Path

from verifier.batches import Batches
from verifier.book import Book
from verifier.figures_count import FigureRows
from verifier.grants import Grants
from verifier.lists import Lists
from verifier.processings import Processings
from verifier.reads import Reads
from verifier.requests import Requests
from verifier.seen import Seen
from verifier.sessions import Sessions
from verifier.tables import StoreFile
from verifier.verdicts import Verdicts


class Store:
    """The store in the file `path`, made when it is missing. Raises `Unavailable`: `database`."""

    def __init__(self, path: Path) -> None:
        self._file = StoreFile(path)
        self.requests = Requests(self._file)
        self.grants = Grants(self._file)
        self.reads = Reads(self._file)
        self.seen = Seen(self._file)
        self.sessions = Sessions(self._file)
        self.verdicts = Verdicts(self._file)
        self.book = Book(self._file)
        self.batches = Batches(self._file)
        self.processings = Processings(self._file)
        self.lists = Lists(self._file)
        self.figures = FigureRows(self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
