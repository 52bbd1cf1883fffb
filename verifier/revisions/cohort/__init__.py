"""Revisions of schema `cohort`, in their order."""
