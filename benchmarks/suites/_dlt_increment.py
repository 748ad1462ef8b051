"""The peer of `incremental`: a dlt pipeline that merges what is new, run in an environment of its own.

Reads lines from standard input; for each it runs the pipeline once and prints the seconds that took. Usage:
_dlt_increment.py SOURCE_URL WAREHOUSE_URL FOLDER
"""

import sys
import time

import dlt
from dlt.sources.sql_database import sql_table

if __name__ == "__main__":
    source, warehouse, folder = sys.argv[1:]
    pipeline = dlt.pipeline(
        "increments",
        pipelines_dir=folder,
        destination=dlt.destinations.postgres(warehouse),
        dataset_name="merged",
    )
    for _ in sys.stdin:
        began = time.perf_counter()
        table = sql_table(
            credentials=source,
            table="origin",
            incremental=dlt.sources.incremental("updated_at"),
            primary_key="id",
            write_disposition="merge",
        )
        pipeline.run(table)
        print(time.perf_counter() - began, flush=True)
