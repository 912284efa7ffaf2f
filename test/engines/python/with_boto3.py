"""boto3: the life of a cluster on the MSK API. Usage: NAME. Prints what it saw as JSON; takes the endpoint from AWS_ENDPOINT_URL_KAFKA."""
import json
import sys
import time

import boto3
from botocore.exceptions import ClientError

name = sys.argv[1]
kafka = boto3.client("kafka")
serverless = {
    "VpcConfigs": [{"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}],
    "ClientAuthentication": {"Sasl": {"Iam": {"Enabled": True}}},
}


def error_of(operation, **parameters):
    try:
        getattr(kafka, operation)(**parameters)
        return None
    except ClientError as error:
        return error.response["Error"]["Code"]


created = kafka.create_cluster_v2(ClusterName=name, Serverless=serverless, Tags={"team": "a"})
arn = created["ClusterArn"]
result = {"created": created["State"], "type": created["ClusterType"]}
result["same name"] = error_of("create_cluster_v2", ClusterName=name, Serverless=serverless)
describe = lambda: kafka.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]
states = [describe()["State"]]
while states[-1] != "ACTIVE":
    time.sleep(0.05)
    states.append(describe()["State"])
info = describe()
result["described"] = [info["ClusterName"], info["ClusterType"], info["Tags"], info["Serverless"]["VpcConfigs"][0]["SubnetIds"]]
result["created recently"] = abs(time.time() - info["CreationTime"].timestamp()) < 60

brokers = kafka.get_bootstrap_brokers(ClusterArn=arn)
result["brokers"] = sorted(key for key in brokers if key.startswith("Bootstrap"))
pages = kafka.get_paginator("list_clusters_v2").paginate(PaginationConfig={"PageSize": 1})
result["pages"] = [[cluster["ClusterName"] for cluster in page["ClusterInfoList"]] for page in pages]
result["filtered"] = [cluster["ClusterName"] for cluster in kafka.list_clusters_v2(ClusterNameFilter=name)["ClusterInfoList"]]

kafka.tag_resource(ResourceArn=arn, Tags={"stage": "test"})
kafka.untag_resource(ResourceArn=arn, TagKeys=["team"])
result["tags"] = kafka.list_tags_for_resource(ResourceArn=arn)["Tags"]
result["topics"] = error_of("list_topics", ClusterArn=arn)
result["nodes"] = error_of("list_nodes", ClusterArn=arn)

result["deleted"] = kafka.delete_cluster(ClusterArn=arn)["State"]
deadline = time.monotonic() + 20
while error_of("describe_cluster_v2", ClusterArn=arn) != "NotFoundException" and time.monotonic() < deadline:
    time.sleep(0.05)
result["gone"] = error_of("describe_cluster_v2", ClusterArn=arn)
print(json.dumps(result))
