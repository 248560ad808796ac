"""What this project claims about speed, as programs that anybody can run: ``python -m benchmarks``."""
