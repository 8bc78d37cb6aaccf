"""The HTTP endpoints, a file a concern. They translate; what is decided is decided elsewhere."""
