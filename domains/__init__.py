"""What a fork replaces: one folder a domain, and `spec.py`, which says what a domain must define."""
