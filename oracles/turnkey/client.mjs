// Turnkey's own clients, one command a line on standard input, one answer a line on standard output.
//
//   {"op":"submit","publicKey","privateKey","runtime","call","input"}  what the client would send
//   {"op":"verify","body","stamp"}                                     whether a stamp fits a body
//
// `runtime` is "node" (OpenSSL, either half of s) or "purejs" (noble). Verification reads the stamp
// with JSON.parse and noble, not with the code that is under test.

import { createInterface } from "node:readline";

import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { ApiKeyStamper } from "@turnkey/api-key-stamper";
import { computeActivityFingerprint } from "@turnkey/crypto";
import { TurnkeyClient } from "@turnkey/http";

async function submit({ publicKey, privateKey, runtime, call, input }) {
  const stamper = new ApiKeyStamper({
    apiPublicKey: publicKey,
    apiPrivateKey: privateKey,
    runtimeOverride: runtime,
  });
  const client = new TurnkeyClient({ baseUrl: "http://localhost" }, stamper);
  const request = await client[call](input);
  return {
    body: request.body,
    header: request.stamp.stampHeaderName,
    stamp: request.stamp.stampHeaderValue,
    fingerprint: computeActivityFingerprint(request.body),
  };
}

function verify({ body, stamp }) {
  const { publicKey, scheme, signature } = JSON.parse(Buffer.from(stamp, "base64url").toString());
  const digest = sha256(new TextEncoder().encode(body));
  const read = p256.Signature.fromHex(signature, "der");
  const good = p256.verify(read.toBytes("compact"), digest, publicKey, {
    lowS: false,
    prehash: false,
  });
  return { good, publicKey, scheme };
}

const operations = { submit, verify };
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  console.log(JSON.stringify(await operations[command.op](command)));
}
