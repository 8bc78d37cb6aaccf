"""What can be asked of a service; the HTTP API, the console and the command line all call these functions."""
