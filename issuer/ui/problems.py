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
    "same_officer": Problem(
        _l("somebody else has to confirm this"), _l("You wrote it down yourself. Ask a colleague to read it.")
    ),
    "no_curatele": Problem(
        _l("the register knows of no guardianship of this person"), _l("Have the register put right first.")
    ),
    "not_competent": Problem(
        _l("one of these people may not act for another"), _l("Who acts is an adult, alive, and has no guardian.")
    ),
    "services_missing": Problem(_l("name the services"), _l("An administrator acts for named services only.")),
    "bad_service": Problem(_l("this is no service"), _l("The number (OIN), a slash, and the service.")),
    "bad_decision": Problem(_l("fill in the number of the decision"), _l("At most 64 characters.")),
    "bad_mandate": Problem(_l("this cannot be registered"), _l("One or two people act, for somebody else.")),
    "bad_day": Problem(_l("fill in a day"), _l("Day, month and year.")),
    "mandate_ended": Problem(_l("this ends too soon"), _l("Choose a later day.")),
    "deceased": Problem(
        _l("the register says that this person has died"), _l("Nothing was given. Is it wrong? Have it put right.")
    ),
    "unknown_id": Problem(
        _l("there is nothing under this number"), _l("Somebody may have dealt with it before you.")
    ),
}
