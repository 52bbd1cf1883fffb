"""An error as one sentence and its next step, for the summary above a form."""

from protocol.errors import RegieError, Rejected
from service.ui.errors import find
from service.ui.words import _


def sorry(error: RegieError) -> str:
    """`Sorry, this passphrase does not fit. Try again.`"""
    words = find(error.code, is_ours=not isinstance(error, Rejected))
    return f"{_('Sorry, %(what)s', what=words.title)}. {words.advice}"
