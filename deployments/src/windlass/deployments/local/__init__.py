"""The local stack: embedded Postgres and real Airflow, without Docker."""
