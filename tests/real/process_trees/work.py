"""Work that is imported by whoever does it."""


def work(number):
    """Do a piece of work."""
    return number * number
