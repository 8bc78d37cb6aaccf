"""What whoever is on call looks at: metrics and traces."""
