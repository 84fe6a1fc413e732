"""The contract of label workchains and those that run `soso label`."""
