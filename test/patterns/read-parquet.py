"""Writes the rows of Parquet files as one JSON list: bytes in base64, times in milliseconds since 1970."""

import base64
import datetime
import json
import sys

import pyarrow.parquet

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return round((value - EPOCH) / datetime.timedelta(milliseconds=1))
    raise TypeError(type(value))


rows = [row for path in sys.argv[1:] for row in pyarrow.parquet.read_table(path).to_pylist()]
json.dump(rows, sys.stdout, default=plain)
