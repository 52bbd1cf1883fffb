"""Revisions of schema `operator`, in their order."""
