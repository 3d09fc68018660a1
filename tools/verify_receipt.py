#!/usr/bin/env python3
"""Checks a receipt of Waybill offline: docs/receipts.md in another language, from the documents alone.

    verify_receipt.py r.json                      the file vouches for itself
    verify_receipt.py r.json --key keys.json      keys.json: what `waybill receipt key list --json` prints
    verify_receipt.py r.json --earlier seen.txt   a checkpoint that was seen before: the log only grew since
    verify_receipt.py --lines < documents         one document a line; one line of JSON for each

Exit code: 0 genuine, 1 not genuine, 2 the file cannot be read. Python 3.9 or newer and nothing else; with the package `cryptography`
signatures are checked by that, without it (or with --pure) by the text of RFC 8032, which is slower.
"""
import argparse
import base64
import hashlib
import json
import re
import sys

SAFE = 2**53 - 1
TEXTS_MAX = 200
SUCCESSIONS_MAX = 100
NOTE_MAX = 16_384
SIGNATURES_MAX = 16


# Ed25519, RFC 8032 section 5.1: points as (X, Y, Z, T).

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _times(n, p):
    q = (0, 1, 1, 0)
    while n > 0:
        if n & 1:
            q = _add(q, p)
        p = _add(p, p)
        n >>= 1
    return q


def _x_of(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P != 0:
        x = x * ROOT % P
    if (x * x - square) % P != 0:
        return None
    return P - x if (x & 1) != sign else x


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = _x_of(_BASE_Y, 0)
_BASE = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)


