"""What the codes of looking back, stopping and asking mean to a resident, and what to do then."""

from service.ui.problems import Problem, Problems
from service.ui.words import lazy as _l

_NOT_HERE = _l("Go to your agreements and choose one.")
PROBLEMS: Problems = {
    "unknown_grant": Problem(_l("this agreement is not in your wallet"), _NOT_HERE),
    "unknown_activity": Problem(
        _l("this activity is not in your wallet"), _l("Go to your activities and choose one.")
    ),
    "unknown_problem": Problem(_l("there is no such problem"), _l("Nothing is wrong here.")),
    "not_logged": Problem(
        _l("this agreement is not in the log yet"), _l("Let your wallet look for news, and try again then.")
    ),
    "no_grant": Problem(
        _l("there is nothing to stop"), _l("The log did not take this agreement. Nothing was shared.")
    ),
    "not_given": Problem(
        _l("there is nothing to erase"), _l("The organisation got nothing under this agreement.")
    ),
    "no_key": Problem(
        _l("the card of this agreement is gone"),
        _l("Your wallet can no longer sign for it. Send the organisation a letter instead."),
    ),
    "nothing_newer": Problem(
        _l("there is nothing newer to send"), _l("The organisation has your newest data already.")
    ),
    "too_soon": Problem(
        _l("you sent new data under this agreement today"),
        _l("The log takes new data once a day. Try again tomorrow."),
    ),
}
