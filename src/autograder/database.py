"""The gradebook's database: where it is, whether it can be used, and what is wrong with it, in words.

nbgrader keeps its gradebook in the file ``gradebook.db``, or on a PostgreSQL server (docs/postgresql.md). `check` looks
before anything is written, `in_words` turns what goes wrong later into one sentence, and `explain` finds that sentence
in a log of nbgrader's.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbgrader.api import InvalidEntry
from nbgrader.dbutil import ALEMBIC_DIR
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from tornado.log import app_log

from autograder.errors import CourseError, GradebookError

# nbgrader logs the traceback of what it raises as well; without this, logging prints it where nobody listens.
app_log.addHandler(logging.NullHandler())

CONNECT_SECONDS = 10  # that a server may take to answer
UPGRADE = "Make a copy of it, then run `nbgrader db upgrade` in the course's folder."
_LONG_NAME = "a name is longer than the 128 characters that it holds. Shorten the student's id."
_SCHEMA = "it was made by another nbgrader. " + UPGRADE

# What a driver says in English, and what it means. The first that fits; {place} is the gradebook, {detail} the driver's
# own words.
_MEANINGS = (
    (r"database is locked", "another program is writing it. Wait until it is done, or end it, and run this again."),
    (
        r"readonly database|read-only transaction|not permitted on a read-only",
        "it cannot be written. Give yourself permission to write it and its folder, and run this again.",
    ),
    (r"unable to open database file", "it cannot be opened. Look whether its folder is there and is yours."),
    (
        r"is not a database|disk image is malformed|invalid page in block|corrupt",
        "it is damaged. Put it aside, put its last copy in its place, and grade again what is newer.",
    ),
    (
        r"disk is full|No space left on device|disk quota exceeded|could not extend file",
        "the disk is full. Free some space and run this again.",
    ),
    (r"disk I/O error", "its disk cannot be read or written. Look at the disk, then run this again."),
    (
        r"password|no pg_hba\.conf entry|[Pp]eer authentication|role \"[^\"]*\" (does not exist|is not permitted)",
        "the server refuses the user ({detail}). Correct user and password in its address or in ~/.pgpass.",
    ),
    (
        r"database \"[^\"]*\" does not exist",
        "the server has no such database. Make it with `createdb`, or correct its address.",
    ),
    (
        r"permission denied for",
        "its user may not do that there ({detail}). Make the user the database's owner.",
    ),
    (
        r"too many (clients|connections)|remaining connection slots",
        "its server has no connection left. Raise `max_connections` there, or use fewer at once.",
    ),
    (
        r"connection|could not (connect|translate|receive)|timeout|terminat|shutting down|starting up|server closed"
        r"|[Nn]ame or service|failed to resolve|No such file or directory",
        "its server cannot be reached ({detail}). Start it, or correct its address, and run this again.",
    ),
    (r"too long for type", _LONG_NAME),
    (r"no such (column|table)|(column|relation) \S+ does not exist", _SCHEMA),
)
_SAID = re.compile(r"\((?:sqlite3|psycopg2?)(?:\.\w+)*\.(\w+)\) (.+?)(?=\n\[SQL|\n?\(Background|\n\n|\Z)", re.DOTALL)
_DISK = re.compile(r"OSError: \[Errno \d+\] (?:No space left on device|Disk quota exceeded)")


def where(db_url: str) -> str:
    """A gradebook's place, for people; without a password."""
    try:
        url = make_url(db_url)
    except ArgumentError:
        return "with the address in the settings"
    if _is_file(url):
        return str(url.database or "in memory")
    host = url.host or url.query.get("host") or "this machine"
    return f"{url.database or url.username} on {host}{f':{url.port}' if url.port else ''}"


