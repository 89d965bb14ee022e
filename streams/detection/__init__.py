"""Stage 2: signals and what rules remember become alerts."""
