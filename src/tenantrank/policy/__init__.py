"""The policy language: JSON value to admitted policy, and what follows from a policy without a catalog."""
