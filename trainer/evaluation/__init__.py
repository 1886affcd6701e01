"""How good a finished model is: densities, pictures and partitions, judged from outside."""
