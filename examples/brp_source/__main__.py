"""Serve until stopped: `python -m examples.brp_source --port 9100`."""

import argparse
from pathlib import Path

from werkzeug.serving import make_server

from examples.brp_source.app import Source, make_brp, read_persons
from examples.brp_source.problems import PATH

PERSONS = Path(__file__).parent.parent / "persons.jsonl"


def main() -> None:
    """Read the persons, listen on localhost and say where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9100, help="0 takes a free one")
    parser.add_argument(
        "--persons", type=Path, default=PERSONS, help="one person a line, of the API or of the GBA"
    )
    parser.add_argument("--key", help="what callers have to show in X-API-KEY")
    parser.add_argument("--domestic-only", action="store_true", help="callers may not see addresses abroad")
    options = parser.parse_args()
    source = Source(read_persons(options.persons), options.key, options.domestic_only)
    server = make_server("localhost", options.port, make_brp(source), threaded=True)
    print(f"listening on http://localhost:{server.port}{PATH.removesuffix('/personen')}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
