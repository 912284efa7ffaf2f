"""boto3: a function and its mapping in skk local. Usage: ZIP CLUSTER_ARN. Prints what it saw as JSON; takes the endpoint from AWS_ENDPOINT_URL_LAMBDA."""
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

package, cluster = sys.argv[1:]
client = boto3.client("lambda", config=Config(retries={"max_attempts": 0}, max_pool_connections=40))
errors = client.exceptions
result = {}
client.create_function(
    FunctionName="made-by-boto3",
    Runtime="nodejs22.x",
    Role="arn:aws:iam::123456789012:role/lambda",
    Handler="index.handler",
    Code={"ZipFile": open(package, "rb").read()},
)
client.get_waiter("function_active_v2").wait(FunctionName="made-by-boto3", WaiterConfig={"Delay": 1})
answer = client.invoke(FunctionName="made-by-boto3", Payload=json.dumps({"fail": True}))
result["function error"] = [answer["FunctionError"], json.loads(answer["Payload"].read())["errorType"]]

mapping = dict(FunctionName="made-by-boto3", EventSourceArn=cluster, Topics=["orders"], StartingPosition="TRIM_HORIZON")
created = client.create_event_source_mapping(**mapping)
uuid = created["UUID"]
result["created"] = created["State"]
try:
    client.create_event_source_mapping(**mapping)
except errors.ResourceConflictException as error:
    result["conflict names it"] = error.response["Error"]["Message"].endswith(f"with UUID {uuid}")
try:
    client.create_event_source_mapping(**{**mapping, "FunctionName": "nobody"})
except errors.ResourceNotFoundException:
    result["no function"] = True
try:
    client.create_event_source_mapping(**{**mapping, "Topics": ["other"], "MaximumRecordAgeInSeconds": 30})
except errors.InvalidParameterValueException:
    result["invalid"] = True
try:
    client.delete_event_source_mapping(UUID=uuid)
except errors.ResourceInUseException:
    result["in use"] = True
while client.get_event_source_mapping(UUID=uuid)["State"] != "Enabled":
    time.sleep(0.2)
result["pages"] = [len(page["EventSourceMappings"]) for page in client.get_paginator("list_event_source_mappings").paginate()]
client.delete_event_source_mapping(UUID=uuid)


def is_throttled(_):
    try:
        client.list_functions()
    except errors.TooManyRequestsException as error:
        return [error.response["Reason"], error.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"]]


with ThreadPoolExecutor(40) as pool:
    throttled = [answer for answer in pool.map(is_throttled, range(40)) if answer]
result["throttled"] = [len(throttled) > 10, throttled[0]]
print(json.dumps(result))