def _point(data):
    number = int.from_bytes(data, "little")
    y = number & ((1 << 255) - 1)
    x = _x_of(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


def _point_bytes(p):
    inverse = pow(p[2], P - 2, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | ((x & 1) << 255)).to_bytes(32, "little")


def pure_verify(key, signature, message):
    point, s = _point(key), int.from_bytes(signature[32:], "little")
    if point is None or s >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    negative = (P - point[0], point[1], 1, (P - point[3]) % P)
    return _point_bytes(_add(_times(s, _BASE), _times(challenge, negative))) == signature[:32]


def library_verify():
    """The same by `cryptography`; None where that is not installed."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None

    def verify(key, signature, message):
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
            return True
        except (InvalidSignature, ValueError):
            return False

    return verify


# JSON as it is read and as it is signed (RFC 8785).


class NotJson(Exception):
    """The text is no JSON document."""


def read_json(text):
    def number(spelled):
        value = float(spelled)
        return int(value) if value.is_integer() and abs(value) <= SAFE else value

    def constant(name):
        raise NotJson(f"{name} is no JSON")

    try:
        return json.loads(text, parse_float=number, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


def canonical(value):
    """RFC 8785 of what receipts have: whole numbers, texts, truth values, null, lists, objects. None where a value is none of these."""
    text = _canonical(value)
    try:
        return None if text is None else text.encode("utf-8")
    except UnicodeEncodeError:
        return None  # half a character has no UTF-8


def _canonical(value):
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return str(value) if abs(value) <= SAFE else None
    if isinstance(value, list):
        parts = [_canonical(one) for one in value]
        return None if None in parts else "[" + ",".join(parts) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        parts = [(_canonical(name), _canonical(value[name])) for name in names]
        return None if any(part is None for _, part in parts) else "{" + ",".join(f"{a}:{b}" for a, b in parts) + "}"
    return None


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= SAFE


def are_texts(value):
    return isinstance(value, list) and len(value) <= TEXTS_MAX and all(isinstance(one, str) for one in value)


def has_only(value, needed, more=()):
    return isinstance(value, dict) and all(name in value for name in needed) and set(value) <= {*needed, *more}


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_b64(text):
    """The bytes of which this is the one spelling, or None."""
    return _decoded(text, text, base64.b64decode, b64)


def from_b64url(text):
    return _decoded(text, text + "=" * (-len(text) % 4), base64.urlsafe_b64decode, b64url)


def _decoded(text, padded, decode, spell):
    try:
        data = decode(padded.encode("ascii"))
    except (ValueError, UnicodeEncodeError):
        return None
    return data if spell(data) == text else None


# The tree, RFC 9162 section 2.1.


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(entry):
    return sha256(b"\x00" + entry)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


def hashes(texts):
    """Undecodable where one of them is no 32 bytes in base64."""
    all_of_them = [from_b64(text) for text in texts]
    return all_of_them if all(one is not None and len(one) == 32 for one in all_of_them) else None


def is_included(leaf, index, size, root, path):
    """Section 2.1.3.2."""
    if path is None or not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def is_extended(first, first_root, second, second_root, path):
    """Section 2.1.4.2."""
    if path is None or first_root is None or len(first_root) != 32 or not 0 < first <= second:
        return False
    if first == second:
        return path == [] and first_root == second_root
    if first & (first - 1) == 0:
        path = [first_root, *path]
    if not path:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


# Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint).

SPACES = "\\t\\n\\v\\f\\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
LINE = re.compile(f"— ([^{SPACES}+]+) ([^{SPACES}]+)")
WHOLE = re.compile("0|[1-9][0-9]{0,15}")


def parse_note(whole):
    """(text, [(name, key id, signature)]), or None."""
    length = len(whole.encode("utf-16-le", "surrogatepass")) // 2
    if length > NOTE_MAX or re.search("[\x00-\x09\x0b-\x1f]", whole):
        return None
    blank = whole.rfind("\n\n")
    if blank <= 0 or not whole.endswith("\n"):
        return None
    lines = whole[blank + 2 : -1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        return None
    signatures = []
    for line in lines:
        match = LINE.fullmatch(line)
        data = from_b64(match[2]) if match else None
        if data is None or len(data) <= 4:
            return None
        signatures.append((match[1], data[:4], data[4:]))
    return whole[: blank + 1], signatures


def key_id(name, key):
    return sha256(name.encode("utf-8", "replace") + b"\n\x01" + key)[:4]


def verifier_key(name, key):
    return f"{name}+{key_id(name, key).hex()}+{b64(bytes([1]) + key)}"


def signers_of(verify, note, name, keys):
    """Which of the keys signed it, a line each; None where a line of one of them does not verify."""
    text, signatures = note
    signers = []
    for key in keys:
        for by, number, signature in signatures:
            if by != name or number != key_id(name, key):
                continue
            if len(signature) != 64 or not verify(key, signature, text.encode("utf-8", "replace")):
                return None
            signers.append(key)
    return signers


def parse_checkpoint(text):
    """(origin, size, root), or None."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] != "" or lines[0] == "" or not WHOLE.fullmatch(lines[1]):
        return None
    root = from_b64(lines[2])
    if root is None or len(root) != 32 or int(lines[1]) > SAFE:
        return None
    return lines[0], int(lines[1]), root


def keys_of(verify, origin, successions, last):
    """The log's keys as [(x, key, from, until)], the first one first; None where the successions do not lead to `last`."""
    end = from_b64url(last)
    if end is None or len(end) != 32 or len(successions) > SUCCESSIONS_MAX:
        return None
    keys, since, expected = [], 0, None
    for whole in successions:
        note = parse_note(whole)
        lines = note[0].split("\n") if note else []
        if len(lines) != 6 or lines[0] != "waybill receipt log key" or lines[1] != origin or lines[5] != "":
            return None
        if not WHOLE.fullmatch(lines[2]):
            return None
        pair = [from_b64(line[-44:]) for line in lines[3:5]]
        if any(key is None or len(key) != 33 for key in pair):
            return None
        before, after = pair[0][1:], pair[1][1:]
        signers = signers_of(verify, note, origin, [before, after])
        if signers is None or len(signers) != 2 or len(note[1]) != 2 or signers[0] == signers[1]:
            return None
        if [verifier_key(origin, before), verifier_key(origin, after)] != lines[3:5]:
            return None
        size = int(lines[2])
        if size < since or (expected is not None and b64url(before) != expected):
            return None
        keys.append((b64url(before), before, since, size))
        since, expected = size, b64url(after)
    if expected is not None and expected != last:
        return None
    return [*keys, (last, end, since, None)]


# The document.


def is_proof(log):
    if not has_only(log, ("leaf", "proof", "checkpoint", "successions"), ("extends",)):
        return False
    if not is_whole(log["leaf"]) or not are_texts(log["proof"]) or not isinstance(log["checkpoint"], str):
        return False
    if not are_texts(log["successions"]):
        return False
    if "extends" not in log:
        return True
    told = log["extends"]
    return has_only(told, ("size", "root", "proof")) and is_whole(told["size"]) and isinstance(told["root"], str) and are_texts(told["proof"])


def is_document(document):
    if not has_only(document, ("receipt", "jws", "key"), ("log",)):
        return False
    key = document["key"]
    if not isinstance(document["receipt"], dict) or not isinstance(document["jws"], str):
        return False
    if not has_only(key, ("kty", "crv", "x", "kid")) or not isinstance(key["x"], str) or not isinstance(key["kid"], str):
        return False
    point = from_b64url(key["x"])
    return point is not None and len(point) == 32 and ("log" not in document or is_proof(document["log"]))


def check(document, verify, trusted=None, earlier=None):
    """A list of (name, ok, words)."""
    if not is_document(document):
        return [("document", False, "this is not a signed receipt")]
    receipt, jws, key = document["receipt"], document["jws"], document["key"]
    parts = jws.split(".")
    header, payload, signature = (parts + ["", "", ""])[:3]
    content = canonical(receipt)
    thumbprint = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": key["x"]}, separators=(",", ":"))
    kid = b64url(sha256(thumbprint.encode()))
    said = json.dumps({"alg": "EdDSA", "kid": kid, "typ": "waybill-receipt+jws"}, separators=(",", ":"))
    amounts = [receipt.get(name) for name in ("heldMs", "chargedMs", "releasedMs")]
    add_up = all(is_whole(amount) and amount >= 0 for amount in amounts) and amounts[1] + amounts[2] == amounts[0]
    is_key = (key["kid"], key["kty"], key["crv"], header) == (kid, "OKP", "Ed25519", b64url(said.encode()))
    data, point = from_b64url(signature), from_b64url(key["x"])
    message = f"{header}.{payload}".encode("utf-8", "replace")
    checks = [
        ("document", len(parts) == 3, "a receipt, its signature and its key"),
        ("amounts", add_up, "held is what was charged and what was released"),
        ("key", is_key, "the signature names this key and its purpose"),
        ("content", content is not None and payload == b64url(content), "what was signed is this receipt"),
        ("signature", data is not None and len(data) == 64 and verify(point, data, message), "this key made it"),
    ]
    placed, size = place(document, content, verify, earlier)
    if trusted is not None:
        own = [one for one in trusted if isinstance(one, dict) and one.get("x") == key["x"]]
        until = own[0].get("until") if own else None
        checks.append(("trust", bool(own) and (until is None or size is None or size <= until), "the key is the platform's own"))
    return checks + placed


def place(document, content, verify, earlier):
    """Checks of the receipt's place in the log, and the log's size by its checkpoint."""
    if "log" not in document:
        return ([("extends", False, "it has no proof of its place in a log")] if earlier else []), None
    log = document["log"]
    note = parse_note(log["checkpoint"])
    head = parse_checkpoint(note[0]) if note else None
    if head is None:
        return [("checkpoint", False, "the checkpoint is a signed note of a log's size and root")], None
    origin, size, root = head
    keys = keys_of(verify, origin, log["successions"], document["key"]["x"])
    speaking = [key for _, key, since, until in keys or [] if since <= size and (until is None or size <= until)]
    signers = signers_of(verify, note, origin, speaking)
    is_leaf = content is not None and is_included(leaf_hash(content), log["leaf"], size, root, hashes(log["proof"]))
    checks = [
        ("keys", keys is not None, "each key of the log followed by the word of the one before"),
        ("checkpoint", bool(signers) and len(signers) == len(note[1]), f"the log {origin} had {size} receipts"),
        ("leaf", is_leaf, f"leaf {log['leaf'] + 1} of {size}"),
    ]
    told = log.get("extends")
    if told:
        holds = is_extended(told["size"], from_b64(told["root"]), size, root, hashes(told["proof"]))
        checks.append(("extends", holds, f"the log extends that of {told['size']} receipts"))
    if earlier is not None:
        checks.append(("extends", is_seen(earlier, head, told), f"it shows that the log extends the earlier checkpoint, of {earlier[1]} receipts"))
    return checks, size


def is_seen(earlier, head, told):
    """Whether the earlier checkpoint is this one, or the one that the document proves to be extended."""
    if earlier[0] != head[0]:
        return False
    if earlier[1] == head[1]:
        return earlier[2] == head[2]
    return told is not None and told["size"] == earlier[1] and from_b64(told["root"]) == earlier[2]


def main():
    arguments = argparse.ArgumentParser(description="Checks a receipt of Waybill offline: docs/receipts.md")
    arguments.add_argument("file", nargs="?", help="as `waybill receipt show --json` prints it")
    arguments.add_argument("--key", help="the platform's keys, as `waybill receipt key list --json` prints them")
    arguments.add_argument("--earlier", help="a checkpoint that was seen before, as /checkpoint gives it")
    arguments.add_argument("--lines", action="store_true", help="documents on standard input, one a line")
    arguments.add_argument("--pure", action="store_true", help="signatures by RFC 8032's text alone")
    options = arguments.parse_args()
    verify = (None if options.pure else library_verify()) or pure_verify
    if options.lines:
        for line in sys.stdin.buffer:
            print(json.dumps(line_verdict(line, verify)), flush=True)
        return 0
    try:
        document = read_json(read(options.file))
        trusted = keys_in(read_json(read(options.key))) if options.key else None
        earlier = parse_note(read(options.earlier)) if options.earlier else None
        earlier = earlier and parse_checkpoint(earlier[0])
    except (OSError, UnicodeDecodeError, NotJson, TypeError) as error:
        print(f"cannot be read: {error}", file=sys.stderr)
        return 2
    if options.earlier and earlier is None:
        print(f"{options.earlier} is no checkpoint", file=sys.stderr)
        return 2
    checks = check(document, verify, trusted, earlier)
    for name, ok, says in checks:
        print(f"{'ok  ' if ok else 'fail'}  {name:<10}  {'' if ok else 'not so: '}{says}")
    genuine = all(ok for _, ok, _ in checks)
    print("genuine" if genuine else "not genuine: do not rely on this receipt")
    return 0 if genuine else 1


def line_verdict(line, verify):
    try:
        checks = check(read_json(line.decode("utf-8")), verify)
    except (UnicodeDecodeError, NotJson):
        return {"ok": False, "failed": ["json"]}
    return {"ok": all(ok for _, ok, _ in checks), "failed": [name for name, ok, _ in checks if not ok]}


def keys_in(document):
    return document["keys"] if isinstance(document, dict) and isinstance(document.get("keys"), list) else [document]


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


if __name__ == "__main__":
    sys.exit(main())
