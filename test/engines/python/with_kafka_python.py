"""kafka-python: admin, produce, consume in a group. Usage: BOOTSTRAP none|iam TOPIC COUNT. Prints what it saw as JSON."""
import json
import logging
import sys

from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.net.sasl.oauth import AbstractTokenProvider

bootstrap, auth, topic, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


class MskTokenProvider(AbstractTokenProvider):
    def token(self):
        return MSKAuthTokenProvider.generate_auth_token("us-east-1")[0]


# It goes on trying to authenticate until the timeout; the broker's refusal stands only in its log.
logging.basicConfig(level=logging.WARNING)
common = {"bootstrap_servers": bootstrap, "bootstrap_timeout_ms": 5000}
if auth == "iam":
    common |= {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_oauth_token_provider": MskTokenProvider(),
    }

admin = KafkaAdminClient(**common)
admin.create_topics({topic: {"num_partitions": 3, "replication_factor": 3 if auth == "iam" else -1}})
result = {"topics": sorted(admin.list_topics())}

for codec in [None, "gzip", "lz4"]:
    producer = KafkaProducer(**common, acks="all", compression_type=codec)
    sent = [
        producer.send(topic, key=b"k%d" % (i % 50), value=b"%s-%d" % (str(codec).encode(), i), headers=[("codec", str(codec).encode())])
        for i in range(count)
    ]
    result[f"acked with {codec}"] = sum(1 for future in sent if future.get(timeout=30).offset >= 0)
    producer.close()

consumer = KafkaConsumer(
    topic, **common, group_id=f"{topic}-readers", auto_offset_reset="earliest", consumer_timeout_ms=15000, enable_auto_commit=False
)
records = []
for record in consumer:
    records.append(record)
    if len(records) == 3 * count:
        break
consumer.commit()
consumer.close()
result["consumed"] = len(records)
result["distinct"] = len({record.value for record in records})
result["headers"] = sorted({(name, value.decode()) for record in records for name, value in record.headers})
result["partitions of one key"] = len({record.partition for record in records if record.key == b"k7"})

offsets = admin.list_group_offsets({f"{topic}-readers": None})[f"{topic}-readers"]
result["committed"] = sum(offset.offset for partition, offset in offsets.items() if isinstance(partition, TopicPartition))
result["groups"] = sorted(group["group_id"] for group in admin.list_groups())
admin.delete_topics([topic])
admin.close()
print(json.dumps(result))
