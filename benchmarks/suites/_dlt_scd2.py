"""The peer of `scd2`: a dlt pipeline with its scd2 merge strategy, run in an environment of its own.

Reads lines from standard input. For `run` it runs the pipeline once and prints the seconds that took; for
`load` it prints the seconds of its last step alone, which loads what was read and merges it. Usage:
_dlt_scd2.py SOURCE_URL WAREHOUSE_URL DATASET FOLDER
"""

import sys
import time

import dlt
from dlt.sources.sql_database import sql_table

if __name__ == "__main__":
    source, warehouse, dataset, folder = sys.argv[1:]
    pipeline = dlt.pipeline(
        dataset,
        pipelines_dir=folder,
        destination=dlt.destinations.postgres(warehouse),
        dataset_name=dataset,
    )
    for line in sys.stdin:
        began = time.perf_counter()
        table = sql_table(credentials=source, table="customer")
        table.apply_hints(write_disposition={"disposition": "merge", "strategy": "scd2"})
        pipeline.extract(table)
        pipeline.normalize()
        if line.strip() == "load":
            print("ready", flush=True)
            began = time.perf_counter()
        pipeline.load(raise_on_failed_jobs=True)
        print(time.perf_counter() - began, flush=True)
