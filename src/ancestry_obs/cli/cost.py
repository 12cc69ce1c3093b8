"""`ancestry-obs cost M -- COMMAND`: what a map costs, for each target and in all."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.cli import command_line
from ancestry_obs.cli.output import counted, say, say_json, table
from ancestry_obs.cli.verdicts import coloured, paragraph
from ancestry_obs.costing.conventions import DEAR_SHARE, LEAST_PAIRS, SEEN_SHARE, SHORT_CALL
from ancestry_obs.exceptions import LaunchError
from ancestry_obs.mapfile import load

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ancestry_obs.costing.estimate import Cost, Slowdown, TargetCost
    from ancestry_obs.mapfile import MapSpec

_ROUNDS: Final = 5
_MOST_ROUNDS: Final = 1000
_ROUNDS_OF_NOTHING: Final = 3
_SHOWN: Final = 20
_ROOM: Final = 41
_EPILOG: Final = f"""\
COMMAND is run again and again, as `ancestry-obs run` runs it: in each round
without the map, with it, and once more to find out what a call of each target
takes to measure. The round before the first warms up. What it prints is thrown
away, and nothing is let out: no file, no push. It has to end by itself, with
exit code 0.

A target is not worth it if it takes {DEAR_SHARE:.0%} of the run, or if it
takes {SEEN_SHARE:.1%} and its calls are shorter than {SHORT_CALL:.0f} times
what measuring them takes.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    from argparse import REMAINDER, RawDescriptionHelpFormatter  # noqa: PLC0415  only here

    parser = commands.add_parser(
        "cost",
        help="run a command without a map and with it, and tell what each target costs",
        usage="%(prog)s [-h] [--rounds N] [--json] M -- COMMAND [ARGUMENT ...]",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rounds",
        type=_rounds,
        default=_ROUNDS,
        metavar="N",
        help=f"how many rounds to compare ({_ROUNDS})",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("map", metavar="M", help="the map")
    parser.add_argument("program", nargs=REMAINDER, metavar="COMMAND", help="what to run")
    parser.set_defaults(command=command, parser=parser)


def command(arguments: argparse.Namespace) -> int:
    """Measure, and print what the map costs.

    Raises:
        ObservabilityError: the map has mistakes, or the command cannot be run or fails.
    """
    arguments = _sorted_out(arguments)
    spec = load(arguments.map)
    found = command_line.find(arguments.program)
    try:
        cost = _measured(spec, found.file, found.words, arguments.rounds)
    except KeyboardInterrupt:
        raise LaunchError("interrupted before all rounds were over; nothing is told") from None
    if arguments.json:
        say_json(_as_dict(cost))
    else:
        for line in _lines(arguments.map, cost):
            say(line)
    return 0


def _rounds(text: str) -> int:
    from argparse import ArgumentTypeError  # noqa: PLC0415  only here

    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _MOST_ROUNDS:
        raise ArgumentTypeError(f"{text!r} is no number of rounds; allowed is 1 to {_MOST_ROUNDS}")
    return int(text)


def _sorted_out(arguments: argparse.Namespace) -> argparse.Namespace:
    """Read the options that stand between the map and `--`: the parser takes them for COMMAND's."""
    words: list[str] = arguments.program
    if words and words[0].startswith("-") and words[0] != "--" and "--" in words:
        at = words.index("--")
        again = [*words[:at], arguments.map, "--", *words[at + 1 :]]
        arguments = arguments.parser.parse_args(again, arguments)
        words = arguments.program
    arguments.program = words[1:] if words[:1] == ["--"] else words
    if not arguments.program:
        arguments.parser.error("the following arguments are required: COMMAND")
    return arguments


def _measured(spec: MapSpec, file: str, words: Sequence[str], rounds: int) -> Cost:
    # Every command waits for what is imported with this module.
    from ancestry_obs.costing.estimate import estimate  # noqa: PLC0415  see above
    from ancestry_obs.costing.measured_run import Command, unseen  # noqa: PLC0415  see above

    runs = Command(file, words, spec)
    _tell("warming up")
    modules = runs.modules()
    runs.woven()
    pairs, prices = [], []
    for number in range(1, rounds + 1):
        _tell(f"round {number} of {rounds}")
        # In turn, so that neither has the better place.
        if number % 2:
            plain = runs.plain()
            woven = runs.woven()
        else:
            woven = runs.woven()
            plain = runs.plain()
        pairs.append((plain, woven))
        prices.append(runs.captured(plain.processor).prices)
    _tell("starting a Python that does nothing")
    rest = unseen(spec, modules, _ROUNDS_OF_NOTHING)
    _tell("")
    return estimate(pairs, prices, rest)


def _tell(what: str) -> None:
    """Say on a terminal how far it is; the next one takes the line's place."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)  # noqa: T201  a command prints


def _lines(name: str, cost: Cost) -> Iterator[str]:
    yield from paragraph(
        f"{name}: {counted(cost.pairs, 'pair')} of runs, without the map and with it", "bold"
    )
    yield table(
        ("", "without", "slower by", "", "noise"),
        [
            ("processor time", *_measured_row(cost.processor)),
            ("wall time", *_measured_row(cost.wall)),
        ],
    )
    yield ""
    yield from _target_lines(cost)
    yield ""
    yield from _verdict(cost)
    yield from _not_worth(cost)
    if cost.unmeasured:
        yield coloured("Not measured:", "bold")
    for target, reason in cost.unmeasured.items():
        yield from _remark(target, reason)


def _measured_row(slowdown: Slowdown) -> tuple[str, ...]:
    low, high = (slowdown.share(each) for each in (slowdown.low, slowdown.high))
    return (
        _seconds(slowdown.without),
        _seconds(slowdown.more),
        f"{slowdown.share(slowdown.more):.1%}",
        f"{low:.1%} to {high:.1%}",
    )


def _target_lines(cost: Cost) -> Iterator[str]:
    share = cost.processor.share
    yield coloured(f"{'share':>7}{'calls':>12}{'calls/s':>12}{'ns/call':>8}  target", "bold")
    for each in cost.targets[:_SHOWN]:
        price = "?" if each.price is None else f"{each.price:,.0f}"
        part = "?" if each.price is None else f"{each.share:.2%}"
        row = f"{part:>7}{each.calls:>12,.0f}{each.per_second:>12,.0f}{price:>8}"
        yield f"{coloured(row, 'red') if each.why_not else row}  {_shortened(each.target)}"
    rest = cost.targets[_SHOWN:]
    if rest:
        yield f"{sum(each.share for each in rest):>7.2%}{'':>32}  {len(rest)} more"
    yield f"{share(cost.startup):>7.2%}{'':>32}  start-up, weaving, end: {_seconds(cost.startup)}"
    yield f"{share(cost.total):>7.2%}{'':>32}  sum: {_seconds(cost.total)}"


def _shortened(target: str) -> str:
    return target if len(target) <= _ROOM - 2 else f"...{target[-(_ROOM - 5) :]}"


def _verdict(cost: Cost) -> Iterator[str]:
    measured = cost.processor
    sum_, more, low, high = (
        f"{measured.share(each):.1%}"
        for each in (cost.total, measured.more, measured.low, measured.high)
    )
    if cost.pairs < LEAST_PAIRS:
        yield f"The sum is {sum_}, the slowdown measured {more}. Whether they agree is not"
        yield f"known: it takes --rounds {LEAST_PAIRS} or more to see how large the noise is."
    elif cost.agreement == "agrees":
        yield from paragraph(
            f"The sum, {sum_}, agrees with the slowdown measured: {low} to {high}."
        )
    elif cost.agreement == "differs":
        yield from paragraph(
            f"The sum, {sum_}, differs from the slowdown measured: {low} to {high}.", "yellow"
        )
    else:
        yield f"The slowdown is lost in the noise ({low} to {high}), so that the sum,"
        yield f"{sum_}, cannot be compared with it: take a longer run, or more --rounds."
    lacking = [each for each in cost.targets if each.price is None]
    if lacking:
        yield coloured("Not in the sum:", "bold")
    for each in lacking:
        yield from _remark(each.target, each.reason)


def _not_worth(cost: Cost) -> Iterator[str]:
    found = [each for each in cost.targets if each.why_not]
    if not found:
        return
    yield coloured("Not worth it:", "bold")
    for each in found:
        yield from _remark(each.target, each.why_not)
    yield "Leave such a target out, or measure what calls it. sample = 0.01"
    yield "saves the clock's part, which is a fifth to a half."


def _remark(target: str, text: str) -> Iterator[str]:
    yield f"  {target}"
    yield from paragraph(f"    {text}", margin="      ")


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if abs(seconds) >= 1 else f"{seconds * 1000:.1f} ms"


def _as_dict(cost: Cost) -> dict[str, Any]:
    return {
        "pairs": cost.pairs,
        "processor_seconds": _slowdown_as_dict(cost.processor),
        "wall_seconds": _slowdown_as_dict(cost.wall),
        "targets": [_target_as_dict(each) for each in cost.targets],
        "startup_seconds": cost.startup,
        "sum_seconds": cost.total,
        "sum_share": cost.processor.share(cost.total),
        "agreement": cost.agreement,
        "unmeasured": cost.unmeasured,
    }


def _slowdown_as_dict(slowdown: Slowdown) -> dict[str, Any]:
    return {
        "without": slowdown.without,
        "more": slowdown.more,
        "noise": [slowdown.low, slowdown.high],
        "share": slowdown.share(slowdown.more),
    }


def _target_as_dict(each: TargetCost) -> dict[str, Any]:
    return {
        "target": each.target,
        "calls": each.calls,
        "calls_per_second": each.per_second,
        "nanoseconds_per_call": each.price,
        "call_takes_nanoseconds": each.call,
        "share": each.share,
        "worth_it": not each.why_not,
        "why_not": each.why_not,
        "reason": each.reason,
    }
