"""Make `.venv` exactly as requirements.lock says, from nothing but a Python; a second run does nothing.

    python3 scripts/bootstrap.py           make or update the environment
    python3 scripts/bootstrap.py --lock    resolve requirements.lock anew from pyproject.toml, then update

Every package comes as a wheel whose hash stands in the lock, so no compiler is needed and nothing else
can be installed. Whatever goes wrong (an old Python, no network, a full disk, a folder that cannot be
written, a run that was interrupted) ends in one line that says what to do, and exit status 2.

Standard library only, in the syntax of Python 3.6, so that an old Python can read it and be told so.
"""

import os
import sys

MINIMUM = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOCK = os.path.join(ROOT, "requirements.lock")
PROJECT = os.path.join(ROOT, "pyproject.toml")
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, ".bootstrap")
LOG = os.path.join(VENV, "bootstrap.log")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
PYTHON = os.path.join(BIN, "python")
UV = os.path.join(BIN, "uv")

UNFINISHED = "unfinished\n"
BEAT_S = 15
"""So often it says that it is still at it: nobody waits minutes in front of nothing."""
WHEELS_ONLY = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
LOCK_COMMAND = [
    "pip",
    "compile",
    "pyproject.toml",
    "--all-extras",
    "--group=dev",
    "--group=weights",
    "--group=bootstrap",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--only-binary=:all:",
    "--no-emit-index-url",
    "--no-annotate",
    "--custom-compile-command=python scripts/bootstrap.py --lock",
    "--output-file=requirements.lock",
]

# What the installers say when it was not our doing, and what that means to a person. In this order:
# a full disk may also break a download.
CAUSES = (
    (
        ("No space left on device", "Errno 28", "os error 28"),
        "the disk is full: about 1.4 GB are needed in this folder and in the cache",
    ),
    (
        ("Permission denied", "Errno 13", "os error 13", "Read-only file system", "os error 30"),
        "a folder cannot be written: {line}",
    ),
    (
        ("Hash mismatch", "hashes do not match", "DO NOT MATCH THE HASHES", "HashMismatch"),
        "a package is not the one that requirements.lock names, so nothing of it was installed: {line}",
    ),
    (
        (
            "Failed to fetch",
            "error sending request",
            "dns error",
            "client error (Connect)",
            "NewConnectionError",
            "Failed to establish a new connection",
            "Temporary failure in name resolution",
            "ConnectTimeoutError",
            "Read timed out",
            "ProxyError",
            "SSLError",
            "certificate verify failed",
            "Max retries exceeded",
        ),
        "the package index cannot be reached: check the network, and HTTPS_PROXY if there is a proxy",
    ),
    (
        ("no wheels with a matching", "no usable wheels", "has no wheels", "No matching distribution found"),
        "a package has no wheel for this machine and this Python: {line}",
    ),
)
NETWORK = CAUSES[3][1]
NO_WHEEL = CAUSES[4][1].split(":")[0]


class BootstrapError(Exception):
    """The environment cannot be made; the message is the one line for the person."""


def main():
    # type: () -> int
    """Bring the environment up to date; return the exit status."""
    try:
        check_machine()
        if "--lock" in sys.argv[1:]:
            relock()
        return ensure()
    except BootstrapError as error:
        sys.stderr.write("bootstrap: {}\n".format(error))
    except OSError as error:
        sys.stderr.write("bootstrap: {}\n".format(of_os(error)))
    except KeyboardInterrupt:
        sys.stderr.write("bootstrap: interrupted; the next run starts over\n")
    return 2


def check_machine():
    # type: () -> None
    """Raise BootstrapError for a Python or a platform that can never work."""
    found = "{}.{}.{}".format(*sys.version_info[:3])
    if sys.version_info < MINIMUM:
        raise BootstrapError(
            "needs Python 3.11 or newer, this is {}: {}. Choose another with: make PYTHON=python3.11".format(
                found, sys.executable
            )
        )
    if sys.maxsize <= 2**32:
        raise BootstrapError("needs a 64-bit Python, this is a 32-bit one: {}".format(sys.executable))


def ensure():
    # type: () -> int
    """Install what is missing; return 0 at once when nothing is."""
    # What must be the same to keep `.venv`, and what must be the same to leave it as it is.
    wanted = fingerprint(sys.version, sys.base_prefix, ROOT) + fingerprint(text_of(LOCK), text_of(PROJECT))
    if read(STAMP) == wanted and os.path.exists(PYTHON):
        return 0
    with only_one():
        # Another run may have finished while this one waited.
        if read(STAMP) != wanted or not os.path.exists(PYTHON):
            started_s = seconds()
            make_venv(wanted)
            install()
            write(STAMP, wanted)
            say("ready in {:.0f} s".format(seconds() - started_s))
    return 0


