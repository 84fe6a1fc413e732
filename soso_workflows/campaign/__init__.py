"""The life of a campaign: its file, inputs, launch, state, costs and resumption."""
