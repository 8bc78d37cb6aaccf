"""The door: who may come in, with what, how often and how fast. Nothing in here knows how a ticket is answered."""
