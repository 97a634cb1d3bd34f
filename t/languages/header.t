#!/usr/bin/python3
"""The Python package beside kms.h, which the compiler reads: functions, structures and where their fields are, numbers, and what is said when
nothing is said. A name that is only in one of the two fails here."""

import ast
import dataclasses
import inspect
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import SRC, done, equal, ok

import ctypes as c

import kms
from kms import _abi, _object

INCLUDE = f"-I{SRC}/libkms"


def clang(*arguments, text):
    return subprocess.run(["clang", INCLUDE, "-x", "c", *arguments, "-"], input=text, capture_output=True, text=True, check=True).stdout


# What the compiler sees, by kind and name.
tree = json.loads(clang("-fsyntax-only", "-Xclang", "-ast-dump=json", text="#include <kms.h>\n"))
functions, structs, enums = {}, {}, {}
for node in tree["inner"]:
    name = node.get("name", "")
    inner = node.get("inner", [])
    if not name.startswith("kms_"):
        continue
    if node["kind"] == "FunctionDecl":
        returns = node["type"]["qualType"].split("(")[0].strip()
        functions[name] = [returns] + [i["type"]["qualType"] for i in inner if i["kind"] == "ParmVarDecl"]
    elif node["kind"] == "RecordDecl" and inner:
        structs[name] = [(i["name"], i["type"]["qualType"]) for i in inner if i["kind"] == "FieldDecl"]
    elif node["kind"] == "EnumDecl" and inner:
        next_value = 0
        enums[name] = {}
        for i in (i for i in inner if i["kind"] == "EnumConstantDecl"):
            if "inner" in i:
                next_value = int(i["inner"][0]["value"])
            enums[name][i["name"]] = next_value
            next_value += 1
ok(len(functions) > 25 and len(structs) == 6 and len(enums) >= 7, "the compiler reads kms.h")

# Structures of the header, and their classes.
CLASSES = {
    "kms_options": _abi.Options,
    "kms_status_info": _abi.StatusInfo,
    "kms_result": _abi.Result,
    "kms_lease_info": _abi.LeaseInfo,
    "kms_evidence_info": _abi.EvidenceInfo,
    "kms_error": _abi.Error,
}
equal(sorted(CLASSES), sorted(structs), "each structure has a class")

TYPES = {
    "void": None,
    "int": c.c_int,
    "unsigned int": c.c_uint,
    "unsigned int *": c.POINTER(c.c_uint),
    "size_t": c.c_size_t,
    "size_t *": c.POINTER(c.c_size_t),
    "uint32_t": c.c_uint32,
    "uint64_t": c.c_uint64,
    "char *": c.c_char_p,
    "const char *": c.c_char_p,
    "void *": c.c_void_p,
    "const void *": c.c_void_p,
    "uint64_t (*)(void *)": _abi.Now,
    "struct kms_client *": c.c_void_p,
    "struct kms_client **": c.POINTER(c.c_void_p),
}


def ctype(name):
    """The class of ctypes for a type of C."""
    for old, new in (("unsigned *", "unsigned int *"), ("unsigned", "unsigned int")):
        name = new if name == old else name
    if name in TYPES:
        return TYPES[name]
    if name.endswith("]"):
        base, _, sizes = name.partition("[")
        of = {"uint8_t": c.c_uint8, "char": c.c_char, "uint64_t": c.c_uint64}[base.strip()]
        for size in reversed(sizes.rstrip("]").split("][")):
            of = of * int(size)
        return of
    if name.startswith("enum "):
        return c.POINTER(c.c_uint) if name.endswith("*") else c.c_uint
    pointed = name.removeprefix("const ").removeprefix("struct ").removesuffix(" *")
    return c.POINTER(CLASSES[pointed])


equal(sorted(_abi.FUNCTIONS), sorted(functions), "each function is declared")
for name in sorted(functions):
    equal(list(_abi.FUNCTIONS.get(name, ())), [ctype(t) for t in functions[name]], f"{name} has the header's types")

# Where the fields are, as a program of C says.
lines = ["#include <kms.h>", "#include <stddef.h>", "#include <stdio.h>", "int main(void) {"]
for struct, members in sorted(structs.items()):
    lines.append(f'printf("{struct} %zu\\n", sizeof(struct {struct}));')
    lines += [f'printf("{struct}.{f} %zu\\n", offsetof(struct {struct}, {f}));' for f, _ in members]
lines += [f'printf("{m} %llu\\n", (unsigned long long){m});' for m in ("KMS_PORT", "KMS_NO_GRACE")]
lines.append("return 0; }")
with tempfile.TemporaryDirectory() as place:
    clang("-o", f"{place}/layout", text="\n".join(lines))
    said = subprocess.check_output([f"{place}/layout"], text=True)
