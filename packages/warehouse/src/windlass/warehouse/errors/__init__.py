"""Every way the warehouse package fails, so that callers can catch as narrowly or as widely as they need.

```
WarehouseError                    WWH000  base of all
+-- MissingExtraError             WWH001  an optional part of the package is not installed
+-- ConnectionFailedError         WWH100  no connection to the warehouse, for another reason than these:
|   +-- InvalidDsnError           WWH101  the DSN cannot be read, or there is none
|   +-- ServerUnreachableError    WWH102  nothing answers at the address
|   +-- AuthenticationError       WWH103  wrong user or password
|   +-- DatabaseMissingError      WWH104  the server has no such database
|   +-- PermissionDeniedError     WWH105  the role may not do this
+-- MigrationError                WWH200  the schema cannot be migrated, for another reason than these:
|   +-- MigrationEditedError      WWH201  an applied migration's file was changed afterwards
|   +-- MigrationUnknownError     WWH202  the database is newer than this package
|   +-- MigrationLockedError      WWH203  someone else is migrating, or holds a table
|   +-- MigrationFailedError      WWH204  a migration's SQL failed; it was rolled back
|   +-- MigrationFilesError       WWH205  files of migrations are misnamed, unreadable or at odds
|   +-- MigrationUnfinishedError  WWH206  a migration outside a transaction has left something to clear up
|   +-- BaselineRefusedError      WWH207  the database does not hold what would be noted as applied
|   +-- ScratchError              WWH208  there is no scratch database to compare with
+-- EmbeddedError                 WWH300  the embedded server cannot be run, for another reason than these:
|   +-- PortTakenError            WWH301  another process listens on the port
|   +-- StartFailedError          WWH302  the server ended, or was not ready in time
|   +-- NotRunningError           WWH303  the server is needed and does not run
+-- SeedError                     WWH400  seeding failed
+-- LoadError                     WWH500  moving data failed, for another reason than these:
    +-- TableError                WWH510  a table or column is not there, or not as it is needed
    +-- FileRejectedError         WWH520  a file has problems; none of it was loaded
    +-- StatementError            WWH530  a SQL statement failed; its transaction was rolled back
    +-- ParameterError            WWH531  a bound parameter is missing, unknown or cannot be bound
    +-- PublishError              WWH540  rows would have been lost, doubled or published ambiguously
    +-- WatermarkError            WWH550  new rows cannot be told from old ones
    +-- HistoryError              WWH560  a slowly changing dimension's history would be ambiguous or lost
    +-- FencedError               WWH600  a later try of the task has taken over
```

Each message says what happened and where; `advice` says what to do next. All of them pickle, attributes
included, because Airflow sends exceptions between processes.
"""

from __future__ import annotations

from windlass.warehouse.errors.base import MissingExtraError, WarehouseError
from windlass.warehouse.errors.connection import (
    AuthenticationError,
    ConnectionFailedError,
    DatabaseMissingError,
    InvalidDsnError,
    PermissionDeniedError,
    ServerUnreachableError,
)
from windlass.warehouse.errors.embedded import (
    EmbeddedError,
    NotRunningError,
    PortTakenError,
    StartFailedError,
)
from windlass.warehouse.errors.loading import (
    FencedError,
    FileProblem,
    FileRejectedError,
    HistoryError,
    LoadError,
    ParameterError,
    PublishError,
    SeedError,
    StatementError,
    TableError,
    WatermarkError,
)
from windlass.warehouse.errors.migration import (
    BaselineRefusedError,
    MigrationEditedError,
    MigrationError,
    MigrationFailedError,
    MigrationFilesError,
    MigrationLockedError,
    MigrationUnfinishedError,
    MigrationUnknownError,
    ScratchError,
)

__all__ = [
    "AuthenticationError",
    "BaselineRefusedError",
    "ConnectionFailedError",
    "DatabaseMissingError",
    "EmbeddedError",
    "FencedError",
    "FileProblem",
    "FileRejectedError",
    "HistoryError",
    "InvalidDsnError",
    "LoadError",
    "MigrationEditedError",
    "MigrationError",
    "MigrationFailedError",
    "MigrationFilesError",
    "MigrationLockedError",
    "MigrationUnfinishedError",
    "MigrationUnknownError",
    "MissingExtraError",
    "NotRunningError",
    "ParameterError",
    "PermissionDeniedError",
    "PortTakenError",
    "PublishError",
    "ScratchError",
    "SeedError",
    "ServerUnreachableError",
    "StartFailedError",
    "StatementError",
    "TableError",
    "WarehouseError",
    "WatermarkError",
]

# One public address for each, which logs show and pickles keep, however the modules are cut.
for _name in __all__:
    globals()[_name].__module__ = __name__
