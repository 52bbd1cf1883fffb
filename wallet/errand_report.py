"""What is begun here and ends elsewhere: a request to erase a copy, a complaint. Noted, to be shown later.

EUDI TS7 (DATA_DLT_05, DATA_DLT_06) and TS8 (RPT_DPA_05): when, to whom, and about which attributes; never a value.
"""

from msgspec.structs import replace

from protocol.attributes import short_name
from protocol.terms import places_of
from wallet.complaint import Complaint, Reason, complaint_of
from wallet.errand_transactions import transaction_of
from wallet.opened import OpenWallet
from wallet.records import Activity, Evidence, GrantRecord, OutgoingMessage


def note_deletion(wallet: OpenWallet, activity: Activity) -> None:
    """The resident is led to where who has a copy takes requests to erase it."""
    _note(wallet, replace(activity, kind="deletion_begun", asked=[], time=wallet.now()))


def complain(wallet: OpenWallet, subject: GrantRecord | Activity, reason: Reason) -> Complaint:
    """The file for the supervisor, and the note that it was made."""
    made = prepare_complaint(wallet, subject, reason)
    _note(wallet, _report(subject, wallet.now()))
    return made


def prepare_complaint(wallet: OpenWallet, subject: GrantRecord | Activity, reason: Reason) -> Complaint:
    """The same without a note, to show it first."""
    number = next((name for name, each in wallet.grants().items() if each == subject), None)
    messages = [sent for sent in wallet.vault.all("messages", OutgoingMessage).values() if sent.grant == number]
    evidence = [each for each in wallet.vault.all("evidence", Evidence).values() if each.grant == number]
    return complaint_of(subject, transaction_of(wallet, subject), reason, messages, evidence, wallet.now())


def _report(subject: GrantRecord | Activity, now: int) -> Activity:
    if isinstance(subject, Activity):
        return replace(subject, kind="reported", time=now)
    names = [f"{short_name(place.vct)}.{place.name}" for place in places_of(subject.body.terms)]
    return Activity(
        time=now,
        kind="reported",
        agency=subject.agency.id,
        agency_name=subject.agency.name,
        service=subject.service,
        asked=names,
        given=[],
        request=subject.request,
        about=subject.about,
    )


def _note(wallet: OpenWallet, activity: Activity) -> None:
    number = max((each.number for each in wallet.activities()), default=0) + 1
    name = f"{activity.time}.{wallet.random(8).hex()}"
    with wallet.vault.transaction():
        wallet.vault.put("activities", name, replace(activity, number=number))
