"""What is more than a value: names, equations, sets, quantities, groups."""
