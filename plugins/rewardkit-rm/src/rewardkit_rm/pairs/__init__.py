"""Preference data: reading, checking, splitting, and what several annotators said."""
