"""The table of all codes: every mistake this package can report, and what to do about it, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

__all__ = ["CODES", "Code", "CodeInfo", "Severity"]

Severity = Literal["error", "warning"]


class Code(StrEnum):
    """The stable codes. A code is never given another meaning; a retired one is never used again."""

    UNREADABLE = "WDF001"
    TOO_LARGE = "WDF002"
    EMPTY = "WDF003"
    NOT_UTF8 = "WDF004"
    BYTE_ORDER_MARK = "WDF005"
    SYNTAX = "WDF006"
    TRAILING_COMMA = "WDF007"
    COMMENT = "WDF008"
    TRUNCATED = "WDF009"
    DUPLICATE_KEY = "WDF010"
    TOO_DEEP = "WDF011"
    NOT_AN_OBJECT = "WDF012"
    NUMBER = "WDF013"
    CHARACTER = "WDF014"
    TAG = "WDF015"
    ALIASES = "WDF016"
    SEVERAL_DOCUMENTS = "WDF017"
    MERGE_KEY = "WDF018"
    KEY = "WDF019"
    TAB = "WDF020"

    UNKNOWN_KEY = "WDF101"
    MISSING_KEY = "WDF102"
    WRONG_TYPE = "WDF103"
    INVALID_VALUE = "WDF104"
    DURATION = "WDF105"
    DATE = "WDF106"
    RELATIVE_DATE = "WDF107"
    SCHEMA_VERSION = "WDF108"
    NO_TASKS = "WDF109"
    TASK_ID = "WDF110"
    PARAM = "WDF111"
    ASSET = "WDF112"

    CRON = "WDF201"
    TIME_ZONE = "WDF202"
    DAG_ID = "WDF203"
    FILE_NAME = "WDF204"
    DUPLICATE_DAG_ID = "WDF205"
    UNKNOWN_DEPENDENCY = "WDF206"
    CYCLE = "WDF207"
    REPEATED_DEPENDENCY = "WDF208"
    DATE_ORDER = "WDF209"
    SCHEDULE_SETTINGS = "WDF210"
    DUPLICATE_TASK_ID = "WDF211"
    GROUP_MISUSE = "WDF212"
    SETUP_TEARDOWN = "WDF213"
    TRIGGER_RULE = "WDF214"
    ASSET_CONFLICT = "WDF215"
    TIMETABLE = "WDF216"
    RETRY_EXCEPTION = "WDF217"
    NO_OUTPUT = "WDF218"
    BRANCH = "WDF219"
    SELF_WAIT = "WDF220"

    UNKNOWN_OPERATOR = "WDF301"
    UNUSABLE_OPERATOR = "WDF302"
    UNKNOWN_PARAMETER = "WDF303"
    MISSING_PARAMETER = "WDF304"
    INVALID_PARAMETER = "WDF305"
    MISPLACED_SETTING = "WDF306"
    REFUSED_BY_OPERATOR = "WDF307"
    MAPPED_TWICE = "WDF308"
    FORMER_OPERATOR = "WDF309"

    PATH_ESCAPE = "WDF401"
    FILE_NOT_FOUND = "WDF402"
    NOT_A_FILE = "WDF403"
    TWO_DEFAULTS = "WDF404"
    NOT_A_DEFAULT = "WDF405"

    SECRET_VALUE = "WDF501"  # noqa: S105 - a code, no secret
    SECRET_IN_URL = "WDF502"  # noqa: S105 - a code, no secret

    REFUSED_BY_AIRFLOW = "WDF601"

    UNKNOWN_NOTIFIER = "WDF801"
    UNUSABLE_NOTIFIER = "WDF802"
    NOTIFIER_PARAMETER = "WDF803"

    UNDECLARED_VARIABLE = "WDF701"
    VARIABLE_NOT_SET = "WDF702"
    JINJA_SYNTAX = "WDF703"
    JINJA_NAME = "WDF704"
    SECRET_VARIABLE = "WDF705"  # noqa: S105 - a code, no secret


@dataclass(frozen=True)
class CodeInfo:
    """What a code means.

    Attributes:
        code: The stable code.
        title: The mistake in a few words.
        advice: What to do about it.
        severity: How bad it is: an error keeps the DAG from being built.
        quotes_source: Whether the line may be shown; not where it holds a secret.
    """

    code: Code
    title: str
    advice: str
    severity: Severity = "error"
    quotes_source: bool = True


_TABLE = (
    CodeInfo(
        Code.UNREADABLE, "The file or folder cannot be read", "Check that it exists and who may read it."
    ),
    CodeInfo(
        Code.TOO_LARGE,
        "The file is larger than 1 MiB",
        "Split the DAG, or move data into files beside the config.",
    ),
    CodeInfo(Code.EMPTY, "The file is empty", "Write a JSON object with at least dag_id and tasks."),
    CodeInfo(Code.NOT_UTF8, "The file is not UTF-8", "Save it as UTF-8."),
    CodeInfo(Code.BYTE_ORDER_MARK, "The file begins with a byte order mark", "Save it as UTF-8 without BOM."),
    CodeInfo(Code.SYNTAX, "Malformed JSON or YAML", "Correct the text at the place shown."),
    CodeInfo(Code.TRAILING_COMMA, "A comma before a closing bracket", "Remove the comma."),
    CodeInfo(Code.COMMENT, "A comment", "JSON has none: use description or doc_md."),
    CodeInfo(
        Code.TRUNCATED,
        "The file ends too early",
        "Write the file whole; a writer should rename it into place.",
    ),
    CodeInfo(Code.DUPLICATE_KEY, "A key stands twice in one object", "Keep one of the two."),
    CodeInfo(Code.TOO_DEEP, "Nested deeper than 64 levels", "Flatten the config."),
    CodeInfo(Code.NOT_AN_OBJECT, "The document is not an object", "Put the config between { and }."),
    CodeInfo(Code.NUMBER, "Not a finite JSON number", "Write a number within the range of a double."),
    CodeInfo(
        Code.CHARACTER, "A character that no database stores", "Remove the NUL or the lone surrogate escape."
    ),
    CodeInfo(Code.TAG, "A YAML tag", "Remove it: a config holds what JSON can say and no more."),
    CodeInfo(
        Code.ALIASES,
        "YAML aliases that repeat too much or themselves",
        "Write out what is repeated, shorter.",
    ),
    CodeInfo(
        Code.SEVERAL_DOCUMENTS, "Several YAML documents in one file", "Write each DAG into its own file."
    ),
    CodeInfo(
        Code.MERGE_KEY, "A YAML merge key", "Write the keys out, or put what tasks share under defaults."
    ),
    CodeInfo(Code.KEY, "A YAML key that is no string", "Put the key in quotes."),
    CodeInfo(Code.TAB, "A tab in YAML's indentation", "Indent with spaces."),
    CodeInfo(
        Code.UNKNOWN_KEY, "An unknown key", "Correct or remove it; operator parameters belong under args."
    ),
    CodeInfo(Code.MISSING_KEY, "A required key is missing", "Add it."),
    CodeInfo(Code.WRONG_TYPE, "A value of the wrong type", "Write the type that the message names."),
    CodeInfo(Code.INVALID_VALUE, "A value that is not allowed", "Write one that the message allows."),
    CodeInfo(Code.DURATION, "Not a duration", 'Write "30s", "5m", "2h", "1d" or ISO 8601 such as "PT1H30M".'),
    CodeInfo(Code.DATE, "Not a date", 'Write "2026-01-31" or "2026-01-31T06:00:00".'),
    CodeInfo(
        Code.RELATIVE_DATE,
        "A relative date",
        "Write the day itself: a relative one makes a new DAG version every day.",
    ),
    CodeInfo(Code.SCHEMA_VERSION, "An unknown schema version", "Write 1."),
    CodeInfo(Code.NO_TASKS, "A DAG without tasks", "Add a task."),
    CodeInfo(
        Code.TASK_ID, "Not a task id", "Begin with a letter; then letters, digits, _ and -, at most 200."
    ),
    CodeInfo(
        Code.PARAM,
        "A param that does not fit its own description",
        "Correct the JSON Schema or the default; a plain object goes under default.",
    ),
    CodeInfo(Code.ASSET, "Not an asset", "Write a name or a URI that Airflow takes."),
    CodeInfo(Code.CRON, "Not a schedule", "Write five cron fields, a preset such as @daily, or null."),
    CodeInfo(Code.TIME_ZONE, "Not a time zone", "Write a name of the IANA database such as Europe/Berlin."),
    CodeInfo(
        Code.DAG_ID,
        "The DAG id breaks the convention",
        "Write {domain}_{pipeline}_{version} in lower case, such as sales_daily_load_v1.",
    ),
    CodeInfo(
        Code.FILE_NAME, "The file is not named as its DAG", "Rename the folder or file, or correct dag_id."
    ),
    CodeInfo(Code.DUPLICATE_DAG_ID, "Two configs have one DAG id", "Rename one of them."),
    CodeInfo(Code.UNKNOWN_DEPENDENCY, "A dependency on a task that is not there", "Name a task of this DAG."),
    CodeInfo(Code.CYCLE, "Tasks that wait for each other", "Remove one dependency of the cycle."),
    CodeInfo(Code.REPEATED_DEPENDENCY, "A dependency listed twice", "Remove one."),
    CodeInfo(Code.DATE_ORDER, "The end lies before the start", "Correct start_date or end_date."),
    CodeInfo(Code.SCHEDULE_SETTINGS, "Settings that the schedule does not allow", "Follow the message."),
    CodeInfo(
        Code.DUPLICATE_TASK_ID,
        "Two tasks or groups have one id",
        "Rename one, or leave prefix_group_id of its group true.",
    ),
    CodeInfo(Code.GROUP_MISUSE, "A group where a task is meant", "Name one of the group's tasks."),
    CodeInfo(
        Code.SETUP_TEARDOWN,
        "A setup or teardown that contradicts itself",
        "Make it one of the two, without a trigger rule for a teardown.",
    ),
    CodeInfo(
        Code.TRIGGER_RULE, "A trigger rule that Airflow refuses here", "Leave it out, or follow the message."
    ),
    CodeInfo(
        Code.ASSET_CONFLICT,
        "One asset, described in two ways",
        "Write its URI and group the same everywhere, or give the other one a name of its own.",
    ),
    CodeInfo(
        Code.TIMETABLE,
        "A timetable that cannot be used",
        "Name a timetable class that Airflow or a plugin has, with the arguments it takes.",
    ),
    CodeInfo(
        Code.RETRY_EXCEPTION,
        "Not an exception class",
        "Write the import path of an exception class, or the name of one of Python's own.",
    ),
    CodeInfo(
        Code.NO_OUTPUT,
        "Mapped over a task that returns nothing to map over",
        "Name a task that returns an array or an object, and keeps it.",
    ),
    CodeInfo(
        Code.BRANCH,
        "A branch to what does not come after it",
        "Choose a task or group that depends on the branch.",
    ),
    CodeInfo(
        Code.SELF_WAIT,
        "A DAG that waits for itself",
        "Wait for another DAG, or for an earlier run by execution_delta.",
    ),
    CodeInfo(
        Code.UNKNOWN_OPERATOR,
        "An unknown operator",
        "Use a registered name or a class path; install the package that registers the name.",
    ),
    CodeInfo(
        Code.UNUSABLE_OPERATOR, "An operator that cannot be used", "Install what it needs, or correct it."
    ),
    CodeInfo(Code.UNKNOWN_PARAMETER, "An unknown operator parameter", "Correct or remove it."),
    CodeInfo(Code.MISSING_PARAMETER, "A required operator parameter is missing", "Add it under args."),
    CodeInfo(Code.INVALID_PARAMETER, "An operator parameter of the wrong kind", "Follow the message."),
    CodeInfo(
        Code.MISPLACED_SETTING, "An Airflow setting under args", "Write it beside args, or leave it out."
    ),
    CodeInfo(
        Code.REFUSED_BY_OPERATOR, "The operator refuses its parameters", "Follow the operator's message."
    ),
    CodeInfo(
        Code.MAPPED_TWICE,
        "A parameter with two sources in a mapped task",
        "Keep it in one place: args for all instances, expand or expand_kwargs for each.",
    ),
    CodeInfo(
        Code.FORMER_OPERATOR,
        "An operator's import path of Airflow 2",
        "Write the short name, or the path in the provider's package.",
    ),
    CodeInfo(
        Code.PATH_ESCAPE, "A path outside the config's folder", "Keep files beside or below the config."
    ),
    CodeInfo(
        Code.FILE_NOT_FOUND,
        "A file that is not there",
        "Correct the name, or add the file beside the config.",
    ),
    CodeInfo(Code.NOT_A_FILE, "Not a readable file", "Name a regular file that Airflow may read."),
    CodeInfo(
        Code.TWO_DEFAULTS, "Two files of defaults in one folder", "Keep one of them, with what both say."
    ),
    CodeInfo(
        Code.NOT_A_DEFAULT, "A key that no folder's defaults can set", "Write it in each config instead."
    ),
    CodeInfo(
        Code.SECRET_VALUE,
        "What looks like a secret",
        "Store it in an Airflow connection and name that, write {{ conn.ID.password }} where fields are "
        "rendered, or read the worker's environment, as $PASSWORD in a command.",
        quotes_source=False,
    ),
    CodeInfo(
        Code.SECRET_IN_URL,
        "A URL with a password or token",
        "Store it in an Airflow connection and name that, or write {{ conn.ID.get_uri() }} where fields are "
        "rendered.",
        quotes_source=False,
    ),
    CodeInfo(Code.REFUSED_BY_AIRFLOW, "Airflow refuses the DAG", "Follow Airflow's message."),
    CodeInfo(
        Code.UNKNOWN_NOTIFIER,
        "An unknown notifier",
        "Use a registered name or a class path; install the package that registers the name.",
    ),
    CodeInfo(
        Code.UNUSABLE_NOTIFIER, "A notifier that cannot be used", "Install what it needs, or correct it."
    ),
    CodeInfo(Code.NOTIFIER_PARAMETER, "A notifier parameter that does not fit", "Follow the message."),
    CodeInfo(
        Code.UNDECLARED_VARIABLE,
        "A variable that is not declared",
        "Name it under variables, or write $${NAME} for the shell's own.",
    ),
    CodeInfo(
        Code.VARIABLE_NOT_SET,
        "A declared variable without a value",
        "Set it in the environment of Airflow's processes and of this command.",
    ),
    CodeInfo(Code.JINJA_SYNTAX, "Malformed Jinja", "Correct the template at the place shown."),
    CodeInfo(
        Code.JINJA_NAME,
        "A name that Airflow's templates do not have",
        "Correct it, or set it in the template; values of the run are under params, dag_run and ti.",
    ),
    CodeInfo(
        Code.SECRET_VARIABLE,
        "A variable that is named as a secret",
        "Store the secret in an Airflow connection and name that.",
    ),
)

CODES = MappingProxyType({info.code: info for info in _TABLE})
