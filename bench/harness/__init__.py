"""What the benchmarks share: the machine, the programs, the peers, pairing and printing."""
