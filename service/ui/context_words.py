"""When and from where readings are admitted, in words: on pages of a request, of an agreement, and of a desk."""

from babel.dates import get_day_names
from flask import Flask

from protocol.terms import Context
from service.ui.words import _, locale


def context_words(context: Context | None) -> str:
    """`Monday to Friday, from 8:00 to 18:00, only at the office`; without limits, that it is always."""
    if context is None:
        return str(_("At all times and places"))
    parts = [_days(context.days)] if context.days is not None else []
    if context.hours is not None:
        parts.append(str(_("from %(first)s:00 to %(last)s:00", first=context.hours[0], last=context.hours[1])))
    if context.zone is not None:
        parts.append(str(_("only at the office") if context.zone == "office" else _("only away from the office")))
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]


def install(app: Flask) -> None:
    """For the templates."""
    app.jinja_env.globals["context_words"] = context_words


def _days(days: list[int]) -> str:
    """Days that follow each other as first and last; ISO weekdays."""
    names = get_day_names("wide", locale=locale())
    shown = [str(names[day - 1]) for day in days]
    if len(days) > 2 and days == list(range(days[0], days[-1] + 1)):
        return str(_("%(first)s to %(last)s", first=shown[0], last=shown[-1]))
    return str(_("on %(days)s", days=", ".join(shown)))
