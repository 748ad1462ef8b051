"""Rows into tables: files by COPY, queries streamed from one database to another."""
