"""What `select` compares: real excerpts, controls, judges and the ranking."""
