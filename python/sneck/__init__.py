"""Which locks a program waits for, who holds them meanwhile, and from where."""
