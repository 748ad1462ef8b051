"""A checked config as the plain data of which its DAG is constructed, and that data kept beside stubs."""
