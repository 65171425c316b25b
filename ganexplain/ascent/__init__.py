"""Activation maximisation and what it is measured against: tensors in, tensors out."""
