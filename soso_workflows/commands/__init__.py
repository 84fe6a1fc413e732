"""The commands `verdi data soso ...`."""
