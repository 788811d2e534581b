"""Whether two expressions have the same value: exactly, modulo a prime, or within error bounds."""
