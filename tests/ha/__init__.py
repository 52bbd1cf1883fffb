"""A PostgreSQL cluster on loopback that the tests can break: three Patroni nodes over etcd, and a log on top.

Map: `programs` (what is installed) -> `settings` (one node's) -> `guard` (what ends it) -> `cluster` -> `town` (a
log on it), `clients` (the load) -> `verdict` (what must be true afterwards).
"""
