"""What the counter says: why a row is in doubt, where a visit stands, and what its errors mean to an officer."""

from service.ui.problems import Problem, Problems
from service.ui.staff import PROBLEMS as OF_THE_DOOR
from service.ui.words import lazy as _l
from wallet.ui.giving_problems import PROBLEMS as OF_GIVING

DOUBTS = {
    "both": _l("Both boxes have a mark"),
    "neither": _l("No box has a mark"),
    "faint": _l("The mark is too faint or too small"),
    "scribble": _l("A box is filled in or crossed out"),
}
ANSWERS = {"yes": _l("Yes"), "no": _l("No")}
STEPS = {
    "scan": ("wait", _l("Waits for the form")),
    "ask": ("unsure", _l("Ask the resident")),
    "cards": ("wait", _l("Waits for the cards")),
    "second": ("wait", _l("Waits for the second officer")),
    "refuse": ("info", _l("The resident says no")),
    "begun": ("unsure", _l("Not certain yet")),
    "granted": ("ok", _l("Print the receipt")),
    "refused": ("ok", _l("The no was passed on")),
}
_RESCAN = _l("Lay the sheet flat and scan it again: grey or colour, 200 dots an inch.")
_NEW_FORM = _l("Nothing was shared. Print a new form and let the resident fill it in.")
PROBLEMS: Problems = {
    **OF_THE_DOOR,
    **OF_GIVING,
    "bad_picture": Problem(
        _l("this is no picture that we can read"), _l("Scan to PNG or JPEG, at 200 dots an inch.")
    ),
    "no_form": Problem(_l("we find no form in this picture"), _RESCAN),
    "bad_scan": Problem(_l("we cannot see the whole sheet"), _RESCAN),
    "several_sheets": Problem(_l("there is more than one sheet in a picture"), _l("Scan each sheet by itself.")),
    "sheet_twice": Problem(_l("one sheet was scanned twice"), _l("Scan each sheet once, all together.")),
    "sheet_missing": Problem(_l("a sheet of this form is missing"), _l("Scan all sheets together.")),
    "tampered_form": Problem(_l("this form was tampered with"), _NEW_FORM),
    "other_form": Problem(_l("this form belongs to another request"), _NEW_FORM),
    "more_than_asked": Problem(_l("something is ticked where nothing was asked"), _NEW_FORM),
    "not_signed": Problem(_l("the form is not signed"), _l("Let the resident sign it, and scan it again.")),
    "form_used": Problem(_l("this form was used before"), _NEW_FORM),
    "form_too_long": Problem(_l("more is asked than fits a form"), _NEW_FORM),
    "request_ended": Problem(_l("the request on this form is over"), _NEW_FORM),
    "expired": Problem(_l("the request on this form is over"), _NEW_FORM),
    "not_in_doubt": Problem(_l("the paper is plain about this"), _NEW_FORM),
    "still_in_doubt": Problem(_l("not every row has an answer"), _l("Ask the resident about each row in doubt.")),
    "same_officer": Problem(
        _l("the second officer is somebody else"), _l("Nothing was shared. Let a colleague sign in.")
    ),
    "first_officer": Problem(_l("a colleague began this visit"), _l("This part is for the officer who began.")),
    "not_this_step": Problem(_l("this visit is further, or not so far"), _l("Go back to the visit.")),
    "visit_over": Problem(_l("this visit is over"), _l("Its wallet was destroyed. Begin a new visit.")),
    "too_many_visits": Problem(_l("too many visits are open"), _l("Finish some of them first.")),
    "no_card": Problem(_l("a card that is needed is not here"), _l("Let the issuer offer all cards of the form.")),
    "stops_waiting": Problem(
        _l("the stop of this agreement is still to be delivered"), _l("Wait a moment and try again.")
    ),
    "bad_code": Problem(_l("a digit of this code is wrong"), _l("Scan it, or type all digits again.")),
    "unknown_code": Problem(_l("no agreement has this code"), _l("Compare the digits with the paper.")),
}