def _is_file(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _of_driver(said: str, db_url: str, kind: str = "OperationalError") -> str | None:
    """The sentence for what a driver said; ``None`` for what is nobody's fault but the program's."""
    if kind.endswith(("IntegrityError", "Violation")):
        return None  # its words hold a row's own
    detail = _short(said)
    for pattern, meaning in _MEANINGS:
        if re.search(pattern, said):
            return f"the gradebook {where(db_url)}: " + meaning.format(detail=detail)
    if kind in ("OperationalError", "InterfaceError", "DatabaseError"):
        return f"the gradebook {where(db_url)} cannot be used ({detail}). `autograder doctor` looks at it."
    return None


def _short(said: str) -> str:
    """What a driver said, in one line: the one that it calls fatal, else the first."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    fatal = [line for line in lines if "FATAL" in line] or lines or ["no reason given"]
    return re.sub(r"^connection failed: ", "", fatal[0])[:200].rstrip(".")


def explain(log: str, db_url: str) -> str | None:
    """The sentence for a step that failed because of its database or a full disk; ``None`` if neither was why."""
    if found := _SAID.search(log):
        return _of_driver(found[2], db_url, found[1])
    if _DISK.search(log):
        return "the disk is full. Free some space and run this again; what is graded so far is kept."
    return None


def error(sentence: str) -> CourseError:
    """What to raise with a sentence of `explain`: a `GradebookError`, unless only one student's row was at fault."""
    return CourseError(sentence) if sentence.endswith(_LONG_NAME) else GradebookError(sentence)


@contextmanager
def in_words(db_url: str) -> Iterator[None]:
    """Turn the errors of a gradebook's database into sentences.

    Raises:
        CourseError: instead of SQLAlchemy's errors; see `error`.
    """
    try:
        yield
    except (SQLAlchemyError, InvalidEntry) as reason:  # the second is what nbgrader makes of the first
        sentence = explain(str(reason), db_url)
        if sentence is None:
            raise
        raise error(sentence) from reason


def check(db_url: str, *, thorough: bool = False) -> str:
    """Make sure that a gradebook can be used, and change nothing.

    Args:
        db_url: its address.
        thorough: read all of a file, too; else damage in its middle shows when it is met.

    Returns:
        What it is, for people.

    Raises:
        CourseError: it cannot; one sentence says why and what to do.
    """
    try:
        url = make_url(db_url)
    except ArgumentError as error:
        raise CourseError(
            "the gradebook's address in the settings is no address: write postgresql://USER@HOST/DATABASE, "
            "see docs/postgresql.md"
        ) from error
    with in_words(db_url):
        is_plain = _is_file(url) and url.database not in (None, "", ":memory:") and "uri" not in url.query
        if is_plain and (kind := _look_at_file(Path(url.database))):
            return kind
        seconds = {} if _is_file(url) or "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
        engine = _engine(url, seconds)
        with engine.connect() as connection:
            _check_tables(connection, db_url)
            if not _is_file(url):
                version = ".".join(map(str, connection.dialect.server_version_info or ()))
                return f"{url.get_backend_name()} {version}, {where(db_url)}"
            if thorough and (found := connection.execute(text("pragma quick_check(1)")).scalar()) != "ok":
                raise CourseError(_of_driver(f"disk image is malformed: {found}", db_url))
            return f"SQLite, {where(db_url)}"


def _engine(url: URL, arguments: dict[str, int]) -> Engine:
    try:
        return create_engine(url, poolclass=NullPool, connect_args=arguments)
    except ModuleNotFoundError as error:
        package = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary"}.get(error.name or "", error.name)
        raise CourseError(
            f"the gradebook's driver {error.name} is not installed. Run `pip install '{package}'`, "
            "or name another in its address, see docs/postgresql.md"
        ) from error
    except NoSuchModuleError as error:
        raise CourseError(
            f"the gradebook's address begins with {url.drivername!r}, which nothing here understands: "
            "write postgresql://… or sqlite:///…, see docs/postgresql.md"
        ) from error


def _look_at_file(path: Path) -> str | None:
    """What there is to say of a file without opening it as a database; ``None`` if it is one that can be opened.

    Raises:
        CourseError: it can be neither made nor written.
    """
    if not path.exists():
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise CourseError(f"the gradebook {path} cannot be made: look whether its folder is there and is yours")
        return f"SQLite, {path}: not made yet, `make release` makes it"
    if not path.is_file():
        raise CourseError(f"the gradebook {path} is no file: move away what is there, or name another in the settings")
    # SQLite writes a journal beside it.
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK):
        raise CourseError(_of_driver("attempt to write a readonly database", f"sqlite:///{path}"))
    return None


def _check_tables(connection: Connection, db_url: str) -> None:
    """Compare the tables with those of the installed nbgrader, which would make missing ones without a word.

    Raises:
        CourseError: they are another nbgrader's, or another program's.
    """
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    tables = set(inspect(connection).get_table_names())
    if not tables:
        return
    if "submitted_assignment" not in tables:
        raise CourseError(
            f"the gradebook {where(db_url)} holds another program's tables ({', '.join(sorted(tables)[:3])}, …): "
            "give the gradebook a database of its own"
        )
    script = ScriptDirectory(ALEMBIC_DIR)
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision == script.get_current_head():
        return
    if revision is None or revision in {known.revision for known in script.walk_revisions()}:
        raise CourseError(f"the gradebook {where(db_url)} was made by an older nbgrader. {UPGRADE}")
    raise CourseError(
        f"the gradebook {where(db_url)} was made by a newer nbgrader. Install that one, or restore a copy from before."
    )
