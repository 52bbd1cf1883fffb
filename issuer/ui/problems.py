"""What the error codes of the counter mean to a clerk."""

from service.ui.problems import Problem, Problems
from service.ui.staff import PROBLEMS as OF_THE_DOOR
from service.ui.words import lazy as _l

PROBLEMS: Problems = {
    **OF_THE_DOOR,
    "visit_over": Problem(
        _l("this page is closed"), _l("It was open too long, or a colleague opened it. Look the person up again.")
    ),
    "unknown_person": Problem(
        _l("the register does not know this BSN"), _l("Compare the number with the document and try again.")
    ),
    "nobody_found": Problem(
        _l("nobody has this surname and date of birth"), _l("Compare both with the document, or search by BSN.")
    ),
    "nothing_typed": Problem(
        _l("fill in a BSN, or a surname with a date of birth"), _l("One of the two ways is enough.")
    ),
    "too_many": Problem(_l("too many people have this name and birthday"), _l("Search by BSN.")),
    "bad_bsn": Problem(_l("this is not a BSN"), _l("A BSN has nine digits. Compare it with the document.")),
    "bad_date": Problem(_l("fill in a whole date of birth"), _l("Day, month and year, as on the document.")),
    "bad_name": Problem(_l("fill in a surname"), _l("As on the document; capitals and accents do not matter.")),
    "bad_reason": Problem(_l("fill in a reason of at most 200 characters"), _l("It is kept here only.")),
    "unreachable": Problem(
        _l("the log does not answer"), _l("Nothing is lost. Give the paper back, and try again in a moment.")
    ),
    "no_trust_list": Problem(_l("this counter knows no log"), _l("Ask who manages it to set a trust list.")),
    "deceased": Problem(
        _l("the register says that this person has died"), _l("Nothing was given. Is it wrong? Have it put right.")
    ),
    "unknown_id": Problem(
        _l("there is nothing under this number"), _l("Somebody may have dealt with it before you.")
    ),
}
