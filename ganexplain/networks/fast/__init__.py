"""Rewrites of networks that compute the same function faster."""
