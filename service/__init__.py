"""The shared I/O of every role: knows protocol/, knows no role.

clock     what time it is, as a part that tests replace
home      the directory of one role: secrets 0600, every write atomic and fsynced
fetch     the one way out: every HTTP request that any role makes
database  SQLAlchemy engines whose commits are durable, on SQLite or PostgreSQL
sqlite_file  SQLite files with durable settings, also through sqlite-utils
trust     the trust list, read, verified and never rolled back
app       the web edge: Flask with problem+json, limits and logs
serve     one worker process of granian around an app
journal   structured log lines without personal data
witness   C2SP tlog-witness over HTTP with its store
command   the `regie` command line
"""
