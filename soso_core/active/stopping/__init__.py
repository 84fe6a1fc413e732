"""The record of a campaign and the decision to continue or stop."""
