import subprocess
import sys
import threading

from ancestry_core.performance_monitor import PerformanceMonitor


def test_threads_are_counted():
    monitor, done = PerformanceMonitor(), threading.Event()
    before = monitor.thread_count()
    thread = threading.Thread(target=done.wait)
    thread.start()
    assert monitor.thread_count() == before + 1
    done.set()
    thread.join()
    assert monitor.thread_count() == before


def test_memory_is_that_of_this_process_in_bytes():
    monitor = PerformanceMonitor()
    before = monitor.memory_bytes()
    # Written to, because memory that is only reserved is not resident.
    ballast = bytearray(b"x") * 64_000_000
    assert monitor.memory_bytes() - before > 32_000_000
    assert len(ballast) == 64_000_000


def test_processor_use_is_read_since_the_last_reading():
    monitor = PerformanceMonitor()
    assert monitor.cpu_percent() == 0.0
    sum(range(5_000_000))
    assert monitor.cpu_percent() > 0.0


def test_a_snapshot_holds_all_of_it():
    snapshot = PerformanceMonitor().snapshot()
    assert snapshot.threads >= 1
    assert snapshot.memory_bytes > 1_000_000
    assert snapshot.cpu_percent == 0.0


def test_importing_it_starts_nothing():
    code = (
        "import threading, ancestry_core.performance_monitor, ancestry_core.session_manager;"
        "print(threading.active_count())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "1\n"
