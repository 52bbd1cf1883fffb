"""Revisions of schema `log`, in their order."""
