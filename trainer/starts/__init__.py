"""The partition before the first iteration, and the score that chooses among several."""
