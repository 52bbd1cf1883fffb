r"""The append-only, witnessed consent log: no entry, no key.

    web, hot --> parties --> intake --> waiting --> writer --> admit, sequence --> store      one writer, and one
                                           ^           \--> follow, tree, release             transaction a group
                                           |            \
                                       published <-- publisher --> turns, lock, cosign --> client (witnesses)

Rules, pure: `operations` (what is asked, what comes of it) and `rows` (what is there), `intake` (checked before
rows decide), `admit` (decided on rows), `sequence` (a group of leaves and its head), `release` (shares at rest and
on their way), `publish` (what everybody sees), `tree` (the hashes).
Threads: `writer` (the only one of its process that writes), `publisher` (lock, sign, cosign), `waiting` (where
operations wait). Several processes on one PostgreSQL: `follow` (what others appended), `turns` (who publishes).
Disk: `tables`, `store` (what a group reads and writes), `queries`, `lock`, `reserve`, `upkeep`. `fsck` derives it
again (`fsck_tree`, `fsck_rows`, `fsck_sums`, `findings`), `backup` puts a copy back (`stores`, `cli_store`).
Doors: `web` (Flask), `hot` (READs on the event loop), `parties` and `public` (what they answer), `client` (the log
as a client of its witnesses), `status_lists` (for standard software), `witness` (a plain one), `cli`. `node` is
one running log, `config` its home, `keys` what signs and opens there, `rotation` how that changes.
`crash` names the points at which a test may kill the process.
"""
