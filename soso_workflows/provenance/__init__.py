"""What the database records about processes: the call links of a campaign, its lineage, the cost of its labels."""
