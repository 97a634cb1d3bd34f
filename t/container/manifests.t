#!/usr/bin/python3
"""The compose file and the Kubernetes manifests, checked by python3-jsonschema with the schemas beside this file, which know no key that these files
do not need; each mistake of a table is found. And both say what the image says: user, ports, directories."""

import configparser
import copy
import json
import os
import re
import sys

import jsonschema
import yaml

SRC = os.path.abspath(os.environ.get("KMS_SRC", "."))
count = failed = 0


def ok(good, name):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}")


def read(path):
    with open(f"{SRC}/{path}", encoding="utf-8") as file:
        return file.read()


def checker(name):
    schema = json.loads(read(f"t/container/{name}.schema.json"))
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def check(validator, document, name):
    errors = sorted(validator.iter_errors(document), key=str)
    ok(not errors, name)
    for error in errors:
        print(f"# {list(error.absolute_path)}: {error.message[:300]}", file=sys.stderr)


compose = yaml.safe_load(read("etc/container/compose.yaml"))
manifests = list(yaml.safe_load_all(read("etc/container/kubernetes.yaml")))
compose_checker, kubernetes_checker = checker("compose"), checker("kubernetes")
check(compose_checker, compose, "compose.yaml")
for manifest in manifests:
    check(kubernetes_checker, manifest, f"kubernetes.yaml: {manifest['kind']} {manifest['metadata']['name']}")
ok([m["kind"] for m in manifests] == ["Service", "Service", "StatefulSet"], "two services and a set")

# Mistakes: where, and what stands there then (None: nothing).
(stateful,) = [m for m in manifests if m["kind"] == "StatefulSet"]
POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
MISTAKES = [
    (stateful, kubernetes_checker, ("spec", "replicas"), 2),
    (stateful, kubernetes_checker, ("apiVersion",), "v1"),
    (stateful, kubernetes_checker, ("metadata", "name"), "KMSD"),
    (stateful, kubernetes_checker, (*POD, "securityContext", "runAsUser"), 0),
    (stateful, kubernetes_checker, (*POD, "securityContext", "runAsNonRoot"), None),
    (stateful, kubernetes_checker, (*POD, "hostNetwork"), True),
    (stateful, kubernetes_checker, (*CONTAINER, "securityContext", "readOnlyRootFilesystem"), False),
    (stateful, kubernetes_checker, (*CONTAINER, "securityContext", "capabilities", "drop"), []),
    (stateful, kubernetes_checker, (*CONTAINER, "readinessProbe", "httpGet"), None),
    (stateful, kubernetes_checker, (*CONTAINER, "readinessProbe", "httpGet", "path"), "health"),
    (stateful, kubernetes_checker, (*CONTAINER, "ports", 0, "containerPort"), 65536),
    (stateful, kubernetes_checker, (*CONTAINER, "resources", "limits", "memory"), "2 GB"),
    (stateful, kubernetes_checker, (*CONTAINER, "volumeMount"), []),
    (manifests[0], kubernetes_checker, ("spec", "ports", 0, "port"), 0),
    (manifests[0], kubernetes_checker, ("spec", "selector"), {}),
    (compose, compose_checker, ("services", "kmsd", "user"), "0:0"),
    (compose, compose_checker, ("services", "kmsd", "read_only"), False),
    (compose, compose_checker, ("services", "kmsd", "cap_drop"), ["CHOWN"]),
    (compose, compose_checker, ("services", "kmsd", "privileged"), True),
    (compose, compose_checker, ("services", "kmsd", "ports"), ["1688"]),
    (compose, compose_checker, ("services", "kmsd", "restart"), "never"),
]
for document, validator, path, value in MISTAKES:
    wrong = copy.deepcopy(document)
    place = wrong
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    ok(not validator.is_valid(wrong), f"a mistake is found: {'.'.join(map(str, path))} = {value}")

# One image.
containerfile = read("etc/container/Containerfile")
(user,) = re.findall(r"^USER (\d+:\d+)$", containerfile, re.M)
(ports,) = re.findall(r"^EXPOSE (.*)$", containerfile, re.M)
(volume,) = re.findall(r"^VOLUME (\S+)$", containerfile, re.M)
ini = configparser.ConfigParser(inline_comment_prefixes=";")
ini.read_string(read("etc/container/kms.ini"))
service = compose["services"]["kmsd"]
pod = stateful["spec"]["template"]["spec"]
container = pod["containers"][0]
ok(service["user"] == user, "compose.yaml has the image's user")
security = pod["securityContext"]
ok(f"{security['runAsUser']}:{security['runAsGroup']}" == user and f"{security['fsGroup']}" == user.split(":")[1], "and so has kubernetes.yaml")
ok([p.split(":")[-1] for p in service["ports"]] == ports.split(), "compose.yaml has the image's ports")
ok([str(p["containerPort"]) for p in container["ports"]] == ports.split(), "and so has kubernetes.yaml")
ok([ini["listen"]["port"], ini["web"]["listen"].split(":")[-1]] == ports.split(), "and its kms.ini")
ok(ini["kms"]["state_directory"].startswith(f"{volume}/"), "the state is on the volume")
mounts = {m["mountPath"]: m["name"] for m in container["volumeMounts"]}
named = {v["name"] for v in pod["volumes"]} | {c["metadata"]["name"] for c in stateful["spec"]["volumeClaimTemplates"]}
ok(set(mounts.values()) == named, "each volume is mounted, and each mount has one")
ok(mounts[volume] == "state" and f"state:{volume}" in service["volumes"], "in both")
ok(os.path.dirname(ini["kms"]["runtime_directory"]) in mounts and service["tmpfs"][0].startswith("/run:"), "and the runtime directory is in memory")
ok(container["readinessProbe"]["httpGet"] == {"path": "/health", "port": "web"}, "it is ready when /health says so")
for manifest in manifests[:2]:
    labels = stateful["spec"]["template"]["metadata"]["labels"]
    ok(manifest["spec"]["selector"].items() <= labels.items(), f"the service {manifest['metadata']['name']} finds the pod")
ok(stateful["spec"]["serviceName"] in [m["metadata"]["name"] for m in manifests[:2]], "the set has its service")
print(f"1..{count}")
sys.exit(bool(failed))
