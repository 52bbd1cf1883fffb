"""How a line of the book reads on a page: its sentence, its icon, and its state, in the language of the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.names import visible
from service.ui.format import day
from service.ui.words import _, language, ngettext
from service.ui.words import lazy as _l
from wallet.folding import is_odd
from wallet.ui import names
from wallet.ui.book import Line, LineKind

ICONS: dict[LineKind, str] = {
    "given": "give",
    "begun": "wait",
    "unsure": "unsure",
    "failed": "wrong",
    "copy": "give",
    "maybe_copy": "unsure",
    "declined": "close",
    "read": "read",
    "refused": "shield",
    "renewed": "give",
    "stopped": "stopped",
    "ended": "clock",
    "erasure_asked": "erase",
    "access_asked": "read",
    "rectification_asked": "list",
    "reported": "flag",
    "deletion_begun": "erase",
    "answered": "inbox",
}
KINDS: dict[LineKind, str] = {
    "given": "info",
    "begun": "wait",
    "unsure": "unsure",
    "failed": "wrong",
    "copy": "info",
    "maybe_copy": "unsure",
    "declined": "info",
    "read": "ok",
    "refused": "stopped",
    "renewed": "info",
    "stopped": "stopped",
    "ended": "info",
    "erasure_asked": "wait",
    "access_asked": "wait",
    "rectification_asked": "wait",
    "reported": "info",
    "deletion_begun": "wait",
    "answered": "info",
}
GROUPS = {
    "given": _l("Shared"),
    "read": _l("Viewed"),
    "refused": _l("Viewing refused"),
    "stopped": _l("Stopped or over"),
    "erasure": _l("Rights"),
    "declined": _l("Not shared"),
    "unsure": _l("May have failed"),
}
REASONS = {
    "not_yet": _l("The agreement had not begun yet."),
    "expired": _l("The agreement was over."),
    "reads_spent": _l("They had looked as often as you allowed."),
    "out_of_scope": _l("They asked for data that you do not share with them."),
    "out_of_context": _l("It was at a time or place that you did not allow."),
    "revoked": _l("You had stopped sharing."),
    "no_share": _l("The key to your data was destroyed already."),
}
"""Why a read was refused."""


@dataclass(frozen=True)
class LineWords:
    """`kind` as the macro `state` takes it; `data`: the attributes in words; `reason`: why, if there is one."""

    icon: str
    kind: str
    title: str
    data: str
    reason: str


def words_of(line: Line) -> LineWords:
    """One line as it is shown in a list."""
    return LineWords(ICONS[line.kind], KINDS[line.kind], title_of(line), data_of(line.attributes), reason_of(line))


def title_of(line: Line) -> str:
    """What happened, as one sentence."""
    name = visible(line.agency_name)
    count = sum(not names.is_flag(each) for each in line.attributes)
    reason = line.event.reason if line.event else None
    match line.kind:
        case "given":
            return str(
                ngettext(
                    "You share %(num)d datum with %(name)s",
                    "You share %(num)d data with %(name)s",
                    count,
                    name=name,
                )
            )
        case "copy":
            return str(
                ngettext(
                    "You gave %(name)s a copy of %(num)d datum",
                    "You gave %(name)s a copy of %(num)d data",
                    count,
                    name=name,
                )
            )
        case "read" if line.count > 1:
            return str(_("%(name)s: viewed %(num)d times by a system", name=name, num=line.count))
        case "read":
            return str(ngettext("%(name)s viewed %(num)d datum", "%(name)s viewed %(num)d data", count, name=name))
        case "stopped" if not line.is_proven:
            return str(_("You stopped sharing with %(name)s; not yet confirmed", name=name))
        case "answered":
            return _answer(name, reason)
        case _:
            return str(_plain(line.kind, name))


def _plain(kind: LineKind, name: str) -> str:
    sentences: dict[LineKind, str] = {
        "begun": _("You began to share with %(name)s", name=name),
        "unsure": _("May have failed: sharing with %(name)s", name=name),
        "failed": _("Sharing with %(name)s did not succeed", name=name),
        "maybe_copy": _("May have failed: a copy for %(name)s", name=name),
        "declined": _("You said no to %(name)s", name=name),
        "refused": _("%(name)s wanted to view your data, and was refused", name=name),
        "renewed": _("%(name)s got your new data", name=name),
        "stopped": _("You stopped sharing with %(name)s", name=name),
        "ended": _("The agreement with %(name)s is over", name=name),
        "erasure_asked": _("You asked %(name)s to erase your data", name=name),
        "access_asked": _("You asked %(name)s to see your data", name=name),
        "rectification_asked": _("You asked %(name)s to correct your data", name=name),
        "reported": _("You made a complaint about %(name)s", name=name),
        "deletion_begun": _("You asked %(name)s to erase a copy", name=name),
    }
    return sentences[kind]


def _answer(name: str, reason: str | None) -> str:
    sentences = {
        "erased": _("%(name)s has erased your data", name=name),
        "kept": _("%(name)s still keeps your data", name=name),
        "access_answered": _("%(name)s says that you were shown your data", name=name),
        "access_refused": _("%(name)s does not show you your data", name=name),
        "rectified": _("%(name)s has corrected your data", name=name),
        "rectification_refused": _("%(name)s does not correct your data", name=name),
        "access_acknowledged": _("%(name)s has received your question to see your data", name=name),
        "rectification_acknowledged": _("%(name)s has received your question to correct your data", name=name),
    }
    return str(sentences.get(str(reason), _("%(name)s has received your question to erase", name=name)))


def data_of(attributes: Sequence[str]) -> str:
    """The attributes in one line, without the register's warnings, which go with every card."""
    tongue = language()
    return ", ".join(names.label_of(each, tongue) for each in attributes if not names.is_flag(each))


def reason_of(line: Line) -> str:
    """Why something was refused or is kept; empty where there is nothing to say."""
    event = line.event
    if event is None:
        return ""
    if line.count == 1 and is_odd(event):
        return str(_("This was outside usual hours."))
    if line.kind == "refused" and event.reason in REASONS:
        return str(REASONS[event.reason])
    if event.law and event.until:
        law = visible(event.law)
        return str(_("They say that they must, under %(law)s, until %(day)s.", law=law, day=day(event.until)))
    if event.law:
        return str(_("They say that a law allows it: %(law)s.", law=visible(event.law)))
    return ""


def search_text(line: Line) -> str:
    """All that can be read of a line, for the search."""
    service = names.service_name(line.record, language()) if line.record else ""
    return " ".join((title_of(line), data_of(line.attributes), service, reason_of(line), line.number or ""))
