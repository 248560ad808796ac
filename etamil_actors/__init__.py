"""A runtime in which a program written in eTamil is a running service."""

__version__ = "0.1.0"
