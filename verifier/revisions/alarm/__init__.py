"""Revisions of schema `alarm`, in their order."""
