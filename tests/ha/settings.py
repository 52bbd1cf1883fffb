"""One node's Patroni configuration. What protects acknowledged commits has its reason beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEASE_SECONDS = 20
"""A lost leader is replaced when its lease has run out. Patroni 4 takes no shorter one."""
LOOP_SECONDS = 1
RETRY_SECONDS = 3
"""LOOP + 2 * RETRY must fit into the lease."""
SUPERUSER, REPLICATION, REWIND = "keeper", "follower", "rewinder"


@dataclass(frozen=True)
class Node:
    """Where one node lives and listens."""

    name: str
    folder: Path
    port: int
    rest_port: int


def patroni_settings(node: Node, *, scope: str, etcd: list[str], programs: Path, passwords: dict[str, str]) -> Any:
    """The whole file, as a value: JSON is YAML."""
    return {
        "scope": scope,
        "namespace": "/regie/",
        "name": node.name,
        "log": {"level": "INFO"},
        "restapi": _listening(node.rest_port),
        "etcd3": {"hosts": etcd, "protocol": "http"},
        "bootstrap": {"dcs": _shared(), "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"]},
        "postgresql": {
            **_listening(node.port),
            "data_dir": str(node.folder / "data"),
            "bin_dir": str(programs),
            "pgpass": str(node.folder / "pgpass"),
            "use_unix_socket": True,
            "basebackup": {"checkpoint": "fast"},
            "authentication": {
                role: {"username": user, "password": passwords[user]}
                for role, user in (("superuser", SUPERUSER), ("replication", REPLICATION), ("rewind", REWIND))
            },
            "parameters": {"unix_socket_directories": str(node.folder)},
            "pg_hba": [
                "local all all scram-sha-256",
                f"host replication {REPLICATION} 127.0.0.1/32 scram-sha-256",
                "host all all 127.0.0.1/32 scram-sha-256",
            ],
        },
        # No /dev/watchdog in a test. A deployment has one: it stops a leader whose Patroni died.
        "watchdog": {"mode": "off"},
    }


def _listening(port: int) -> dict[str, str]:
    return {"listen": f"127.0.0.1:{port}", "connect_address": f"127.0.0.1:{port}"}


def _shared() -> dict[str, Any]:
    """What all nodes agree on, kept in etcd."""
    return {
        "ttl": LEASE_SECONDS,
        "loop_wait": LOOP_SECONDS,
        "retry_timeout": RETRY_SECONDS,
        "maximum_lag_on_failover": 1 << 20,
        # A crashed leader is not started again in its place while a standby can take over at once.
        "primary_start_timeout": 0,
        # A commit is acknowledged when a standby has it on its disk too. Strict: without any standby writes wait,
        # for else a leader that is alone acknowledges what its successor never sees.
        "synchronous_mode": True,
        "synchronous_mode_strict": True,
        "synchronous_node_count": 1,
        "postgresql": {
            "use_pg_rewind": True,
            # An old leader whose history cannot be turned back is thrown away and cloned.
            "remove_data_directory_on_rewind_failure": True,
            "parameters": {
                "synchronous_commit": "on",
                "fsync": "on",
                "full_page_writes": "on",
                "wal_log_hints": "on",  # pg_rewind needs it
                "max_connections": 100,
                "shared_buffers": "32MB",
                "wal_keep_size": "128MB",
                "wal_receiver_timeout": "5s",
                "wal_sender_timeout": "5s",
                "wal_retrieve_retry_interval": "500ms",
                # A client that went away without a word must not keep the writers' lock.
                "idle_in_transaction_session_timeout": "10s",
                "tcp_keepalives_idle": 5,
                "tcp_keepalives_interval": 2,
                "tcp_keepalives_count": 3,
            },
        },
    }
