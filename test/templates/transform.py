"""Writes the CloudFormation that SAM makes of each template as JSON lines, in the order of the arguments."""

import json
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

for path in sys.argv[1:]:
    with open(path) as file:
        template = yaml_parse(file)
    # What `sam package` does before the transform.
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    print(json.dumps(Translator({}, Parser()).translate(template, {})))
