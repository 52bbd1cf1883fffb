r"""The append-only, witnessed consent log: no entry, no key.

    web --> intake --> workers --> admit, sequence --> store          one writer, one transaction for a whole group
                          |            \--> tree (hashes), release (shares, sealed and at rest)
                          \--> publish --> lock (global, compare and swap), client (witnesses) --> snapshot

Rules, pure: `operations` (what is asked, what comes of it), `intake` (checked before any row is read), `admit`
(decided on rows), `sequence` (a group of leaves and its head), `release`, `publish`. They import no I/O.
Rooms with a door: `tables`, `store`, `queries`, `lock` and `epochs` (disk), `client` (witnesses), `workers` (the
sequencer and the publisher), `node` (one running log), `web`, `witness`, `config`, `cli`.
`crash` names the points at which a test may kill the process.
"""
