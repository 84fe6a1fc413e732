"""CalcJobs that run the command `soso`."""
