"""The parser: a recursive descent from text to a tree, within budgets."""
