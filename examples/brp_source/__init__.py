"""Two base registers to try things with, never for real people: BRP API Personen 2.7.0 and WOZ bevragen 1.0.0.

    python -m examples.brp_source --port 9100

They serve persons from a file, give only the fields asked for, derive what RvIG and Kadaster derive, and refuse
wrong requests in the words of RvIG. Rules: docs/registers.md.
"""
