"""`python -m hookcatch` is `hookcatch`."""

from .cli import main

main(prog_name="hookcatch")
