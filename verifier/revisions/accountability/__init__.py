"""Revisions of an agency's account of its officers."""