def fingerprint(*parts):
    # type: (str) -> str
    """Return one line that changes when a part changes."""
    import hashlib

    return hashlib.sha256("\0".join(parts).encode()).hexdigest() + "\n"


def make_venv(wanted):
    # type: (str) -> None
    """Leave a working `.venv` of this Python, marked as unfinished; keep one that only needs an update."""
    import importlib.util

    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise BootstrapError(
            "this Python cannot make environments (no ensurepip): {}. On Debian and Ubuntu: "
            "apt install python{}.{}-venv".format(sys.executable, *sys.version_info[:2])
        )
    old = read(STAMP)
    if old == UNFINISHED:
        say("an earlier run did not finish; starting over")
    os.makedirs(VENV, exist_ok=True)
    write(STAMP, UNFINISHED)
    if old and old.splitlines()[0] == wanted.splitlines()[0] and os.path.exists(PYTHON):
        return
    say("1/5 making .venv with Python {}.{}.{}: some 10 s".format(*sys.version_info[:3]))
    empty(VENV)
    write(STAMP, UNFINISHED)
    run([base_python(), "-m", "venv", VENV])


def base_python():
    # type: () -> str
    """Return the Python that environments are made of: the one that runs may be that of `.venv` itself."""
    return getattr(sys, "_base_executable", None) or sys.executable


def install():
    # type: () -> None
    """Bring `.venv` to exactly what the lock says, with uv or else with pip; then add the project."""
    count = locked_count()
    say("2/5 fetching uv, which installs the rest: some seconds")
    if has_uv():
        say(
            "3/5 bringing it to the {} locked packages, 1.4 GB when new: half a minute with a fast network and an "
            "idle machine, else minutes; they are fetched first, and put in place at the end".format(count)
        )
        try:
            run([UV, "pip", "sync", "--python", PYTHON] + WHEELS_ONLY[1:] + [LOCK], in_place)
            compile_all()
        except BootstrapError as error:
            # A company's mirror stands in pip.conf, which uv does not read.
            if NETWORK not in str(error):
                raise
            say("uv cannot reach an index; trying pip")
            install_with_pip()
    else:
        say(
            "3/5 bringing it to the {} locked packages with pip, as uv cannot be had here: 6 minutes and more".format(
                count
            )
        )
        install_with_pip()
    if "\nsetuptools==" not in text_of(LOCK):
        # Python 3.11 puts its own into every new environment, with a .pth file that runs code at each start.
        run([PYTHON, "-m", "pip", "uninstall", "--quiet", "--yes", "setuptools"])
    say("5/5 adding this project: some seconds")
    installer = (
        [UV, "pip", "install", "--python", PYTHON] if os.path.exists(UV) else [PYTHON, "-m", "pip", "install"]
    )
    run(installer + ["--no-deps", "--no-build-isolation", "--editable", ROOT])


def compile_all():
    # type: () -> None
    """Compile what is installed: 7 s once, and 9 s become 4 at the first start.

    At every start, where PYTHONDONTWRITEBYTECODE is set, as in many containers.
    """
    say("4/5 compiling them, so that programs start in half the time: 10 s on an idle machine")
    run(
        [UV, "pip", "sync", "--python", PYTHON, "--compile-bytecode"] + WHEELS_ONLY[1:] + [LOCK],
        lambda: "compiling",
    )


def install_with_pip():
    # type: () -> None
    """Install and compile the lock with pip, without uv, which may have no wheel here."""
    rest_path = os.path.join(VENV, "pip.lock")
    write(rest_path, lines_of_lock(uv=False))
    pip_install(rest_path)


def has_uv():
    # type: () -> bool
    """Install the uv that the lock names, hash-checked; return False where it has no wheel."""
    pin_path = os.path.join(VENV, "uv.lock")
    write(pin_path, lines_of_lock(uv=True))
    try:
        pip_install(pin_path)
    except BootstrapError as error:
        if NO_WHEEL not in str(error):
            raise
        return False
    return True


def pip_install(requirements):
    # type: (str) -> None
    """Install a file of locked requirements with pip."""
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--retries", "2"]
    run(command + WHEELS_ONLY + ["--requirement", requirements], in_place)


def lines_of_lock(uv):
    # type: (bool) -> str
    """Return what the lock says of uv, or of all others."""
    chosen = {True: [], False: []}  # type: dict[bool, list[str]]
    is_uv = False
    for line in text_of(LOCK).splitlines():
        if not line.startswith(" "):
            is_uv = line.startswith("uv==")
        chosen[is_uv].append(line)
    if not chosen[True]:
        raise BootstrapError("requirements.lock does not name uv: it was not made by this script")
    return "\n".join(chosen[uv]) + "\n"


