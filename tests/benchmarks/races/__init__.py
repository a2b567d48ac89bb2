"""Races: schedulers that do the same, one after the other, each in a process of its own."""
