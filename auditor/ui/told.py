"""Codes in words: verdicts, findings, reasons of refusals, legal bases, kinds of entries; no rules."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from babel.dates import format_date

from auditor.tally import UNKNOWN
from auditor.ui.figures import monday_of
from protocol.attributes import CREDENTIAL_TYPES
from protocol.names import visible
from service.ui.words import _, language, locale
from service.ui.words import lazy as _l

VERDICTS: Mapping[str, tuple[str, Any, Any]] = {
    "whole": (
        "ok",
        _l("The log is whole"),
        _l("Nothing was changed, nothing is missing, as far as we have looked."),
    ),
    "wrong": ("wrong", _l("Something is wrong with the log"), _l("We found what an honest log does not do.")),
    "unsure": (
        "unsure",
        _l("We do not know enough at the moment"),
        _l("The last good look at the log is too old."),
    ),
    "never": ("wait", _l("Nobody has looked at the log yet"), _l("Start a check. It reads the whole log once.")),
}
"""Verdict: (kind of `state`, title, a sentence)."""
KINDS: Mapping[str, tuple[Any, Any]] = {
    "integrity": (
        _l("Nothing changed"),
        _l("Every entry is where it was signed. Nothing was moved, changed or removed."),
    ),
    "completeness": (
        _l("Nothing missing"),
        _l("Every entry can be accounted for. None is hidden behind another."),
    ),
    "policy": (
        _l("Everything allowed"),
        _l("Every reading was under a live agreement, and within what was agreed."),
    ),
}
CHECKED: Mapping[str, tuple[str, Any]] = {
    "ok": ("ok", _l("in order")),
    "wrong": ("wrong", _l("not in order")),
    "partly": ("wait", _l("not looked at completely yet")),
    "unchecked": ("unsure", _l("not looked at")),
}
REASONS: Mapping[str, Any] = {
    "not_yet": _l("The agreement had not begun"),
    "expired": _l("The agreement had ended"),
    "reads_spent": _l("The number of readings was used up"),
    "out_of_scope": _l("Asked for more than was given"),
    "out_of_context": _l("Not on that day, hour or place"),
    "revoked": _l("The resident had stopped"),
    "no_share": _l("The key was gone already"),
    "other": _l("Another reason"),
}
BASES: Mapping[str, Any] = {
    "consent": _l("Consent"),
    "legal_obligation": _l("Legal obligation"),
    "public_task": _l("Public task"),
}
SPANS: Mapping[str, Any] = {
    "day": _l("Read within a day before the stop"),
    "week": _l("Last read within a week before"),
    "month": _l("Last read within a month before"),
    "longer": _l("Last read longer before"),
    "never": _l("Never read"),
}
CODES: Mapping[str, Any] = {
    "forked": _l("The log shows two histories"),
    "split_view": _l("The log shows somebody else another history"),
    "shrunk": _l("Entries have disappeared from the end"),
    "withheld": _l("The log keeps entries from us that a witness has seen"),
    "bad_root": _l("The entries are not those that were signed"),
    "checkpoint_without_head": _l("A signed state does not end with a summary"),
    "replay_leaf": _l("An entry has no known form"),
    "replay_slot": _l("An agreement number was skipped or used twice"),
    "replay_lock_reused": _l("Two agreements have the same lock"),
    "replay_unknown_grant": _l("A stop belongs to no agreement"),
    "replay_wrong_secret": _l("An agreement was stopped without the resident's secret"),
    "replay_revoked_twice": _l("An agreement was stopped twice"),
    "replay_head_position": _l("A summary is about an older state"),
    "replay_head_slots": _l("A summary counts another number of agreements"),
    "replay_head_status": _l("A stop was hidden or invented"),
    "bad_opening": _l("The content shown is not what the entry stands for"),
    "leaf_without_opening": _l("An entry is hidden"),
    "unknown_grant": _l("An entry belongs to no agreement"),
    "wrong_tag": _l("An entry carries the wrong mark"),
    "gap_in_n": _l("A number was skipped or used twice"),
    "read_not_by_recipient": _l("Somebody else than the organisation has read"),
    "read_of_another_grant": _l("A reading was booked on another agreement"),
    "read_of_another_log": _l("A reading was made for another log"),
    "read_out_of_dates": _l("Read outside the dates of the agreement"),
    "read_out_of_scope": _l("Read more than was given"),
    "read_out_of_context": _l("Read on a day, hour or place that was not agreed"),
    "too_many_reads": _l("Read more often than was agreed"),
    "read_after_revocation": _l("Read after the resident had stopped"),
    "read_booked_twice": _l("One reading was booked twice"),
    "untrue_refusal": _l("A reading was refused for a reason that is not true"),
    "overdue_revocation": _l("A stop was promised and not carried out"),
}
WHO_SEES: Mapping[str, Any] = {
    "integrity": _l("Seen from the public entries. Everybody can check it."),
    "completeness": _l("Seen from the contents that the log shows to an auditor."),
    "policy": _l("Seen from the agreements and the readings, as the parties signed them."),
}
EVENTS: Mapping[str, tuple[str, str, Any]] = {
    "grant": ("give", "ok", _l("Agreement given")),
    "refresh": ("refresh", "ok", _l("Agreement renewed")),
    "read": ("read", "info", _l("Read by the organisation")),
    "refusal": ("wrong", "wait", _l("Reading refused")),
    "stop": ("stopped", "stopped", _l("Stopped by the resident")),
    "message": ("inbox", "info", _l("Message")),
}
"""Kind of an entry: (icon, kind of `state`, title)."""
RIGHT_NAMES: Mapping[str, Any] = {
    "erasure": _l("erase"),
    "access": _l("see"),
    "rectification": _l("correct"),
}
"""What a resident asks an organisation to do with the data."""
MESSAGES: Mapping[str, Any] = {
    "erasure_asked": _l("The resident asks to erase the data"),
    "erasure_acknowledged": _l("The organisation has received the request"),
    "erased": _l("The organisation has erased the data"),
    "kept": _l("The organisation keeps the data, and names the law"),
    "access_asked": _l("The resident asks to see the data"),
    "access_acknowledged": _l("The organisation has received the request to see the data"),
    "access_answered": _l("The organisation has shown the data"),
    "access_refused": _l("The organisation does not show the data, and names the law"),
    "rectification_asked": _l("The resident asks to correct the data"),
    "rectification_acknowledged": _l("The organisation has received the request to correct"),
    "rectified": _l("The organisation has corrected the data"),
    "rectification_refused": _l("The organisation does not correct the data, and names the law"),
    "complaint": _l("The resident complains"),
}
WHY: Mapping[str, tuple[Any, Any]] = {
    "finding": (_l("Something that we found"), _l("For example an entry on the page with findings.")),
    "complaint": (_l("A complaint or question of a resident"), _l("Give the file number of the complaint.")),
    "sample": (_l("A sample from the audit plan"), _l("Give the number of the sample.")),
    "request": (_l("A court or a supervisor asks"), _l("Give the file number of the request.")),
    "other": (_l("Another reason"), _l("Say in a few words which.")),
}
WAITING: Mapping[str, Any] = {
    "": _l("Nobody looked"),
    "unreachable": _l("The log could not be reached"),
    "no_quorum": _l("Too few witnesses had signed"),
    "stale_checkpoint": _l("The signed state was too old"),
    "older_copy": _l("The log showed an older state"),
    "trust_list": _l("There was no valid trust list"),
}
DOING: Mapping[str, Any] = {
    "": _l("Starting"),
    "leaves": _l("Reading entries"),
    "openings": _l("Looking at what the entries stand for"),
    "search": _l("Looking for the entries of this agreement"),
    "replay": _l("Checking every entry again"),
}
CHANNELS: Mapping[str, Any] = {"desk": _l("at the desk"), "api": _l("by a program"), "batch": _l("in bulk")}
ZONES: Mapping[str, Any] = {"office": _l("from the office"), "remote": _l("from outside")}


def found(code: str) -> str:
    """A finding in words; its code where there are none."""
    return str(CODES.get(code, code))


def waited(code: str) -> str:
    """Why a look gave nothing."""
    return str(WAITING.get(code, code))


def week_start(week: str) -> str:
    """`23 nov. 2026`: the Monday of an ISO week, for tables and pictures."""
    return _monday(week, locale())


@lru_cache(maxsize=1024)
def _monday(week: str, spoken: str) -> str:
    return str(format_date(monday_of(week), "d MMM y", locale=spoken))


def attribute_name(vct: str, name: str) -> str:
    """`Postcode`, by the vocabulary."""
    known = CREDENTIAL_TYPES.get(vct)
    attribute = known.by_name.get(name) if known is not None else None
    if attribute is None:
        return visible(name)
    return attribute.label_nl if language() == "nl" else attribute.label_en


def agency_or_nobody(name: str) -> str:
    """The name of an agency; of a stop whose agreement was never opened here: unknown."""
    return str(_("unknown")) if name == UNKNOWN else name
