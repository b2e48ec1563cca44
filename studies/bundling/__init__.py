"""A study in one archive, by which somebody without this program can work its numbers out again."""
