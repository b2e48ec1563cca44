"""From the store to tidy tables: rows, names of arms, intervals."""
