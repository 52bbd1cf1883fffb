"""regie wallet: the resident's own program. Every command can be scripted; only a terminal is asked questions."""

import os
import resource

import click

from service.command import home_option
from wallet import (
    cli_after,
    cli_counter,
    cli_give,
    cli_mandate,
    cli_migrate,
    cli_profile,
    cli_receive,
    cli_refresh,
    cli_rights,
    cli_serve,
    cli_stop,
)


@click.group()
@home_option
def group() -> None:
    """Hold attributes, grant, look back and stop."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the seed


for _command in (
    cli_give.init,
    cli_receive.receive,
    cli_receive.get,
    cli_receive.refill,
    cli_receive.check,
    cli_give.cards,
    cli_give.inspect,
    cli_give.grant,
    cli_give.present,
    cli_give.decline,
    cli_give.grants,
    cli_mandate.mandates,
    cli_mandate.mandate,
    cli_mandate.proposals,
    cli_mandate.agree,
    cli_after.revoke,
    cli_stop.stop_all,
    cli_stop.stop_paper,
    cli_after.sync,
    cli_after.history,
    cli_rights.ask,
    cli_rights.erase,
    cli_rights.complain,
    cli_rights.activities,
    cli_refresh.renew,
    cli_refresh.refresh,
    cli_refresh.follow,
    cli_refresh.extend,
    cli_after.backup,
    cli_after.restore,
    cli_migrate.export,
    cli_migrate.import_,
    cli_after.remove,
    cli_profile.profile,
    cli_serve.serve,
    cli_serve.open_again,
    cli_counter.counter,
):
    group.add_command(_command)
