"""Profiles: named sets of defaults for who does not want to decide each time. Pure.

A profile proposes; it never says yes. It narrows what a page begins with (an earlier last day), says what the
resident prefers, and chooses what the wallet reports first. No profile ticks data, presses a button, or lets
anybody act: the errands of giving do not know that there are profiles.
"""

from datetime import date, datetime, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from protocol.errors import Rejected

ProfileName: TypeAlias = Literal["zelfredzaam", "ontzorgd", "veiligheid", "ultra-mobiel"]
Prefers: TypeAlias = Literal["any", "standing", "once"]
"""How to give, where an organisation leaves the choice: as it comes, access that can be stopped, or a copy."""
News: TypeAlias = Literal["all", "important"]
"""What the first page reports. Everything stays to be read on the page of notices."""
Helper: TypeAlias = Literal["nobody", "family", "counter"]
"""Whom the resident wants to ask for help. Acting in somebody's name takes a mandate; this is none."""
TERMS = (None, 7, 30, 90, 180)
"""Days that the wallet proposes at most; None as long as is asked."""
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")


class Profile(msgspec.Struct, frozen=True):
    """The defaults in force. `name`: the profile they came from, None before one was chosen.

    `longest_days`: proposed for a new agreement, never more than is asked; `follow`: whether new agreements follow
    the register when it changes (each agreement has its own say).
    """

    name: ProfileName | None = None
    longest_days: int | None = None
    prefers: Prefers = "any"
    news: News = "all"
    may_help: Helper = "nobody"
    follow: bool = False


AS_AT_FIRST = Profile()
"""Before anybody chose: everything is asked, nothing is proposed."""
PROFILES: dict[ProfileName, Profile] = {
    "zelfredzaam": Profile("zelfredzaam"),
    "ontzorgd": Profile("ontzorgd", prefers="standing", news="important", may_help="family", follow=True),
    "veiligheid": Profile("veiligheid", longest_days=30, prefers="once"),
    "ultra-mobiel": Profile("ultra-mobiel", 180, prefers="standing", news="important", follow=True),
}


def choose(name: str) -> Profile:
    """The defaults of a named profile. Raises `Rejected`: `unknown_profile`."""
    for known, profile in PROFILES.items():
        if name == known:
            return profile
    raise Rejected("unknown_profile", f"a profile is one of {', '.join(PROFILES)}")


def change(profile: Profile, **changes: object) -> Profile:
    """The same with other defaults. Raises `Rejected`: `bad_profile` for what is none."""
    if changes.get("longest_days", profile.longest_days) not in TERMS:
        raise Rejected("bad_profile", "choose one of the terms that are offered")
    try:
        return msgspec.convert(msgspec.to_builtins(replace(profile, **changes)), Profile)
    except (msgspec.ValidationError, TypeError) as error:
        raise Rejected("bad_profile", "there is no such default") from error


def is_changed(profile: Profile) -> bool:
    """Whether the resident changed something since they chose it."""
    return profile.name is not None and profile != PROFILES[profile.name]


def propose_until(profile: Profile, latest: int | None, now: int) -> date | None:
    """The last day to begin with, in Amsterdam; None for as long as is asked.

    `latest`: the last moment that is asked and possible, POSIX seconds; None of a copy. The proposal is
    always earlier: a profile never makes an agreement longer.
    """
    if profile.longest_days is None or latest is None:
        return None
    last = datetime.fromtimestamp(now, _AMSTERDAM).date() + timedelta(days=profile.longest_days)
    end = datetime.fromtimestamp(latest, _AMSTERDAM).date()
    return last if last < end else None
