"""Pools of one way to start processes, each with work of its own file and of an imported one."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import work


def own_work(number):
    """Do a piece of work that is defined here."""
    return number + 1


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    numbers = range(int(sys.argv[2]))
    # Its workers are replaced all the time, and ended by SIGTERM.
    with context.Pool(2, maxtasksperchild=3) as pool:
        print(sum(pool.map(work.work, numbers, 5)), sum(pool.map(own_work, numbers, 5)))
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        print(sum(executor.map(work.work, numbers)), sum(executor.map(own_work, numbers)))
    process = context.Process(target=own_work, args=(0,))
    process.start()
    process.join()
    work.work(0)
