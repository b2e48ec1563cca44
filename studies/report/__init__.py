"""The report: figures, claims, tables and provenance of each study on one page, and an index."""

from studies.report.build import build

__all__ = ["build"]
