"""AWS on a laptop: moto's server with a memory, Lambda's runtime and event source mappings, and an HTTP API."""
