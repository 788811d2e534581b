"""Formulas: text is read to a tree, and two trees are compared by exact and high-precision evaluation."""
