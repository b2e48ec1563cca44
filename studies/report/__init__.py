"""The report: figures, claims, tables and provenance of each study on one page, and an index.

Nothing is imported here, since a run that ends with a table of text needs no drawing library.
"""
