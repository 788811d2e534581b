"""The fast path: normal forms of strings, and what they settle exactly."""
