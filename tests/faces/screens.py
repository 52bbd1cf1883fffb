"""Every page of every face, and how somebody gets there. `pages/` fills the lists."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.faces.browser import Visitor
from tests.faces.town import FacesTown, Story


@dataclass
class Visit:
    """Somebody who has come in at one face, with the town around it."""

    visitor: Visitor
    town: FacesTown
    story: Story
    language: str

    @property
    def page(self) -> Page:
        """What he sees."""
        return self.visitor.page

    def go(self, path: str) -> Page:
        """Open a path of this face."""
        return self.visitor.go(path)

    def press(self, *names: str) -> Page:
        """Press the button or link that is called one of `names`, as each language has it."""
        for role in ("button", "link"):
            for name in names:
                found = self.page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
                if found.count():
                    found.first.click()
                    return self.page
        raise AssertionError(f"nothing here is called {' or '.join(names)}: {self.page.url}")


@dataclass(frozen=True)
class Screen:
    """One page in one state.

    `reach` brings a visitor there from anywhere in the face and changes nothing that others show. `prints`:
    it is made for paper too, and `qr` says whether a code is on it then. `in_tour`: docs/tour.md has its picture.
    `role`: of the staff who see it.
    """

    name: str
    reach: Callable[[Visit], object]
    prints: bool = False
    qr: bool = False
    in_tour: bool = True
    role: str = "clerk"


def at(path: str) -> Callable[[Visit], object]:
    """By its address, which holds nothing but a name of a page: `at("/cards")`."""
    return lambda visit: visit.go(path)
