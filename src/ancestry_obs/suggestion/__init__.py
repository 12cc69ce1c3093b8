"""A package, or what a command calls of it -> a starter map.

trace_start       a Python process of the command begins: it is traced
tracer            calls -> counts, times, and which values arguments have
traced_command    a command -> what all its processes called
proposals         values that were seen, annotations -> labels
candidates        a package's source, or what was called -> what is worth an instrument
prices            what a measured call costs here and now
starter_map       candidates -> the text of a map that passes `check`
"""
