"""What a map costs: a command runs without it and with it, and prices come for each target.

    map, command -> pairs of runs (measured_run) -----------------------> estimate -> report
                 -> one run that captures calls -> prices of stand-ins -^

In the processes of the command work `stopwatch` (what starting and ending takes), and in that one
run `captures` and `pricing`. Nothing is imported here: a process of the command would wait for it.
"""
