"""What the door of the staff says: names of roles, and what its errors mean."""

from service.ui.problems import Problem, Problems
from service.ui.words import lazy

ROLE_NAMES = {
    "clerk": lazy("clerk"),
    "manager": lazy("manager"),
    "privacy": lazy("privacy officer"),
    "auditor": lazy("auditor"),
}
PROBLEMS: Problems = {
    "signed_out": Problem(
        lazy("you are no longer signed in"),
        lazy("Nothing has changed. Sign in again, go back to the page and send it once more."),
    ),
    "not_your_role": Problem(
        lazy("this is not part of your role"),
        lazy("Ask a colleague who has this role. Your administrator decides who has which role."),
    ),
    "no_role": Problem(
        lazy("your account has no role here"),
        lazy("Ask your administrator to give your account a role. Then sign in again."),
    ),
    "access_denied": Problem(
        lazy("signing in did not work"),
        lazy("You stopped signing in, or this way of signing in is not accepted here. Try again."),
    ),
    "old_login": Problem(
        lazy("this sign-in is over"),
        lazy("It took too long, was used before, or began in another browser. Sign in again."),
    ),
    "login": Problem(
        lazy("your organisation's sign-in cannot be reached"),
        lazy("Try again in a moment. Does it last? Tell your administrator."),
    ),
}
"""What an error of this door means, for `make_ui(problems=...)`."""
