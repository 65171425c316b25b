"""The explainer that decomposes a layer's features into parts."""
