"""A package, or what a command calls of it -> a starter map.

trace_start       a Python process of the command begins: it is traced
tracer            what Python tells of calls -> the counter
call_counter      beginnings and ends of calls -> counts, times, and values of arguments
personal          a parameter's name -> whether its values are somebody's data
traced_command    a command -> what all its processes called
proposals         values that were seen, annotations -> labels
candidates        a package's source, or what was called -> what is worth an instrument
prices            what a measured call costs here and now
weighing          what was called, and prices -> ranked rows with costs
sieve             candidates -> those of which a map passes `check`
starter_map       candidates -> the text of a map that passes `check`
"""
