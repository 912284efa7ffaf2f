"""librdkafka's mock cluster in a process of its own: prints its addresses, lives until its standard input ends.

mock-cluster.py [BROKERS [ROUND_TRIP_MS]]
"""

import sys

from confluent_kafka import Producer

brokers, round_trip_ms = (int(argument) for argument in (sys.argv[1:] + ["3", "0"][len(sys.argv) - 1 :]))
settings = {"bootstrap.servers": "unused:1", "test.mock.num.brokers": brokers, "log_level": 0}
if round_trip_ms > 0:
    settings["test.mock.broker.rtt"] = round_trip_ms
owner = Producer(settings)
found = owner.list_topics(timeout=10).brokers.values()
print(",".join(f"{broker.host}:{broker.port}" for broker in found), flush=True)
sys.stdin.read()
