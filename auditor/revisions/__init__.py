"""Revisions of the tables, one folder a schema: see `service.migrations`. A released one is never edited."""
