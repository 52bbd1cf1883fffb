"""What the errors of receiving and giving mean to the resident, and what to do next."""

from service.ui.problems import Problem, Problems
from service.ui.words import lazy as _l

_STAY_AWAY = _l("Nothing was shared. Do not go on with them.")
_NOTHING_GIVEN = _l("Nothing was shared. Ask the organisation for a new request.")
_NOTHING_CAME = _l("You received nothing. Ask the issuer for a new offer.")

PROBLEMS: Problems = {
    "invalid_request": Problem(_l("this request is not as it should be"), _NOTHING_GIVEN),
    "invalid_client": Problem(_l("we cannot tell who asks this"), _NOTHING_GIVEN),
    "invalid_transaction_data": Problem(_l("this request is not as it should be"), _NOTHING_GIVEN),
    "not_listed": Problem(_l("nobody knows this organisation"), _STAY_AWAY),
    "misleading_name": Problem(_l("this organisation has a misleading name"), _STAY_AWAY),
    "registration_revoked": Problem(_l("this organisation may not ask any more"), _STAY_AWAY),
    "bad_signature": Problem(_l("somebody changed this on the way"), _STAY_AWAY),
    "untrusted_chain": Problem(_l("we cannot check who this is"), _STAY_AWAY),
    "expired": Problem(_l("this request is over"), _NOTHING_GIVEN),
    "request_expired": Problem(_l("this request is over"), _NOTHING_GIVEN),
    "over_asking": Problem(
        _l("they ask for more than they registered"), _l("Nothing was shared. You can say no and report it.")
    ),
    "already_granted": Problem(
        _l("you answered this request before"), _l("Look at your agreements. Stop it there if you want to.")
    ),
    "other_choice": Problem(
        _l("you began this with another choice"), _l("Look at your agreements. Stop that one first.")
    ),
    "already_answered": Problem(_l("this request was answered before"), _NOTHING_GIVEN),
    "log_closed": Problem(_l("this request is out of date"), _NOTHING_GIVEN),
    "no_card": Problem(_l("you miss a card"), _l("Fetch the card first. Then open the request again.")),
    "no_copies_left": Problem(_l("your copies are used up"), _l("Get new copies on the page of your cards.")),
    "not_satisfiable": Problem(_l("none of your cards fits"), _l("You can say no.")),
    "nothing_left": Problem(_l("nothing is left to share"), _l("Tick at least one thing, or say no.")),
    "bad_offer": Problem(_l("this offer is not as it should be"), _NOTHING_CAME),
    "unknown_issuer": Problem(
        _l("your wallet does not know this issuer"), _l("You received nothing. Do not go on with them.")
    ),
    "vct_not_allowed": Problem(_l("this issuer may not give this card"), _NOTHING_CAME),
    "unknown_credential": Problem(_l("your wallet does not know this card"), _NOTHING_CAME),
    "bad_metadata": Problem(_l("this issuer does not work as it should"), _NOTHING_CAME),
    "invalid_grant": Problem(_l("this offer is over or the code does not fit"), _NOTHING_CAME),
    "need_tx_code": Problem(_l("this offer needs a code"), _l("Fill in the code that the issuer gave you.")),
    "access_denied": Problem(_l("the login did not succeed"), _l("You received nothing. Try to log in again.")),
    "credential_request_denied": Problem(
        _l("the issuer does not give you this card"), _l("You received nothing. Ask the issuer why.")
    ),
    "no_login": Problem(_l("you have not come back from the login"), _l("Log in first, or begin again.")),
    "bad_authorization_response": Problem(
        _l("this is not the answer to your login"), _l("You received nothing. Begin again.")
    ),
    "no_wallet_provider": Problem(
        _l("this issuer wants to know your wallet first"), _l("You received nothing. Ask the issuer for a code.")
    ),
    "no_such_card": Problem(_l("you do not have this card"), _l("Look at the page of your cards.")),
    "unknown_grant": Problem(_l("you do not have this agreement"), _l("Look at the page of your agreements.")),
    "refused_address": Problem(_l("this link leads to a strange place"), _STAY_AWAY),
    "cards_revoked": Problem(
        _l("the cards to act for this person were taken back"),
        _l("Nothing was shared. Ask the register whether you may still act."),
    ),
    "no_operators": Problem(
        _l("too few keepers of the key answer"), _l("Your wallet keeps it. Try again in a moment.")
    ),
}
