"""The same hops on a simulated clock."""
