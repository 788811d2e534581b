"""Find the final answer in a response."""
