"""Views of a campaign: tables, plots, the report."""
