"""Writes the rows of Parquet files as one JSON list: bytes in base64, times in milliseconds since 1970."""

import base64
import json
import sys

import pyarrow.parquet

def plain(value):
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    raise TypeError(type(value))


def read(path):
    table = pyarrow.parquet.read_table(path)
    # As numbers: Python's own times end with the year 9999.
    times = table["timestamp"].cast("int64")
    return table.set_column(table.schema.get_field_index("timestamp"), "timestamp", times).to_pylist()


json.dump([row for path in sys.argv[1:] for row in read(path)], sys.stdout, default=plain)
