"""What an error code means to the person before the screen: what is wrong, and what to do now.

Each face adds its own table: `make_ui(..., problems={"stopped": Problem(_l("..."), _l("..."))})`. Codes stay the
same for programs; a code without words gets general ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.ui.words import lazy as _l

Problems = Mapping[str, "Problem"]


@dataclass(frozen=True)
class Problem:
    """`title` follows "Sorry, "; `advice` is the next step. Both are lazy strings."""

    title: Any
    advice: Any


REFUSED = Problem(_l("this cannot be done"), _l("Go back and check what you filled in."))
UNABLE = Problem(_l("this does not work now"), _l("Wait a moment and try again. Nothing of yours is lost."))
GROUND: Problems = {
    "bad_request": Problem(_l("we do not understand the question"), _l("Go back and try again.")),
    "not_found": Problem(
        _l("this page does not exist"), _l("Check the address, or start again at the first page.")
    ),
    "method_not_allowed": Problem(
        _l("this page cannot be opened like this"), _l("Start again at the first page.")
    ),
    "too_large": Problem(_l("this is too large"), _l("Choose a smaller file or a shorter text.")),
    "forbidden": Problem(_l("you may not see this page"), _l("Ask who manages the rights in your organisation.")),
    "closed": Problem(_l("this page is closed"), _l("Open it again from the program.")),
    "other_site": Problem(
        _l("this did not come from our own page"), _l("Nothing has changed. Do it on the page itself.")
    ),
    "old_form": Problem(
        _l("this form is no longer valid"),
        _l("Nothing has changed. Go back, load the page again and send it once more."),
    ),
    "in_use": Problem(_l("another program is busy with this"), _l("Close the other program and try again.")),
    "unreachable": Problem(
        _l("the other side does not answer"),
        _l("Check your connection and try again later. Nothing of yours is lost."),
    ),
    "internal": Problem(
        _l("something went wrong here"), _l("Try again. Tell us the number below if it happens again.")
    ),
}


def find_problem(problems: Problems, code: str, *, is_ours: bool) -> Problem:
    """The words for `code`, or general ones. `is_ours`: we could not; the person did nothing wrong."""
    return problems.get(code) or (UNABLE if is_ours else REFUSED)
