"""confluent-kafka: produces until its input ends, and prints "PARTITION OFFSET VALUE" once for each acknowledged record.

Usage: BOOTSTRAP TOPIC IDEMPOTENT(true|false) CODEC. Every value carries the hash of its text, so that a reader sees a torn one."""
import hashlib
import sys
import threading

from confluent_kafka import Producer

bootstrap, topic, idempotent, codec = sys.argv[1:5]
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
unacknowledged = []


def delivered(error, message):
    if error is None:
        print(message.partition(), message.offset(), message.value().decode(), flush=True)
    else:
        unacknowledged.append(str(error))


def report(error):
    # Lost connections are what the test is about; only a producer that gives up is an error.
    if error.fatal():
        sys.exit(f"fatal: {error}")


producer = Producer(
    {
        "bootstrap.servers": bootstrap,
        "acks": "all",
        "enable.idempotence": idempotent == "true",
        "compression.type": codec,
        "linger.ms": 2,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 200,
        "retry.backoff.ms": 50,
        "message.timeout.ms": 120000,
        "error_cb": report,
    }
)
count = 0
while not ended.is_set():
    text = f"{topic}-{count:08}-" + "x" * (count % 300)
    value = f"{text}:{hashlib.sha256(text.encode()).hexdigest()}"
    producer.produce(topic, key=f"k{count % 31}", value=value, on_delivery=delivered)
    count += 1
    producer.poll(0 if len(producer) < 2000 else 0.01)
    if count % 20 == 0:
        ended.wait(0.005)
left = producer.flush(60)
if left or unacknowledged:
    sys.exit(f"{left} in flight, {len(unacknowledged)} failed: {unacknowledged[:3]}")
print("produced", count, flush=True)
