"""regie issuer: the clerk, who looks at the record of a resident before anything is issued."""

import click

from issuer.brp import parse_bsn
from issuer.config import IssuerConfig
from issuer.revoke import MAX_REASON
from issuer.web import open_office
from service.command import command, emit, read_secret
from service.home import Home


def _check_reason(reason: str) -> str:
    if not 0 < len(reason) <= MAX_REASON:
        raise click.UsageError(f"a reason has 1 to {MAX_REASON} characters")
    return reason


@click.command("hold")
@click.option("--bsn", required=True, help="Whose; - reads it from stdin.")
@click.option("--reason", required=True, help="Kept here; not published.")
@command
def hold(ctx: click.Context, home: Home, bsn: str, reason: str) -> None:
    """Issue nothing more to a resident until a clerk has looked: his wallet is told to come back later."""
    known = parse_bsn(read_secret(bsn, name="BSN"))
    open_office(home, home.config(IssuerConfig)).hold(known, _check_reason(reason))
    emit(ctx, "Held. `regie issuer waiting` shows what is asked meanwhile.", {"held": True})


@click.command("release")
@click.option("--bsn", required=True, help="Whose; - reads it from stdin.")
@command
def release(ctx: click.Context, home: Home, bsn: str) -> None:
    """Hold a resident no longer; what waits already is still to be approved or denied."""
    known = parse_bsn(read_secret(bsn, name="BSN"))
    was_held = open_office(home, home.config(IssuerConfig)).release(known)
    emit(ctx, "Released." if was_held else "This resident was not held.", {"released": was_held})


@click.command("waiting")
@command
def waiting(ctx: click.Context, home: Home) -> None:
    """List what waits for a clerk, the oldest first, with the ids that `approve` and `deny` take."""
    found = open_office(home, home.config(IssuerConfig)).waiting()
    lines = [f"{one.offer_id}  {', '.join(one.configurations)}" for one in found]
    emit(
        ctx,
        "\n".join(lines) or "Nothing waits.",
        {
            "waiting": [
                {"id": one.offer_id, "credentials": list(one.configurations), "asked": one.asked} for one in found
            ]
        },
    )


@click.command("approve")
@click.argument("issuance_id", metavar="ID")
@command
def approve(ctx: click.Context, home: Home, issuance_id: str) -> None:
    """Issue what waits under ID, when the wallet comes back, and hold its resident no longer."""
    open_office(home, home.config(IssuerConfig)).approve(issuance_id)
    emit(ctx, "Approved: the wallet gets its credentials when it asks again.", {"approved": issuance_id})


@click.command("deny")
@click.argument("issuance_id", metavar="ID")
@click.option("--reason", required=True, help="Kept here; not published.")
@command
def deny(ctx: click.Context, home: Home, issuance_id: str, reason: str) -> None:
    """Do not issue what waits under ID; its resident stays held."""
    open_office(home, home.config(IssuerConfig)).deny(issuance_id, _check_reason(reason))
    emit(ctx, "Denied: the wallet is told when it asks again.", {"denied": issuance_id})
