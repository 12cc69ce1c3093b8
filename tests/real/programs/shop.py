"""A shop that knows nothing of metrics: it sells what is asked for on standard input."""

import sys

PRICES = {"apple": 1.5, "pear": 2.0, "plum": 0.5, "quince": 4.0, "rose hip": 9.0}
CLOSING_CODE = 3


class Till:
    def __init__(self):
        self.money = 0.0

    def sell(self, article, count):
        price = self.price_of(article)
        if price is None:
            raise LookupError(article)
        self.money += price * count
        return price * count

    def price_of(self, article):
        return PRICES.get(article)

    def serve(self, lines):
        for line in lines:
            count, _, article = line.strip().partition(" ")
            try:
                self.sell(article, int(count))
            except LookupError:
                sys.stdout.write(f"no {article}\n")


if __name__ == "__main__":
    till = Till()
    sys.stdout.write("open\n")
    till.serve(sys.stdin)
    sys.exit(CLOSING_CODE)