def relock():
    # type: () -> None
    """Resolve requirements.lock anew; versions that still fit are kept unless UPGRADE=1."""
    if not os.path.exists(UV):
        ensure()
    upgrade = ["--upgrade"] if os.environ.get("UPGRADE") else []
    say("resolving requirements.lock")
    run([UV] + LOCK_COMMAND + upgrade)


def run(command, progress=None):
    # type: (list[str], Callable[[], str] | None) -> None
    """Run `command` in the project's folder; raise BootstrapError with its cause in one line.

    What takes long says now and then how far it is: what `progress` returns.
    """
    import subprocess

    environment = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", UV_NO_PROGRESS="1", NO_COLOR="1")
    # This environment is meant, whatever is active in the shell.
    for name in (
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "PYTHONHOME",
        "PYTHONPATH",
        "PIP_USER",
        "PIP_REQUIRE_VIRTUALENV",
    ):
        environment.pop(name, None)
    started_s = seconds()
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        close_fds=False,  # the lock of only_one()
    )
    try:
        output = output_of(running, started_s, progress)
    except BaseException:
        running.kill()
        running.wait()
        raise
    if running.returncode != 0:
        raise BootstrapError(cause_of(output.decode("utf-8", "replace"), command))


def output_of(running, started_s, progress):
    # type: (subprocess.Popen[bytes], float, Callable[[], str] | None) -> bytes
    """Return what a command printed, when it has ended; meanwhile say now and then how far it is."""
    import subprocess

    while True:
        try:
            return running.communicate(timeout=BEAT_S)[0]
        except subprocess.TimeoutExpired:
            how_far = "" if progress is None else ": {}".format(progress())
            say("    still at it after {:.0f} s{}".format(seconds() - started_s, how_far))


def in_place():
    # type: () -> str
    """Say how many packages are installed by now; some of the lock are for other systems alone."""
    return "{} of at most {} packages are in place".format(installed_count(), locked_count())


def locked_count():
    # type: () -> int
    """Return how many packages the lock names."""
    return sum(1 for line in text_of(LOCK).splitlines() if "==" in line.split("#")[0])


def installed_count():
    # type: () -> int
    """Return how many packages `.venv` has by now."""
    import glob

    folders = ("lib/python*/site-packages", "Lib/site-packages")
    return sum(len(glob.glob(os.path.join(VENV, folder, "*.dist-info"))) for folder in folders)


def cause_of(said, command):
    # type: (str, list[str]) -> str
    """Say in one line why `command` failed, and where the rest can be read."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    try:
        write(LOG, said)
        where = " (all of it: .venv/bootstrap.log)"
    except OSError:
        where = ""
    for signs, meaning in CAUSES:
        found = [line for line in lines if any(sign in line for sign in signs)]
        if found:
            return meaning.format(line=found[0][:300]) + where
    told = next(
        (line for line in lines if line.lower().startswith("error")), lines[-1] if lines else "no message"
    )
    return "{} failed: {}{}".format(os.path.basename(command[0]), told[:300], where)


def of_os(error):
    # type: (OSError) -> str
    """Say an operating system's error in one line."""
    import errno

    where = error.filename or ROOT
    if error.errno == errno.ENOSPC:
        return "the disk is full ({})".format(where)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "cannot write {}: choose another folder, or its owner".format(where)
    return "{} ({})".format(error.strerror or error, where)


def only_one():
    # type: () -> IO[bytes]
    """Hold a lock against other runs in this folder; the operating system frees it whatever happens.

    The installers inherit it: if this process is killed, the next run waits for the one that lives on.
    """
    # Opened by the path of this file, because `.venv` may be made anew while the lock is held.
    file = open(os.path.abspath(__file__), "rb")  # noqa: SIM115 -- the caller closes it
    if os.name != "nt":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run in this folder")
            fcntl.flock(file, fcntl.LOCK_EX)
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 -- positional only
    return file


def empty(folder):
    # type: (str) -> None
    """Remove all that is in `folder`."""
    import shutil

    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.remove(path)


def text_of(path):
    # type: (str) -> str
    """Return the text of a file that a clone has."""
    text = read(path)
    if text is None:
        raise BootstrapError("{} is missing: run this in a complete clone".format(path))
    return text


def read(path):
    # type: (str) -> str | None
    """Return a file's text, or None if there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(path, text):
    # type: (str, str) -> None
    """Write a file whole."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def seconds():
    # type: () -> float
    """Return a clock to measure with."""
    import time

    return time.monotonic()


def say(text):
    # type: (str) -> None
    """Tell the person what takes the time."""
    sys.stdout.write("bootstrap: {}\n".format(text))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
