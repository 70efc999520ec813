"""The words and the flow: no I/O, no clock, no framework."""
