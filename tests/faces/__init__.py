"""The four faces before a real browser: Debian's Chromium, driven by Playwright, and one town of real processes.

Map: `chromium` (the programs) -> `town` (the town and its faces) -> `browser` (a page as somebody sees it) ->
`accessible`, `sweep`, `keyboard` and `paper` (what every page is held against) -> `pages/` (every page of every
face, and the way there). `catalogue` and `literals` look at the words without a browser.
"""
