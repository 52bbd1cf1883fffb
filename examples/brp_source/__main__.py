"""Serve until stopped: `python -m examples.brp_source --port 9100`."""

import argparse
from pathlib import Path

from werkzeug.serving import make_server

from examples.brp_source.app import Source, make_brp, read_persons
from examples.brp_source.problems import PATH
from examples.brp_source.woz import PREFIX, read_objects

PERSONS, HOMES = (Path(__file__).parent.parent / name for name in ("persons.jsonl", "woz.jsonl"))


def main() -> None:
    """Read the persons, listen on localhost and say where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9100, help="0 takes a free one")
    help_ = "one person a line; may be given again (examples/persons.jsonl without it)"
    parser.add_argument("--persons", type=Path, action="append", help=help_)
    parser.add_argument("--woz", type=Path, default=HOMES, help="one WOZ object a line")
    parser.add_argument("--key", help="what callers have to show in X-API-KEY")
    parser.add_argument("--domestic-only", action="store_true", help="callers may not see addresses abroad")
    options = parser.parse_args()
    persons = {bsn: one for path in options.persons or [PERSONS] for bsn, one in read_persons(path).items()}
    homes = read_objects(options.woz)
    source = Source(persons, options.key, options.domestic_only, homes=homes)
    server = make_server("localhost", options.port, make_brp(source), threaded=True)
    url = f"http://localhost:{server.port}"
    print(f"listening on {url}{PATH.removesuffix('/personen')} and {url}{PREFIX}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
