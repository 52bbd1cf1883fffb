"""The auditor: replays, cosigns and reports; shares only formats with the log it checks.

Rules (pure): `findings` (what a verdict is), `integrity` (the public history), `openings` (reads against
grants) with its `book` of numbers, `evidence` (what an agency keeps, against the log); `prove`, `proving_tree`,
`guess` and `convict` make fraud proofs of what they find; `report` and `tally` count; `operator`: which
pieces of shares may be released.
Edges: `follow` with `follow_store` and `tally_store` (keeping up with a log), `watch` (doing so from a home),
`proofs` (fraud proofs as files), `cosigner` (the hooks of the witness endpoint), `client` (the log's public files
and openings), `store` (what was seen before), `roots` (agencies' certificates of before), `evidence_file` (what an
agency exports), `shares` and `custodian` (what an operator holds, and does with it), `case` with `open_case` and
`looks` (the file of one agreement, and who opened it), `web` (the cosigner), `config`, `cli` and its parts, `ui`
(the console).
"""
