"""Revisions of schema `auditor`, in their order."""
