"""The commands of a service, and the desk that they work at: in this process, or a client of the one that runs."""
