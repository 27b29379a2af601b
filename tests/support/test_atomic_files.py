"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import textwrap

import pytest

from fastmlp.support import atomic_files


def test_a_file_takes_its_place_when_all_is_written(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic_files.whole(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_of_what_is_written_is_one_that_a_later_process_looks_for(tmp_path):
    with atomic_files.whole(tmp_path / "file"):
        [part] = tmp_path.iterdir()
        assert part.match(f"file.????????{atomic_files.SUFFIX}")


@pytest.mark.skipif(os.name != "posix", reason="only POSIX systems can open a folder")
def test_the_folder_of_a_file_is_made_durable_after_the_file(monkeypatch, tmp_path):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_mode))
    with atomic_files.whole(tmp_path / "file") as file:
        file.write(b"new")
    assert [stat.S_ISDIR(mode) for mode in synced] == [False, True]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_old_file_stays_if_writing_fails(error, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_files.whole(path) as file:
        file.write(b"half of the ne")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_if_the_file_cannot_take_its_place(tmp_path, monkeypatch):
    def refuse(source: str, target: str) -> None:
        raise PermissionError(target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError), atomic_files.whole(tmp_path / "file") as file:
        file.write(b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("this system gives no right to links")
    with atomic_files.whole(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


# ----------------------------------------------------------- what the system does not allow


def test_a_missing_folder_is_named_beside_the_file(tmp_path):
    path = tmp_path / "nowhere" / "file"
    for refused in (
        lambda: atomic_files.require_writable(path), lambda: atomic_files.whole(path).__enter__()
    ):
        with pytest.raises(FileNotFoundError) as error:
            refused()
        assert error.value.strerror == f"there is no folder {tmp_path / 'nowhere'}"
        assert error.value.filename == str(path)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.EROFS])
def test_a_folder_in_which_no_file_can_be_written_is_named(number, tmp_path, monkeypatch):
    def refuse(path, mode):
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(OSError, match="no file can be written in the folder") as error:
        atomic_files.whole(tmp_path / "file").__enter__()
    assert (error.value.errno, error.value.filename) == (number, str(tmp_path / "file"))
    assert str(tmp_path) in error.value.strerror


def test_a_folder_without_the_right_to_write_is_refused_in_advance(tmp_path, monkeypatch):
    atomic_files.require_writable(tmp_path / "file")
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (str(tmp_path), os.W_OK))
    with pytest.raises(PermissionError, match="no file can be written in the folder"):
        atomic_files.require_writable(tmp_path / "file")
    with pytest.raises(IsADirectoryError):
        atomic_files.require_writable(tmp_path)


def test_a_file_that_is_write_protected_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda one, mode: (one, mode) != (str(path), os.W_OK))
    for refused in (
        lambda: atomic_files.require_writable(path), lambda: atomic_files.whole(path).__enter__()
    ):
        with pytest.raises(PermissionError, match="the file is write-protected") as error:
            refused()
        assert error.value.filename == str(path)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("file", b"old")]


@pytest.mark.skipif(os.name != "posix", reason="devices of POSIX")
def test_a_device_needs_no_folder_in_which_files_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda one, mode: one == os.devnull)
    atomic_files.require_writable(os.devnull)
    monkeypatch.setattr(os, "access", lambda one, mode: one != os.devnull)
    with pytest.raises(PermissionError, match="write-protected"):
        atomic_files.require_writable(os.devnull)


