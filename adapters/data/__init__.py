"""Data sets: from annotated tickets to checked, versioned rows with a sealed holdout."""
