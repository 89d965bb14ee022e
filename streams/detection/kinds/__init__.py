"""Rule kinds, one file each; a new file is found without being listed."""
