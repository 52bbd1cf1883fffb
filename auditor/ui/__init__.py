"""The console: what the auditor's home keeps, as pages. Opened by `regie auditor serve` (`app.create`).

Figures (pure): `figures` (what was counted, by week, agency, service), `attention` (what stands out), `health` (is
the log whole, and how fresh is what is shown), `told` (findings, reasons and kinds of entries in words), `shown`
(an agreement as a page shows it).
Pages: `overview`, `services`, `integrity`, `findings`, `cases`, `report`, and `check`, which starts `jobs`.
`desk` holds what they share: the stores of the home, the trust list as it was kept, what was read a moment ago.
"""
