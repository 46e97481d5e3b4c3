"""The policy language's slow, obvious reference: written from its specification alone, one offer at a time."""
