#!/usr/bin/env python3
"""Writes feldman-p256.json: Feldman sharings over P-256, with Python's integers only.

Deliberately the textbook: affine point addition, double-and-add, powers written out. It shares no
code and no formula with the Rust crate, which makes it an oracle. Nothing here is constant time;
the secrets are test data.

    python3 generate.py > feldman-p256.json
"""

import hashlib
import json

# SP 800-186, section 3.2.1.3.
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
Q = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    if a == b:
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k, point):
    total = None
    while k:
        if k & 1:
            total = add(total, point)
        point = add(point, point)
        k >>= 1
    return total


def compress(point):
    return bytes([2 + (point[1] & 1)]).hex() + number(point[0])


def number(value):
    return value.to_bytes(32, "big").hex()


def scalar(*label):
    """A fixed scalar that nobody chose."""
    text = "/".join(map(str, ("quorate sharing vector",) + label)).encode()
    return int.from_bytes(hashlib.sha512(text).digest(), "big") % (Q - 1) + 1


def sharing(name, indices, coefficients):
    shares = [sum(a * i**j for j, a in enumerate(coefficients)) % Q for i in indices]
    assert all(shares) and all(coefficients)
    return {
        "name": name,
        "threshold": len(coefficients),
        "indices": indices,
        "secret": number(coefficients[0]),
        "coefficients": [number(a) for a in coefficients[1:]],
        "commitments": [compress(times(a, G)) for a in coefficients],
        "shares": [number(share) for share in shares],
        "member_keys": [compress(times(share, G)) for share in shares],
    }


def drawn(name, threshold, indices):
    return sharing(name, indices, [scalar(name, j) for j in range(threshold)])


def main():
    assert (G[1] ** 2 - G[0] ** 3 + 3 * G[0] - B) % P == 0 and times(Q, G) is None
    vectors = [
        drawn("2 of 2", 2, [1, 2]),
        drawn("2 of 3", 2, [1, 2, 3]),
        drawn("3 of 5, any indices, any order", 3, [200, 7, 255, 1, 128]),
        drawn("5 of 7", 5, [1, 2, 3, 4, 5, 6, 7]),
        drawn("8 of 8", 8, [3, 1, 4, 15, 9, 2, 6, 5]),
        sharing("smallest scalars", [1, 2, 255], [1, 1]),
        sharing("largest scalars", [1, 2, 255], [Q - 1, Q - 1, Q - 1]),
        sharing("largest and next to largest", [254, 255], [Q - 1, Q - 2]),
    ]
    print(json.dumps({"curve": "P-256", "vectors": vectors}, indent=1))


main()
