"""The version, which the build reads here: package metadata take milliseconds to be looked up."""

__all__ = ["__version__"]

__version__ = "0.1.0"
