"""Records of processes in the database: the call links of a campaign, its lineage, the cost of its labels."""
