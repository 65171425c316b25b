"""The networks that are trained here to classify, with their training."""
