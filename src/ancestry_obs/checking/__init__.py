"""A map and a program's source -> what fits and what does not; the program is not imported.

modules      a module's name -> its file
conditions   the test of an ``if`` -> whether it holds here
symbols      a source -> the names that it binds
tables       the same, kept from one run to the next
program      what a name means, through imports and base classes
decorators   what a decorator leaves of a function
targets      a pattern -> the functions it means
"""
