"""The alarm bell: its rules, its score on years never looked at, and what is kept of it."""
