"""confluent-kafka-python: admin, produce, consume in a group. Usage: BOOTSTRAP none|iam TOPIC COUNT. Prints what it saw as JSON."""
import json
import os
import sys
import time

from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, ResourceType

bootstrap, auth, topic, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def token(_):
    text, expires_ms = MSKAuthTokenProvider.generate_auth_token("us-east-1")
    return text, expires_ms / 1000


def give_up(error):
    if error.code() == KafkaError._AUTHENTICATION:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)  # an exception of a callback does not end librdkafka's retries


common = {"bootstrap.servers": bootstrap, "error_cb": give_up}
if auth == "iam":
    common |= {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "OAUTHBEARER", "oauth_cb": token}

admin = AdminClient(common)
admin.poll(1)  # hands the first token over
wait = lambda futures: [future.result(30) for future in futures.values()]
wait(admin.create_topics([NewTopic(topic, 2, config={"retention.ms": "60000"})]))
wait(admin.create_partitions([NewPartitions(topic, 3)]))
resource = ConfigResource(ResourceType.TOPIC, topic)
configs = next(iter(admin.describe_configs([resource]).values())).result(30)
admin.list_topics(timeout=30)  # of all topics: librdkafka 2.16 sends three bytes after the end of that request
result = {"retention": configs["retention.ms"].value, "partitions": len(admin.list_topics(topic, 30).topics[topic].partitions)}

acked = []
for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
    producer = Producer(common | {"enable.idempotence": True, "compression.type": codec, "linger.ms": 5})
    for i in range(count):
        producer.produce(
            topic,
            key=b"k%d" % (i % 50),
            value=f"{codec}-{i}",
            headers=[("codec", codec)],
            on_delivery=lambda error, message: acked.append(message.value()) if error is None else sys.exit(str(error)),
        )
        producer.poll(0)
    producer.flush(60)
result["acked"] = len(acked)

consumer = Consumer(common | {"group.id": f"{topic}-readers", "auto.offset.reset": "earliest", "enable.auto.commit": False, "check.crcs": True})
consumer.subscribe([topic])
records = []
deadline = time.monotonic() + 60
while len(records) < 5 * count and time.monotonic() < deadline:
    message = consumer.poll(1)
    if message is None:
        continue
    if message.error():
        sys.exit(str(message.error()))
    records.append(message)
consumer.commit(asynchronous=False)
consumer.close()
result["consumed"] = len(records)
result["same"] = sorted(acked) == sorted(record.value() for record in records)
result["partitions of one key"] = len({record.partition() for record in records if record.key() == b"k7"})

request = ConsumerGroupTopicPartitions(f"{topic}-readers")
offsets = next(iter(admin.list_consumer_group_offsets([request]).values())).result(30)
result["committed"] = sum(partition.offset for partition in offsets.topic_partitions)
description = next(iter(admin.describe_consumer_groups([f"{topic}-readers"]).values())).result(30)
result["state"] = description.state.name
moved = ConsumerGroupTopicPartitions(f"{topic}-readers", [TopicPartition(topic, 0, 1)])
wait(admin.alter_consumer_group_offsets([moved]))
wait(admin.delete_consumer_groups([f"{topic}-readers"]))
wait(admin.delete_topics([topic]))
print(json.dumps(result))
