"""`formfact drift reference`."""
