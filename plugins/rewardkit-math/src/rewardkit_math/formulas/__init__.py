"""Formulas: parse LaTeX to a small tree, and settle equality by exact and high-precision evaluation."""
