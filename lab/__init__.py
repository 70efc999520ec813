"""Fault injection: hookcatch in real processes, killed, stopped, starved and raced, and counted afterwards.

`python -m lab --help`; docs/experiments.md says what each experiment shows.
"""
