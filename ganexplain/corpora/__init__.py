"""Folders of recordings or pictures, and tensors of them."""
