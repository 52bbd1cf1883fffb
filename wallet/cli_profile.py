"""regie wallet profile: defaults for who does not want to decide each time. None of them is a yes."""

import click
import msgspec

from service.command import emit
from wallet.cli_open import with_wallet
from wallet.errand_profile import keep_profile, profile_of
from wallet.opened import OpenWallet
from wallet.profile import PROFILES, TERMS, Profile, change, choose

_ASKED = "as-asked"
_DAYS = click.Choice([_ASKED, *(str(days) for days in TERMS if days)])


@click.command("profile")
@click.argument("name", required=False, type=click.Choice(list(PROFILES)))
@click.option("--longest", type=_DAYS, help="Days that new agreements last at most.")
@click.option("--prefers", type=click.Choice(["any", "standing", "once"]), help="How you like to give.")
@click.option("--news", type=click.Choice(["all", "important"]), help="What the first page reports.")
@click.option("--may-help", type=click.Choice(["nobody", "family", "counter"]), help="Whom you ask for help.")
@click.option("--follow/--no-follow", default=None, help="Whether new agreements follow the register.")
@with_wallet
def profile(
    ctx: click.Context,
    wallet: OpenWallet,
    name: str | None,
    longest: str | None,
    prefers: str | None,
    news: str | None,
    may_help: str | None,
    follow: bool | None,
) -> None:
    """Show your profile; with NAME choose one, with options change it. You still say yes or no each time."""
    chosen = choose(name) if name else profile_of(wallet)
    told = {"prefers": prefers, "news": news, "may_help": may_help, "follow": follow}
    changes: dict[str, object] = {key: value for key, value in told.items() if value is not None}
    if longest is not None:
        changes["longest_days"] = None if longest == _ASKED else int(longest)
    chosen = change(chosen, **changes)
    if name or changes:
        keep_profile(wallet, chosen)
    emit(ctx, _text(chosen), msgspec.to_builtins(chosen))


def _text(profile: Profile) -> str:
    longest = f"{profile.longest_days} days at most" if profile.longest_days else "as long as they ask"
    prefers = {"any": "as it comes", "standing": "access that you can stop", "once": "a copy, once"}
    return (
        f"Profile: {profile.name or 'none'}\n"
        f"New agreements: {longest}\n"
        f"You like to give: {prefers[profile.prefers]}\n"
        f"First page: {'everything' if profile.news == 'all' else 'what is important'}\n"
        f"Help: {profile.may_help}\n"
        f"Follow the register: {'yes' if profile.follow else 'no'}"
    )
