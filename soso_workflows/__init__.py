"""The AiiDA plugin: data types, calculations, parsers, campaigns and commands."""
