"""What people outside see: the status page and its feeds, made of what was published and nothing else."""
