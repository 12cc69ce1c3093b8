def sell(price):
    """What is measured."""
    return price
