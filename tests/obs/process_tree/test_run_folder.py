"""The private folder of a run."""

from __future__ import annotations

import errno
import os
import pickle
import threading
from functools import partial
from pathlib import Path

import pytest

from ancestry_obs.process_tree import run_folder as module
from ancestry_obs.process_tree.identity import identity
from ancestry_obs.process_tree.run_folder import RunFolder, create, measured

# CPython warns of a fork beside threads; other tests may have left some.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


@pytest.fixture
def leave_behind(folder, counted, in_child):
    """Let a process hand something over and end without a word."""

    def leave(**calls):
        in_child(lambda: RunFolder(folder).hand_over(counted(**calls).as_bytes()))

    return leave


def files(folder, ending=""):
    return sorted(each.name for each in Path(folder).iterdir() if each.name.endswith(ending))


def test_what_was_put_in_comes_out(temporary):
    folder = create({"a": 1})
    assert Path(folder).parent == temporary
    assert measured(folder) == {"a": 1}
    assert Path(folder).stat().st_mode & 0o777 == 0o700


def test_what_does_not_pickle_leaves_no_folder(temporary):
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        create(lambda: 1)
    assert files(temporary) == []


def test_a_full_disk_leaves_no_folder(temporary, monkeypatch):
    monkeypatch.setattr("builtins.open", _full)
    with pytest.raises(OSError, match="No space"):
        create("what")
    assert files(temporary) == []


def _full(*_arguments, **_named):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_others_folders_are_not_trusted(folder, temporary):
    link = temporary / Path(folder).name.replace("-run-", "-run-1")
    link.symlink_to(folder)
    with pytest.raises(PermissionError, match="others than this user"):
        measured(str(link))
    Path(folder).chmod(0o750)
    with pytest.raises(PermissionError, match="others than this user"):
        measured(folder)


def test_folders_of_killed_runs_go_and_nothing_else(folder, temporary, in_child):
    killed = in_child(lambda: create("what"))
    unfinished = temporary / Path(killed).name.replace("-run-", "-run-1")
    unfinished.mkdir(mode=0o700)
    readable = temporary / Path(killed).name.replace("-run-", "-run-2")
    readable.mkdir(mode=0o755)
    (temporary / "ancestry-obs-run-notes").mkdir(mode=0o700)
    (temporary / "ancestry-obs-run-1-2-link").symlink_to(temporary / "ancestry-obs-run-notes")
    (temporary / "ancestry-obs-run-1-2-file").touch(0o600)
    another = create("another")
    assert {*map(str, temporary.iterdir())} == {
        folder,
        another,
        str(readable),
        *(
            str(temporary / f"ancestry-obs-run-{name}")
            for name in ("notes", "1-2-link", "1-2-file")
        ),
    }
    assert files(temporary / "ancestry-obs-run-notes") == []


def test_a_run_whose_first_process_was_killed_goes_on(temporary, in_child):
    folder = in_child(lambda: create("what"))
    joined = RunFolder(folder)
    joined.join()
    other = create("other")
    assert {*map(str, temporary.iterdir())} == {folder, other}
    joined.leave()
    assert {*map(str, temporary.iterdir())} == {other}


def test_the_last_one_takes_it_away(folder):
    some, other = RunFolder(folder), RunFolder(folder)
    some.join()
    other.join()
    # The one that began the run stays, whether or not it takes part.
    some.leave()
    assert Path(folder).exists()
    other.leave()
    assert not Path(folder).exists()
    other.leave()


def test_the_last_child_takes_it_away_where_the_first_process_left_before(folder, in_child):
    first = RunFolder(folder)
    first.join()

    def child():
        mine = RunFolder(folder)
        mine.join()
        # A copy of its parent's lock came with the fork.
        first.begin_child()
        first._run.close()
        os.write(ready[1], b".")
        os.read(go[0], 1)
        mine.leave()
        return Path(folder).exists()

    ready, go = os.pipe(), os.pipe()
    seen = []
    thread = threading.Thread(target=lambda: seen.append(in_child(child)))
    thread.start()
    os.read(ready[0], 1)
    first.leave()
    assert Path(folder).exists()
    os.write(go[1], b".")
    thread.join()
    assert seen == [False]


def test_who_comes_after_the_end_is_told(folder):
    RunFolder(folder).leave()
    with pytest.raises(FileNotFoundError):
        RunFolder(folder).join()


