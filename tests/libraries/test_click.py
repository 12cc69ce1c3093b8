"""click: commands, groups, callbacks and types, run as its own test runner does."""

from __future__ import annotations

APP = """
    import click
    from click.testing import CliRunner

    @click.command()
    @click.option("--name", default="ada")
    def hello(name):
        click.echo(f"hello {name}")

    def loud(context, parameter, value):
        return value.upper()

    @click.group(invoke_without_command=True)
    @click.option("--word", default="a", callback=loud)
    @click.pass_context
    def group(context, word):
        context.obj = word

    @group.command("sub")
    @click.argument("number", type=int)
    @click.pass_obj
    def sub(word, number):
        click.echo(word * number)

    @group.command()
    @click.confirmation_option(prompt="sure?")
    def drop():
        click.echo("dropped")

    @group.result_callback()
    @click.pass_context
    def after(context, result, word):
        click.echo("after")

    class Even(click.ParamType):
        name = "even"
        def convert(self, value, parameter, context):
            return int(value) // 2 * 2

    @click.command()
    @click.argument("number", type=Even())
    def even(number):
        click.echo(number)

    def main():
        run = CliRunner().invoke
        seen = [run(hello, ["--name", each]).output for each in ("ada", "ben")]
        hello.main([], standalone_mode=False)
        hello.callback("direct")
        seen += [run(group, ["--word", "b", "sub", "3"]).output, run(group, []).output]
        seen += [run(group, ["drop", "--yes"]).output, run(group, ["drop"], input="n").exit_code]
        seen += [run(even, ["5"]).output, run(hello, ["--wrong"]).exit_code]
        return seen
"""
COUNTS = {
    "app:hello": 4,
    "app:loud": 4,
    "app:group": 4,
    "app:sub": 1,
    "app:drop": 1,
    "app:Even.convert": 1,
    "app:even": 1,
}
ANSWERS = [
    "hello ada\n", "hello ben\n", "BBB\nafter\n", "after\n", "dropped\nafter\n", 1, "4\n", 2,
]  # fmt: skip


def test_commands_and_what_belongs_to_them(run_program):
    done = run_program(APP, *COUNTS)
    assert done.result == ANSWERS
    assert done.calls == COUNTS


def test_a_function_that_click_wraps_and_gives_back(run_program):
    done = run_program(APP, "app:after")
    assert done.result == ANSWERS
    assert done.calls == {"app:after": 3}