def test_a_full_disk_names_the_file(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(OSError, match="No space left") as error, atomic_files.whole(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.filename == str(path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_device_is_named():
    with pytest.raises(OSError, match="/dev/full"), atomic_files.whole("/dev/full") as file:
        file.write(b"new")


@pytest.mark.parametrize("path", ["", "a\0b", b""])
def test_an_empty_path_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="path must be the name of a file or folder, got"):
        atomic_files.whole(path).__enter__()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [None, 1, 2.5])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(TypeError, match=f"path must be text or an object such as Path, got {path}"):
        atomic_files.whole(path).__enter__()


def test_a_path_may_be_bytes(tmp_path):
    with atomic_files.whole(os.fsencode(tmp_path / "file")) as file:
        file.write(b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


# ------------------------------------------------------------------- what was there before

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and pipes of POSIX")


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_permissions_of_a_replaced_file_stay(mode, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    with atomic_files.whole(path) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == mode  # from its first byte on
        file.write(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs the superuser")
def test_the_owner_of_a_replaced_file_stays(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.chown(path, 12345, 54321)
    with atomic_files.whole(path) as file:
        file.write(b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


@posix
def test_a_pipe_is_written_to_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with atomic_files.whole(pipe) as file:
            file.write(b"new")
        assert os.read(reading, 10) == b"new"
    finally:
        os.close(reading)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.fixture
def device(tmp_path):
    """A null device.

    A faulty module that runs as root would replace the system's own, which all processes need.
    """
    if os.geteuid() != 0:
        return os.devnull
    path = tmp_path / "null"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.stat(os.devnull).st_rdev)
        path.write_bytes(b"")
    except PermissionError:
        pytest.skip("this system lets root make no device here")
    return path


@posix
def test_a_device_is_written_to_and_stays(device):
    with atomic_files.whole(device) as file:
        file.write(b"new")
    assert stat.S_ISCHR(os.stat(device).st_mode)


def test_a_folder_is_not_replaced(tmp_path):
    with pytest.raises(OSError), atomic_files.whole(tmp_path) as file:
        file.write(b"new")
    assert tmp_path.is_dir()


def test_a_path_that_ends_like_a_folder_is_refused(tmp_path):
    path = f"{tmp_path}{os.sep}missing{os.sep}"
    with pytest.raises(IsADirectoryError), atomic_files.whole(path) as file:
        file.write(b"new")
    with pytest.raises(IsADirectoryError):
        atomic_files.require_writable(path)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------- after a killed process


@posix
def test_leftovers_of_a_killed_process_are_removed_by_the_next(tmp_path):
    path = tmp_path / "file"
    program = textwrap.dedent(f"""
        import os, signal
        from fastmlp.support import atomic_files
        with atomic_files.whole({str(path)!r}) as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode < 0
    assert [one.suffix for one in tmp_path.iterdir()] == [atomic_files.SUFFIX]
    with atomic_files.whole(path) as file:
        file.write(b"new")
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_a_file_that_another_process_writes_is_no_leftover(tmp_path):
    path = tmp_path / "file"
    with atomic_files.whole(path) as first:
        first.write(b"first")
        with atomic_files.whole(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_a_file_that_was_taken_for_a_leftover_before_it_was_locked_is_created_again(
    tmp_path, monkeypatch
):
    """Two saves of one file at the same time: one failed, its file removed by the other."""
    path, lock, taken = tmp_path / "file", atomic_files._lock, []

    def remove_first(file):
        if not taken:
            taken.append(file.name)
            atomic_files._remove_leftovers(str(path))
        lock(file)

    monkeypatch.setattr(atomic_files, "_lock", remove_first)
    with atomic_files.whole(path) as file:
        file.write(b"new")
    assert taken and file.name not in taken
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127, "n" * 243])
def test_names_may_be_as_long_as_the_system_allows(name, tmp_path):
    path = tmp_path / name
    for contents in (b"old", b"new"):
        with atomic_files.whole(path) as file:
            file.write(contents)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_only_look_like_leftovers_stay(tmp_path):
    path, other = tmp_path / "file", tmp_path / "file.part"
    other.write_bytes(b"mine")
    with atomic_files.whole(path) as file:
        file.write(b"new")
    assert other.read_bytes() == b"mine"


# --------------------------------------------------------------------------- outputs and inputs


def test_a_file_is_the_same_by_path_link_and_inode(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    links = {"soft": tmp_path / "soft", "hard": tmp_path / "hard"}
    try:
        links["soft"].symlink_to(path)
        os.link(path, links["hard"])
    except OSError:
        pytest.skip("this system gives no right to links")
    for other in (tmp_path / "." / "file", *links.values()):
        assert atomic_files.same_file(path, other)
        with pytest.raises(ValueError, match="--output .* is the same file as TABLE"):
            atomic_files.require_different(("--output", other), ("MODEL", None), ("TABLE", path))


def test_other_files_and_missing_ones_are_different(tmp_path):
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(b"old")
    assert not atomic_files.same_file(path, other)
    other.write_bytes(b"old")
    assert not atomic_files.same_file(path, other)
    atomic_files.require_different(("--output", other), ("TABLE", path), ("MODEL", None))
    atomic_files.require_different(("--output", None), ("TABLE", path))


def test_two_names_of_a_file_to_come_are_the_same(tmp_path):
    assert atomic_files.same_file(tmp_path / "new", tmp_path / "." / "new")
