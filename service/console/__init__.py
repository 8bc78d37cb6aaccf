"""The web console: pages that a server renders, over the functions that the HTTP API calls too."""
