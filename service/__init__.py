"""The shared I/O of every role: knows protocol/, knows no role.

clock        what time it is, as a part that tests replace
home         the directory of one role: secrets 0600, every write atomic and fsynced
certificates a party's own root and leaf in its home
keyring      a key of a home that can rotate while a server uses it
address      where a request may go: the form of a URL, the addresses behind a name
connection   TCP and TLS to a checked address, with a deadline on every read
fetch        the one way out: every HTTP request that any role makes
sqlite_file  SQLite files with durable settings; sqlite_tables: the same through sqlite-utils
ballast      room for revocations on a full disk
epochs       keys that wrap shares at rest, made daily and destroyed; for several processes
wal          what SQLite keeps of destroyed rows, emptied
database     SQLAlchemy engines whose commits are durable, on SQLite or PostgreSQL
schema       which revision of its tables a database has; migrations: brought to the newest at start; upgrade: how
postgresql   sessions of PostgreSQL that never wait for ever; hosts: which of a cluster to ask first
trust        the trust list: read, verified, never rolled back
journal      structured log lines without personal data
app          the web edge of a role: a Flask app with problem+json, limits and logs
edge         between the server and that app: patience with slow clients costs no thread
hot          an endpoint past Flask and its threads, on the edge's event loop
serve        one worker process of granian around an app
witness      C2SP tlog-witness over HTTP with its store; witness_keys: what cosigns there
log_files    the public files of a log as anybody reads them
replica      a log followed by its leaves, durably
command      the `regie` command line
"""
