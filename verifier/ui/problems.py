"""What an error code means to an officer: what is wrong, and what to do now."""

from collections.abc import Mapping

from service.ui.problems import Problem
from service.ui.words import lazy as _l

PROBLEMS: Mapping[str, Problem] = {
    "revoked": Problem(_l("read no more"), _l("The resident stopped this agreement. Nothing was read.")),
    "no_share": Problem(_l("read no more"), _l("The resident stopped this agreement. Nothing was read.")),
    "expired": Problem(_l("the term is over"), _l("Nothing was read. Ask the resident again if you need to.")),
    "not_yet": Problem(_l("this agreement begins later"), _l("Nothing was read. Look at the date it begins.")),
    "reads_spent": Problem(
        _l("you have read as often as was agreed"), _l("Nothing was read. Ask the resident again if you need to.")
    ),
    "out_of_context": Problem(
        _l("reading is not agreed at this time or place"),
        _l("Nothing was read. Look at the agreement for the hours."),
    ),
    "out_of_scope": Problem(
        _l("this was not agreed"), _l("Nothing was read. Choose only what the agreement names.")
    ),
    "not_granted": Problem(
        _l("this was not agreed"), _l("Nothing was read. Choose only what the agreement names.")
    ),
    "other_case": Problem(
        _l("the agreement is for another case"),
        _l("Nothing was read. Fill in the case that the resident agreed to."),
    ),
    "answers_only": Problem(
        _l("this service answers a question"), _l("Nothing was read. Its data are shown to nobody.")
    ),
    "no_figures": Problem(
        _l("there are no figures of this month"), _l("Choose another month, or ask your administrator for them.")
    ),
    "second_officer": Problem(
        _l("a second officer has to confirm first"),
        _l("The resident was helped. Ask a colleague to sign in and confirm it."),
    ),
    "same_officer": Problem(
        _l("you helped yourself"), _l("The second officer is somebody else. Ask a colleague to sign in.")
    ),
    "wrong_passphrase": Problem(
        _l("a passphrase is wrong"),
        _l("Nobody saw anything. That you tried is written down. Each of you types the own passphrase again."),
    ),
    "too_many_attempts": Problem(
        _l("a passphrase was wrong too often"),
        _l("Nobody saw anything. Wait a quarter of an hour. The page shows whose names were chosen: ask them."),
    ),
    "two_people": Problem(_l("two people open it"), _l("Nobody saw anything. Choose two different people.")),
    "unknown_person": Problem(_l("two people open it"), _l("Nobody saw anything. Choose two different people.")),
    "bad_period": Problem(_l("this period cannot be shown"), _l("Nobody saw anything. Choose a shorter period.")),
    "broken_account": Problem(
        _l("an entry is missing, or was changed"), _l("Nobody saw anything. Change nothing, and call the auditor.")
    ),
    "no_account": Problem(_l("no account was begun here"), _l("Ask your administrator to begin one.")),
    "helped_already": Problem(_l("this was written down before"), _l("Nothing has changed. Look at the request.")),
    "not_answered": Problem(
        _l("the resident has not decided yet"), _l("Wait for the answer, then talk with the resident and confirm.")
    ),
    "not_helped": Problem(_l("nobody helped with this request"), _l("There is nothing to confirm.")),
    "read_already": Problem(
        _l("this page was used before"),
        _l("Nothing was read again. Every reading is a line in the log: look again only if you need to."),
    ),
    "credential_revoked": Problem(
        _l("the card behind these data was taken back"),
        _l("Nothing was read. The data may be out of date: ask the resident to share again."),
    ),
    "mandate_ended": Problem(
        _l("who agreed may no longer act for the resident"),
        _l("Nothing was read. Ask the resident, or who may act for the resident now."),
    ),
    "bad_mandate": Problem(
        _l("we cannot see any more who may act for the resident"), _l("Nothing was read. Try again later.")
    ),
    "expired_credential": Problem(
        _l("the card behind these data is out of date"), _l("Nothing was read. Ask the resident to share again.")
    ),
    "status_undetermined": Problem(
        _l("nobody can tell now whether the card still counts"), _l("Nothing was read. Try again later.")
    ),
    "no_copy": Problem(
        _l("there is nothing to fetch"),
        _l("What is shared once is handed over once, and kept for seven days at most. Ask again if you need it."),
    ),
    "not_returned": Problem(
        _l("the wallet has not come back yet"),
        _l("The answer counts when the resident is back in the own browser."),
    ),
    "other_session": Problem(
        _l("the answer came back in another browser"), _l("It was thrown away to be safe. Ask again.")
    ),
    "unknown_request": Problem(_l("this request does not exist"), _l("Look it up in the list of requests.")),
    "bad_code": Problem(_l("this code is not right"), _l("Nothing was stopped. Scan the receipt again.")),
    "bad_receipt": Problem(
        _l("the log did not sign for this"),
        _l("Nothing was stopped here. Try again, and tell your privacy officer."),
    ),
    "unknown_code": Problem(
        _l("no agreement has this code"), _l("Nothing was stopped. Compare the digits with the paper.")
    ),
    "unknown_grant": Problem(_l("this agreement does not exist"), _l("Look it up in the list of agreements.")),
    "request_ended": Problem(_l("this request has ended"), _l("Make a new one. The resident can then answer.")),
    "not_listed": Problem(
        _l("this service is not registered"), _l("You can only ask what is registered. Ask your privacy officer.")
    ),
    "over_asking": Problem(
        _l("this asks more than is registered"), _l("Nothing was asked. Ask your privacy officer to register it.")
    ),
    "log_closed": Problem(
        _l("the log takes no new agreements"),
        _l("Nothing was asked. Your administrator has to name the next log."),
    ),
    "trust_list": Problem(
        _l("the register of who may ask what cannot be reached"), _l("Nothing was done. Try again in a moment.")
    ),
    "log": Problem(_l("the log cannot take this now"), _l("Nothing was answered. Try again in a moment.")),
    "no_quorum": Problem(
        _l("the witnesses of the log do not answer"),
        _l("Nothing was shown: without them nobody can check the log. Try again in a moment."),
    ),
    "stale_checkpoint": Problem(
        _l("the log is behind"), _l("Nothing was shown. Try again in a moment; the same reading goes on.")
    ),
    "bad_consistency": Problem(
        _l("the log contradicts itself"),
        _l("Nothing was shown, and the proof is kept. Tell your privacy officer."),
    ),
    "answered_already": Problem(_l("this was answered before"), _l("Nothing has changed. Look at the answer.")),
    "unknown_message": Problem(_l("nobody asked this"), _l("Look it up in the list of requests to erase.")),
    "database": Problem(
        _l("our own records cannot be written now"), _l("Nothing was read. Tell your administrator.")
    ),
}
"""On top of those of the ground and of the door."""
