"""The `tocsin` command: one file for each group of subcommands."""
