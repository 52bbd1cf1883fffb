"""A town whose log keeps its rows in a cluster. Its global lock and its epoch keys stay outside."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from examples import within
from examples.founding import ORIGIN, Town
from examples.processes import Server


class ClusterTown(Town):
    """`found` as ever; `database`: the URL that the log's process finds in its environment."""

    def __init__(self, home: Path, database: str) -> None:
        super().__init__(home, command=within.run)
        self.database = database

    def _serve(self, name: str, *arguments: str) -> None:
        if name == "log":
            self.serve_log()
        else:
            super()._serve(name, *arguments)

    def serve_log(self, *, database: str | None = None, workers: int = 1) -> None:
        """Start the log anew, as so many workers. Raises `CommandFailed` when it refuses."""
        if "log" in self.servers:
            self.servers["log"].stop()
        arguments = ("log", "serve", *(("--workers", str(workers)) if workers > 1 else ()))
        settings = {"DATABASE_URL": database or self.database}
        output = self.home / "log.log"
        self.servers["log"] = Server("log", self.at("log"), arguments, self.urls["log"], output, extra=settings)
        self.servers["log"].start()

    def words_of_log(self) -> str:
        """The end of what the log's process wrote, but for the requests."""
        lines = (self.home / "log.log").read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if '"event": "request"' not in line)[-4000:]


@contextmanager
def founded_on(database: str, home: Path) -> Iterator[ClusterTown]:
    """A running town with an auditor of its own; its servers end with the block."""
    town = ClusterTown(home, database)
    try:
        town.found()
        town.regie("auditor", "auditor", "init", *town.trust, "--log", ORIGIN)
        yield town
    finally:
        town.close()
