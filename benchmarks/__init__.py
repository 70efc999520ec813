"""Speed, side by side: `python -m benchmarks`. Nothing in here is part of hookcatch."""
