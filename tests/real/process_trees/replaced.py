"""Workers that are replaced as long as somebody writes lines, one of them killed in between.

A line is how many rounds are to be made; `kill` has a worker do its work, and killed when somebody
has seen the count of it; an empty line is the end.
"""

import multiprocessing
import os
import signal
import sys

import work


def own_work(number):
    """Do a piece of work that is defined here."""
    return number + 1


def linger(connection):
    """Work, and wait for an end that does not come."""
    for number in range(10):
        own_work(number)
    connection.send("done")
    connection.recv()


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    for line in sys.stdin:
        if line == "kill\n":
            mine, theirs = context.Pipe()
            process = context.Process(target=linger, args=(theirs,))
            process.start()
            mine.recv()
            print("lingers", flush=True)
            sys.stdin.readline()
            os.kill(process.pid, signal.SIGKILL)
            process.join()
        else:
            with context.Pool(2, maxtasksperchild=1) as pool:
                pool.map(work.work, range(int(line)), 4)
                pool.map(own_work, range(int(line)), 4)
        print("ready", flush=True)
