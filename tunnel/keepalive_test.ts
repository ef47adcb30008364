import assert from "node:assert/strict";
import { afterSilence } from "./keepalive.ts";
import { memoryTransportPair } from "./memory_transport.ts";
import { keepAlive, Session, type SessionEnd } from "./mod.ts";

const rule = (now: number, receivedAt: number, dataSentAt: number, pingedAt?: number) =>
  afterSilence({ now, receivedAt, dataSentAt, pingedAt });

Deno.test("an idle session is pinged every 20 s", () => {
  assert.equal(rule(19_999, 0, 0), "wait");
  assert.equal(rule(20_000, 0, 0), "ping");
});

Deno.test("while something was sent and nothing came back, a ping leaves after a second", () => {
  assert.equal(rule(1_099, 100, 101), "wait");
  assert.equal(rule(1_100, 100, 101), "ping");
});

Deno.test("3 s without a byte while somebody waits is dead, and a byte in time is not", () => {
  assert.equal(rule(2_900, 0, 1, 1_000), "wait");
  assert.equal(rule(3_001, 0, 1, 1_000), "dead");
  assert.equal(rule(3_100, 2_000, 1, 1_000), "wait");
});

Deno.test("an idle ping that nobody answers is dead after 3 s", () => {
  assert.equal(rule(22_900, 0, 0, 20_000), "wait");
  assert.equal(rule(23_000, 0, 0, 20_000), "dead");
});

Deno.test("a session whose other side went silent while somebody waits ends by itself", async () => {
  const [a, b] = memoryTransportPair();
  const ended = Promise.withResolvers<SessionEnd>();
  const client = new Session(a, { role: "client", now: () => performance.now(), onEnd: ended.resolve });
  new Session(b, { role: "server", now: () => performance.now(), onStream: () => {} });
  const stop = keepAlive(client);
  b.hold();
  const stream = client.open(new Uint8Array([1]));
  await assert.rejects(stream.read(), /silent for/);
  assert.match((await ended.promise).error?.message ?? "", /silent for 3 s/);
  stop();
});
