"""Who calls: API keys with scopes, audiences and quotas, and the check that refuses unsafe settings."""