def test_who_waited_for_the_lock_of_a_folder_that_went_is_told(folder, monkeypatch):
    monkeypatch.setattr(module.Handle, "is_at", lambda *_: False)
    with pytest.raises(FileNotFoundError, match="the run is over"):
        RunFolder(folder).join()


def test_no_cleaner_of_temporary_files_gets_its_lock(folder, in_child):
    joined = RunFolder(folder)
    joined.join()
    assert not in_child(lambda: module.Handle(folder, is_folder=True).lock())


@pytest.fixture
def take_number():
    """Close a file, and let a file of the program get its number."""
    with Path("/dev/null").open("rb") as program:
        taken = []

        def take(number):
            os.dup2(program.fileno(), number)
            taken.append(number)

        yield take
        for number in taken:
            # It is still open, and still the program's.
            assert os.path.sameopenfile(number, program.fileno())
            os.close(number)


def test_a_daemon_that_has_closed_its_files_takes_part_again(folder, take_number):
    joined = RunFolder(folder)
    joined.join()
    take_number(joined._run._number)
    joined.join()
    RunFolder(folder).leave()
    assert Path(folder).exists()
    joined.leave()
    assert not Path(folder).exists()


def test_nobody_closes_what_has_the_number_of_a_lock(folder, take_number):
    joined = RunFolder(folder)
    joined.join()
    joined.lead()
    take_number(joined._run._number)
    take_number(joined._page._number)
    joined.begin_child()
    joined.leave()


def test_one_process_serves_the_page_and_the_next_one_after_it(folder, in_child):
    leader = RunFolder(folder)
    assert leader.lead()
    assert leader.lead()
    assert not in_child(lambda: RunFolder(folder).lead())
    leader._page.close()
    assert in_child(lambda: RunFolder(folder).lead())
    assert leader.lead()


def test_a_forked_child_serves_nothing_and_is_somebody_else(folder, counted, calls, in_child):
    mine = RunFolder(folder)
    mine.lead()
    mine.hand_over(counted(a=1).as_bytes())

    def child():
        mine.begin_child()
        mine.hand_over(counted(b=2).as_bytes())
        return mine.lead(), calls(mine.others()[0])

    assert in_child(child) == (False, {"a": 1})
    assert calls(mine.others()[0]) == {"b": 2}


def test_what_others_handed_over_is_added_up(folder, counted, calls, leave_behind):
    reader = RunFolder(folder)
    assert reader.others()[1] == 0
    leave_behind(a=1)
    leave_behind(a=2, b=3)
    totals, living = reader.others()
    assert (calls(totals), living) == ({"a": 3, "b": 3}, 0)
    reader.hand_over(counted(a=100).as_bytes())
    assert calls(reader.others()[0]) == {"a": 3, "b": 3}
    totals, living = RunFolder(folder).others()
    assert (calls(totals), living) == ({"a": 103, "b": 3}, 1)


def test_what_ended_is_merged_and_counted_once(folder, calls, leave_behind):
    reader = RunFolder(folder)
    for _ in range(5):
        leave_behind(a=1)
    reader.others()
    reader.merge(least=6)
    assert len(files(folder, ".totals")) == 5
    reader.merge(least=5)
    assert files(folder, ".totals") == []
    leave_behind(a=1)
    reader.merge(least=1)
    assert calls(reader.others()[0]) == {"a": 6}
    # What is remembered of them goes as well.
    assert set(reader._known) == {"ended"}


def _hand_over(folder, data):
    RunFolder(folder).hand_over(data)


def test_merged_exemplars_are_as_bounded_as_the_series(folder, counted, in_child):
    reader = RunFolder(folder)
    for name in ("a", "b", "c", "d"):
        totals = counted(_limit=2, **{name: 1})
        exemplar = ((("trace_id", name),), 1.0, float(ord(name)))
        totals.exemplars = {key: {(name,): {0: exemplar}} for key in totals.metrics}
        in_child(partial(_hand_over, folder, totals.as_bytes()))
    reader.merge(least=1)
    merged = reader.others()[0]
    (kept,) = merged.exemplars.values()
    assert set(kept) == {labels for rows in merged.metrics.values() for labels in rows}
    assert len(kept) == 3


def test_of_a_process_that_runs_nothing_is_merged(folder, counted, calls):
    living = RunFolder(folder)
    living.hand_over(counted(a=1).as_bytes())
    RunFolder(folder).merge(least=0)
    assert len(files(folder, ".totals")) == 1
    living.hand_over(counted(a=2).as_bytes())
    assert calls(RunFolder(folder).others()[0]) == {"a": 2}


