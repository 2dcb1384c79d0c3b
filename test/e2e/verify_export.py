"""Verifies an export of the ledger, from docs/ledger.md alone: python3 verify_export.py DIR

Prints one JSON document, {"chain_valid": …}, and exits with 0 or 1. Nothing but the standard library; signatures are left to other tools.
"""
import base64, hashlib, json, os, re, sys
from datetime import datetime

ZEROS = "0" * 64
MEMBERS = ["body", "log", "prev", "seq", "ts", "v"]


class Bad(Exception):
    def __init__(self, problem, seq=None, file=None):
        super().__init__(problem)
        self.found = {"problem": problem, "first_bad_seq": seq, "file": file}


def canonical(value, depth=0):
    if value is None or value is True or value is False:
        return json.dumps(value)
    if isinstance(value, int):
        if abs(value) > 2**53 - 1:
            raise ValueError("a number beyond 2^53")
        return str(value)
    if isinstance(value, str):
        value.encode("utf-8")  # refuses lone surrogates
        if "\0" in value:
            raise ValueError("NUL")
        return json.dumps(value, ensure_ascii=False)
    if depth >= 32 or not isinstance(value, (dict, list)):
        raise ValueError("too deep, or a fraction")
    if isinstance(value, list):
        return "[" + ",".join(canonical(one, depth + 1) for one in value) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be"))
    return "{" + ",".join(canonical(name) + ":" + canonical(value[name], depth + 1) for name in names) + "}"


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def add_leaf(frontier, number, leaf):
    while number % 2 == 1:
        leaf = node(frontier.pop(), leaf)
        number //= 2
    frontier.append(leaf)


def root_of(frontier):
    if not frontier:
        return hashlib.sha256().hexdigest()
    folded = frontier[-1]
    for left in reversed(frontier[:-1]):
        folded = node(left, folded)
    return folded.hex()


def sealed(path, name):
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise Bad("missing_file", file=name)
    try:
        value = json.loads(data)
        digest = value.pop("digest")
        body = canonical(value)
        whole = canonical({**value, "digest": digest}) + "\n"
        if digest == hashlib.sha256(body.encode()).hexdigest() and data == whole.encode():
            return value, hashlib.sha256(data).hexdigest()
    except (ValueError, AttributeError, KeyError, TypeError):
        pass
    raise Bad("bad_manifest", file=name)


def read_entry(line, seq, log, prev, ts, name):
    try:
        if len(line) > 61440:
            raise ValueError("too long")
        entry = json.loads(line)
        text = "{" + ",".join(f'"{key}":{canonical(entry[key])}' for key in MEMBERS) + "}"
        if text.encode() != line or sorted(entry) != MEMBERS or entry["v"] != 1 or type(entry["body"]) is not dict:
            raise ValueError("not canonical")
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", entry["ts"], re.ASCII):
            raise ValueError("not a time")
        datetime.fromisoformat(entry["ts"][:-1])
        if type(entry["seq"]) is not int or not re.fullmatch(r"[0-9a-f]{64}", entry["prev"]):
            raise ValueError("not a link")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Bad("bad_bytes", seq, name)
    if entry["seq"] != seq:
        raise Bad("gap" if entry["seq"] > seq else "bad_seq", seq, name)
    if entry["log"] != log or entry["prev"] != prev or entry["ts"] < ts:
        raise Bad("wrong_log" if entry["log"] != log else "bad_link" if entry["prev"] != prev else "ts_back", seq, name)
    return entry["ts"]


def verify_log(folder, expected_digest):
    name = os.path.basename(folder)
    manifest, digest = sealed(os.path.join(folder, "manifest.json"), name + "/manifest.json")
    if digest != expected_digest:
        raise Bad("bad_manifest", file=name + "/manifest.json")
    start, seq, ts = manifest["start"], manifest["from"], ""
    prev, known = start["prev"], start["frontier"]
    packed = bytes.fromhex(known or "")
    frontier = [packed[at : at + 32] for at in range(0, len(packed), 32)]
    signed = manifest["checkpoint"] and manifest["checkpoint"].split("\n")
    roots = {seq: root_of(frontier)}
    for file in manifest["files"]:
        where = name + "/" + file["name"]
        try:
            with open(os.path.join(folder, file["name"]), "rb") as opened:
                data = opened.read()
        except FileNotFoundError:
            raise Bad("missing_file", seq, where)
        lines = data.split(b"\n")
        for line in lines[:-1] if lines[-1] == b"" else lines:
            ts = read_entry(line, seq, manifest["log"], prev, ts, where)
            leaf = hashlib.sha256(b"\0" + line).digest()
            add_leaf(frontier, seq, leaf)
            prev, seq = leaf.hex(), seq + 1
            if signed and int(signed[1]) == seq:
                roots[seq] = root_of(frontier)
        if len(data) != file["bytes"] or hashlib.sha256(data).hexdigest() != file["sha256"]:
            raise Bad("bad_digest", seq if lines[-1] == b"" else seq - 1, where)
    if seq != manifest["to"] + 1 or prev != manifest["last_hash"]:
        raise Bad("head_mismatch", seq if seq != manifest["to"] + 1 else seq - 1)
    if known is not None and root_of(frontier) != manifest["root"]:
        raise Bad("head_mismatch")
    if signed and known is not None:
        ours = roots.get(int(signed[1]))
        if not signed[0].endswith("/" + manifest["log"]) or ours is None or base64.b64decode(signed[2]).hex() != ours:
            raise Bad("checkpoint_mismatch")
    return {"log": manifest["log"], "from": manifest["from"], "to": seq - 1, "root": manifest["root"]}


def verify_export(folder):
    index, _ = sealed(os.path.join(folder, "export.json"), "export.json")
    known = {"export.json"} | {log["folder"] for log in index["logs"]}
    if set(os.listdir(folder)) != known:
        raise Bad("missing_file" if known - set(os.listdir(folder)) else "unknown_file")
    return [verify_log(os.path.join(folder, log["folder"]), log["manifest"]) for log in index["logs"]]


try:
    print(json.dumps({"chain_valid": True, "logs": verify_export(sys.argv[1])}))
except Bad as bad:
    print(json.dumps({"chain_valid": False, **{key: value for key, value in bad.found.items() if value is not None}}))
    sys.exit(1)
