"""Drift: does what comes in, and what goes out, still look like the tickets that the adapter was measured on?"""