def test_a_merge_that_was_killed_in_between_counts_nothing_twice(
    folder, calls, leave_behind, monkeypatch
):
    leave_behind(a=1)
    leave_behind(a=2)
    killed = RunFolder(folder)
    with monkeypatch.context() as patch:
        patch.setattr(killed, "_unlink", lambda _name: None)
        killed.merge(least=1)
    assert len(files(folder, ".totals")) == 2
    reader = RunFolder(folder)
    assert calls(reader.others()[0]) == {"a": 3}
    leave_behind(a=4)
    reader.merge(least=1)
    assert files(folder, ".totals") == []
    assert calls(reader.others()[0]) == {"a": 7}


def test_a_program_in_anothers_place_is_alone_to_run(folder, counted, calls):
    before, after, reader = RunFolder(folder), RunFolder(folder), RunFolder(folder)
    before.hand_over(counted(a=1).as_bytes())
    after.hand_over(counted(a=2).as_bytes())
    totals, living = reader.others()
    assert (calls(totals), living) == ({"a": 3}, 1)
    reader.merge(least=1)
    assert files(folder, ".totals") == [f"{after._who}.totals"]
    assert calls(reader.others()[0]) == {"a": 3}


def test_it_looks_again_when_files_are_merged_meanwhile(folder, calls, leave_behind, monkeypatch):
    leave_behind(a=1)
    reader, merger = RunFolder(folder), RunFolder(folder)
    real, merges = reader._processes, []

    def processes():
        found = real()
        if not merges:
            merges.append(merger.merge(least=1))
        return found

    monkeypatch.setattr(reader, "_processes", processes)
    assert calls(reader.others()[0]) == {"a": 1}
    assert merges == [None]


def test_where_it_changes_all_the_time_that_is_said(folder, monkeypatch):
    reader = RunFolder(folder)
    monkeypatch.setattr(reader, "_look", lambda: None)
    with pytest.raises(BlockingIOError, match="changes all the time"):
        reader.others()


def test_a_damaged_file_is_passed_over_and_told(folder, counted, calls, leave_behind):
    leave_behind(a=1)
    leave_behind(b=2)
    reader = RunFolder(folder)
    reader.others()
    first = files(folder, ".totals")[0]
    Path(folder, first).write_bytes(b"\0" * 10)
    # What was read of it before stays.
    assert calls(reader.others()[0]) == {"a": 1, "b": 2}
    assert reader.damaged == [f"{folder}/{first}: it is damaged, or of another version"]
    # Whoever never read it whole goes on without, and does not keep it for ever.
    another = RunFolder(folder)
    assert len(calls(another.others()[0])) == 1
    another.merge(least=1)
    assert files(folder, ".totals") == []
    assert len(another.damaged) == 1


def test_a_damaged_sum_is_what_it_was_known_to_be(folder, calls, leave_behind):
    leave_behind(a=1)
    reader = RunFolder(folder)
    reader.merge(least=1)
    assert calls(reader.others()[0]) == {"a": 1}
    Path(folder, "ended").write_bytes(b"")
    assert calls(reader.others()[0]) == {"a": 1}
    assert len(reader.damaged) == 1
    leave_behind(a=1)
    reader.merge(least=1)
    assert calls(RunFolder(folder).others()[0]) == {"a": 2}


@pytest.mark.parametrize("failing", ["replace", "write", "open"])
def test_what_cannot_be_written_leaves_what_was_there(folder, counted, calls, monkeypatch, failing):
    mine, reader = RunFolder(folder), RunFolder(folder)
    mine.hand_over(counted(a=1).as_bytes())
    with monkeypatch.context() as patch:
        if failing == "replace":
            patch.setattr(os, "replace", _full)
        elif failing == "open":
            patch.setattr("builtins.open", _full)
        else:
            real = open
            patch.setattr("builtins.open", lambda *a, **k: _Failing(real(*a, **k)))
        with pytest.raises(OSError, match="No space"):
            mine.hand_over(counted(a=2).as_bytes())
    assert files(folder, ".tmp") == []
    assert calls(reader.others()[0]) == {"a": 1}


class _Failing:
    """A file on a disk that has room for some bytes only."""

    def __init__(self, file):
        self._file = file
        self._room = 10

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def write(self, data):
        if not self._room:
            _full()
        self._room, taken = 0, self._room
        return self._file.write(data[:taken])

    def read(self):
        return self._file.read()


