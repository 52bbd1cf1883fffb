"""`make lock`: pins with hashes out of pip's report on stdin. pip-compile takes no package for a later Python."""

import json
import sys


def main() -> None:
    """One line a package, in the order of their names."""
    lines = []
    for one in json.load(sys.stdin)["install"]:
        name, version = one["metadata"]["name"], one["metadata"]["version"]
        lines.append(f"{name}=={version} --hash=sha256:{one['download_info']['archive_info']['hashes']['sha256']}")
    print("\n".join(sorted(lines)))


if __name__ == "__main__":
    main()
