"""Classifiers, their training, evaluation and prediction."""
