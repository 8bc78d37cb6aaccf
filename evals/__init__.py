"""The comparison: cases, metrics, statistics, gate. Reads everything, is read by nothing but the command line."""
