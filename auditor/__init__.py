"""The auditor: replays, cosigns and reports; shares only formats with the log it checks.

Rules (pure): `findings` (what a verdict is), `integrity` (the public history), `openings` (reads against
grants), `evidence` (what an agency keeps, against the log).
Edges: `cosigner` (the hooks of the witness endpoint), `client` (the log's public files and openings), `store`
(what was seen before), `evidence_file` (what an agency exports), `web` (the cosigner), `config`, `cli`.
"""
