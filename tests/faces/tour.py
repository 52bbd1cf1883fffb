"""Pictures of the faces for docs/tour.md, taken while the tests look at the pages: `make tour`.

Nothing is set up for them: they show what the tests see, in Dutch, the wallet on a phone and the others on a desk.
"""

import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.faces.sweep import Look, put

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "tour"
PAGE = ROOT / "docs" / "tour.md"
COLOURS = 48
"""The faces are calm: that many are enough, and the pictures stay small."""
LONGEST = 2400
"""Pixels; what is below is cut off in the picture."""
_PHONE = Look("phone", 390, 844)
_DESK = Look("desk", 1180, 760)
_FACES = {
    "wallet": (
        "The resident's wallet",
        "`regie wallet serve`: cards, requests, agreements, and everything that happened with them.",
    ),
    "counter": (
        "The counter of the issuer",
        "`regie issuer serve`, below `/counter/`: a clerk finds who stands there and gives cards.",
    ),
    "desk": (
        "The desk of the agency",
        "`regie verifier serve`, below `/desk/`: asking what is registered, reading for a case, seeing it stop.",
    ),
    "console": (
        "The console of the auditor",
        "`regie auditor serve`: figures without names, the log and its proofs, the file of one agreement.",
    ),
}
_HEAD = """# A tour of the four faces

Every picture below was made by `make tour`, while the tests looked at the same pages (`tests/faces`). The faces
speak Dutch and English; these are in Dutch. `make demo ARGS=--stay` opens them with a story in them, to try out.
"""


@dataclass
class Tour:
    """Keeps pictures when it `is_wanted`, and does nothing otherwise."""

    is_wanted: bool
    taken: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def take(self, page: Page, face: str, name: str) -> None:
        """A picture of `page` as it is, with its heading."""
        if not self.is_wanted:
            return
        look = _PHONE if face == "wallet" else _DESK
        put(page, look)
        high = min(LONGEST, page.evaluate("document.documentElement.scrollHeight"))
        page.set_viewport_size({"width": look.width, "height": max(high, look.height)})
        picture = (
            Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        )
        FOLDER.mkdir(exist_ok=True)
        picture.save(FOLDER / f"{face}-{name}.png", optimize=True)
        self.taken.setdefault(face, []).append((name, page.locator("h1").inner_text().strip()))

    def write(self) -> None:
        """docs/tour.md, if every face was visited."""
        if self.is_wanted and set(self.taken) == set(_FACES):
            PAGE.write_text(_HEAD + "".join(self._part(face) for face in _FACES))
            kept = {f"{face}-{name}.png" for face, all_of_it in self.taken.items() for name, _ in all_of_it}
            for old in FOLDER.glob("*.png"):
                if old.name not in kept:
                    old.unlink()

    def _part(self, face: str) -> str:
        title, words = _FACES[face]
        width = 300 if face == "wallet" else 820
        lines = [f"\n## {title}\n\n{words}\n"]
        for name, heading in self.taken[face]:
            spoken = heading.replace('"', "'")
            lines.append(f'\n**{heading}**\n\n<img src="tour/{face}-{name}.png" width="{width}" alt="{spoken}">\n')
        return "".join(lines)