def test_a_write_in_parts_is_whole(folder, counted, calls, monkeypatch):
    mine, real = RunFolder(folder), open

    class Parts(_Failing):
        def write(self, data):
            return self._file.write(data[:7])

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", lambda *a, **k: Parts(real(*a, **k)))
        mine.hand_over(counted(a=1).as_bytes())
    assert calls(RunFolder(folder).others()[0]) == {"a": 1}


def test_an_interruption_leaves_no_part_of_a_file(folder, counted, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        RunFolder(folder).hand_over(counted(a=1).as_bytes())
    assert files(folder, ".tmp") == []


def test_parts_of_files_of_the_killed_go_when_others_are_merged(folder, leave_behind, in_child):
    leave_behind(a=1)
    name = in_child(lambda: f"{identity()}-0.tmp")
    Path(folder, name).touch()
    mine = Path(folder, f"{identity()}-0.tmp")
    mine.touch()
    RunFolder(folder).merge(least=1)
    assert files(folder, ".tmp") == [mine.name]


def test_a_folder_that_is_gone(folder, counted):
    mine = RunFolder(folder)
    mine.join()
    RunFolder(folder).leave()
    Path(folder).rename(f"{folder}-away")
    for step in (mine.others, mine.merge, mine.lead, lambda: mine.hand_over(b"")):
        with pytest.raises(FileNotFoundError):
            step()
    mine.leave()


def test_label_values_are_kept_to_as_many_as_may_be(folder, calls, counted, in_child):
    for first in range(0, 30, 3):
        each = counted(3, **{f"value{number}": 1 for number in range(first, first + 3)})
        in_child(lambda each=each: RunFolder(folder).hand_over(each.as_bytes()))
    reader = RunFolder(folder)
    reader.merge(least=1)
    kept = calls(reader.others()[0])
    assert len(kept) == 4
    assert (kept["other"], sum(kept.values())) == (27, 30)


def test_what_was_shown_stays_when_files_are_merged(folder, counted, in_child):
    def keep(shown, totals):
        (rows,) = totals.limited(shown).metrics.values()
        return {label: n for (label,), (n,) in rows.items()}

    # Shown while its process runs, and the other ones have not been merged.
    living, reader = RunFolder(folder), RunFolder(folder)
    living.hand_over(counted(2, b=1, c=1).as_bytes())
    before = reader.shown(lambda shown: keep(shown, reader.others()[0]))
    assert before == {"b": 1, "c": 1}
    in_child(lambda: RunFolder(folder).hand_over(counted(2, x=1, y=1).as_bytes()))
    RunFolder(folder).merge(least=1)
    # Another program in its place: what was shown is merged after what was not.
    RunFolder(folder).hand_over(counted().as_bytes())
    RunFolder(folder).merge(least=1)
    another = RunFolder(folder)
    after = another.shown(lambda shown: keep(shown, another.others()[0]))
    assert after == {"b": 1, "c": 1, "other": 2}


def test_what_two_pages_show_at_once_is_within_the_limits_too(folder, counted):
    def keep(totals):
        def labels(shown):
            every = totals.limited(shown).metrics.values()
            return {label for rows in every for (label,) in rows}

        return labels

    some, other = RunFolder(folder), RunFolder(folder)
    assert some.shown(keep(counted(2, a=1, b=1))) == {"a", "b"}
    assert other.shown(keep(counted(2, c=1, a=1))) == {"a", "other"}
    assert some.shown(keep(counted(2, c=1))) == {"other"}


def test_where_it_cannot_be_noted_the_page_goes_on_with_what_it_knows(folder, counted, monkeypatch):
    def keep(shown):
        return set(counted(1, b=1, a=1).limited(shown).metrics.popitem()[1])

    mine = RunFolder(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", _full)
        with pytest.raises(OSError, match="No space"):
            mine.shown(keep)
    assert keep(mine.recalled()) == {("b",), ("other",)}
    # It is noted as soon as that is possible.
    mine.shown(keep)
    assert RunFolder(folder).shown(lambda shown: shown.as_bytes()) == mine.recalled().as_bytes()


def test_those_that_live_are_told_by_their_numbers(folder, leave_behind, counted, in_child):
    own = RunFolder(folder)
    assert own.living() == [os.getpid()]
    leave_behind(a=1)
    own.hand_over(counted(a=1).as_bytes())
    assert own.living() == [os.getpid()]

    def child():
        mine = RunFolder(folder)
        mine.hand_over(counted(b=1).as_bytes())
        return os.getpid(), mine.living()

    number, seen = in_child(child)
    assert seen == sorted([os.getpid(), number])
    assert own.living() == [os.getpid()]
