"""librdkafka's mock cluster in a process of its own: prints its addresses, lives until its standard input ends."""

import sys

from confluent_kafka import Producer

BROKERS = 3
owner = Producer({"bootstrap.servers": "unused:1", "test.mock.num.brokers": BROKERS, "log_level": 0})
brokers = owner.list_topics(timeout=10).brokers.values()
print(",".join(f"{broker.host}:{broker.port}" for broker in brokers), flush=True)
sys.stdin.read()
