"""Local explanations: why a model gave this score to this input. Arrays in, arrays out."""
