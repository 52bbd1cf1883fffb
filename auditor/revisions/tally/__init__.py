"""Revisions of schema `tally`, in their order."""
