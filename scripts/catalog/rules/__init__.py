"""Rules, one function each. Every module here is loaded; a platform's own rules are in the module of its name."""
