"""Revisions of schema `lock`, in their order."""
