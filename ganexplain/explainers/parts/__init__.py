"""The explainer that rewrites a layer's features as parts."""
