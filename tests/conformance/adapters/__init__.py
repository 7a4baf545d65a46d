"""One module a platform; each holds `ADAPTER` (or `ADAPTERS`, when a platform has several forms)."""
