"""Revisions of schema `verifier`, in their order."""
