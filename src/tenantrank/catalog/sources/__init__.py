"""Importers of public sources, one module each, and what they share: reading, names, regions, prices."""
