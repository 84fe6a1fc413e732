"""The `soso` command: file in, file out, no AiiDA; all that a compute node needs."""
