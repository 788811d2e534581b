"""The gate before RL: a checklist and stress cases, pass or fail with numbers."""
