"""Monte Carlo sampling of spins on a fixed lattice."""