layout = {name: int(value) for name, value in (line.split() for line in said.splitlines())}
for struct, cls in sorted(CLASSES.items()):
    equal([f[:2] for f in cls._fields_], [(f, ctype(t)) for f, t in structs[struct]], f"{struct} has the header's fields")
    mine = {struct: c.sizeof(cls)} | {f"{struct}.{f[0]}": getattr(cls, f[0]).offset for f in cls._fields_}
    equal(mine, {k: v for k, v in layout.items() if k.split(".")[0] == struct}, f"{struct}: and where the compiler puts them")

# Numbers.
ENUMS = {
    "kms_status": (kms.Status, "KMS_E_"),
    "kms_licence": (kms.Licence, "KMS_"),
    "kms_vm": (kms.VirtualMachine, "KMS_VM_"),
    "kms_operation": (kms.Operation, "KMS_"),
    "kms_names": (kms.Names, "KMS_NAMES_"),
    "kms_evidence_kind": (kms.EvidenceKind, "KMS_"),
    "kms_next": (kms.NextStep, "KMS_NEXT_"),
}
equal(sorted(ENUMS), sorted(enums), "each enumeration has a class")
for name, (cls, prefix) in sorted(ENUMS.items()):
    header = {("OK" if n == "KMS_OK" else n.removeprefix(prefix)): v for n, v in enums[name].items()}
    equal({m.name: m.value for m in cls}, header, f"{name} has the header's numbers")
macros = {l.split()[1] for l in clang("-E", "-dM", text="#include <kms.h>\n").splitlines() if l.startswith("#define KMS_") and len(l.split()) > 2}
equal(macros, {"KMS_PORT", "KMS_NO_GRACE"}, "the header has two numbers beside them")
equal(kms.PORT, layout["KMS_PORT"], "KMS_PORT")
equal(_abi.NO_GRACE, layout["KMS_NO_GRACE"], "KMS_NO_GRACE")

# What the library itself says.
symbols = {s.name: s.symbol for s in kms.Status if s is not kms.Status.LOCAL}
equal(symbols, {n: "KMS_OK" if n == "OK" else f"KMS_E_{n}" for n in symbols}, "each status has its symbol")
equal(kms.known_statuses(), [s for s in kms.Status if s is not kms.Status.LOCAL], "libkms knows the same statuses")

# Fields and options, as a product sees them.
VALUES = {"kms_status_info": kms.StatusInfo, "kms_result": kms.Result, "kms_lease_info": kms.LeaseInfo, "kms_evidence_info": kms.EvidenceInfo}
for struct, cls in sorted(VALUES.items()):
    equal([f.name for f in dataclasses.fields(cls)], [f for f, _ in structs[struct] if f != "size"], f"{cls.__name__} has each field")
WITHIN = {"size", "now_arg", "detail", "detail_size"}  # what the package sets itself
for cls in (kms.Client, kms.AsyncClient):
    options = [p for p in inspect.signature(cls).parameters.values()]
    asked = ["grace" if f == "grace_minutes" else f for f, _ in structs["kms_options"] if f not in WITHIN]
    equal([p.name for p in options], asked, f"{cls.__name__} has each option, in the header's order")


class Opened(Exception):
    pass


def record(_, options):
    raised = Opened()
    raised.options = options._obj
    raise raised


real, _object.lib.kms_open = _object.lib.kms_open, record
try:
    kms.Client("key", "product")
except Opened as opened:
    o = opened.options
    said = {f: getattr(o, f) for f, *_ in o._fields_ if bytes(o)[getattr(_abi.Options, f).offset :][: getattr(_abi.Options, f).size].strip(b"\0")}
    equal(sorted(said), ["detail", "detail_size", "product", "publisher_key", "size"], "what a product does not say is zero, C's safe choice")
    equal((said["publisher_key"], said["product"], said["size"]), (b"key", b"product", c.sizeof(_abi.Options)), "and what it says is there")
finally:
    _object.lib.kms_open = real

# Each function is of use: those that block are steps here, so that signals are heard.
used = set()
for file in os.listdir(f"{SRC}/python/kms"):
    if file.endswith(".py"):
        with open(f"{SRC}/python/kms/{file}") as source:
            used |= {n.attr for n in ast.walk(ast.parse(source.read())) if isinstance(n, ast.Attribute) and n.attr.startswith("kms_")}
equal(sorted(set(_abi.FUNCTIONS) - used), ["kms_activate", "kms_borrow", "kms_release", "kms_renew"], "each function is used but four")

# pydoc shows everything.
bare = []
for name in kms.__all__:
    thing = getattr(kms, name)
    if not inspect.isclass(thing) and not inspect.isfunction(thing):
        continue
    if not (thing.__doc__ or "").strip() or thing.__doc__.startswith(f"{name}("):
        bare.append(name)
    if inspect.isclass(thing):
        own = [(n, m) for n, m in inspect.getmembers(thing) if not n.startswith("_") and (inspect.isfunction(m) or isinstance(m, property))]
        bare += [f"{name}.{n}" for n, m in own if not (m.__doc__ or "").strip()]
equal(bare, [], "each public name has its text in pydoc")
done()
