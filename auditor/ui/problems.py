"""What an error of the console means, and what to do about it."""

from service.ui.problems import Problem, Problems
from service.ui.words import lazy as _l

_TOKEN = _l("Ask the operator of the log for the auditor's token. Keep it here with: regie auditor token FILE.")
_LOOK = _l("Go to the overview and start a check.")
PROBLEMS: Problems = {
    "no_token": Problem(_l("this home may not see what entries stand for"), _TOKEN),
    "unauthorized": Problem(_l("the log does not accept the token of this home"), _TOKEN),
    "never_looked": Problem(_l("nobody has looked at the log from here yet"), _LOOK),
    "unknown_slot": Problem(
        _l("the log has no agreement with this number"), _l("Check the number, or start a check: it may be new.")
    ),
    "case_gone": Problem(
        _l("this file is closed again"), _l("A file stays open for half an hour. Open it again, with a reason.")
    ),
    "bad_root": Problem(
        _l("what is kept here is not what the log has signed"), _l("Start the proof on the page about the log.")
    ),
    "no_quorum": Problem(_l("too few witnesses have signed the log"), _l("Wait a minute and check again.")),
    "trust_list": Problem(
        _l("there is no valid list of parties"),
        _l("Ask the registrar for the trust list of today, then check again."),
    ),
    "in_use": Problem(
        _l("another program follows the log from this home"),
        _l("It keeps these pages up to date. You need not check."),
    ),
}
