"""AiiDA data types: data sets and models."""
