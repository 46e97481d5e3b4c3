"""Tests of the rulebook and its compiler."""
