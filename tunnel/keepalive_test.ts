import assert from "node:assert/strict";
import { afterSilence } from "./keepalive.ts";
import { memoryTransportPair } from "../tests/memory_transport.ts";
import { keepAlive, Session, type SessionEnd } from "./mod.ts";

const rule = (now: number, receivedAt: number, waitingSince?: number, pingedAt?: number) =>
  afterSilence(now, { receivedAt, waitingSince }, pingedAt);

Deno.test("an idle session is pinged every 20 s", () => {
  assert.equal(rule(19_999, 0), "wait");
  assert.equal(rule(20_000, 0), "ping");
});

Deno.test("while something was sent and nothing came back, a ping is sent after a second", () => {
  assert.equal(rule(1_100, 100, 101), "wait");
  assert.equal(rule(1_101, 100, 101), "ping");
  // However long ago the last byte arrived.
  assert.equal(rule(15_000, 100, 14_500), "wait");
});

Deno.test("3 s without a byte while somebody waits is dead, and a byte in time prevents it", () => {
  assert.equal(rule(2_900, 0, 1, 1_000), "wait");
  assert.equal(rule(3_001, 0, 1, 1_000), "dead");
  assert.equal(rule(3_100, 2_000, undefined, 1_000), "wait");
});

Deno.test("an idle ping that nobody answers is dead after 3 s", () => {
  assert.equal(rule(22_900, 0, undefined, 20_000), "wait");
  assert.equal(rule(23_000, 0, undefined, 20_000), "dead");
});

Deno.test("a session ends by itself when the other side goes silent while somebody waits", async () => {
  const [a, b] = memoryTransportPair();
  const ended = Promise.withResolvers<SessionEnd>();
  const client = new Session(a, { role: "client", now: () => performance.now(), onEnd: ended.resolve });
  new Session(b, { role: "server", now: () => performance.now(), onStream: () => {} });
  const watch = keepAlive(client);
  b.hold();
  const stream = client.open(new Uint8Array([1]));
  await assert.rejects(stream.read(), /silent for/);
  assert.match((await ended.promise).error?.message ?? "", /silent for 3 s/);
  watch.stop();
});

Deno.test("continuing requests do not delay the end of a silent session", async () => {
  const [a, b] = memoryTransportPair();
  const ended = Promise.withResolvers<number>();
  const client = new Session(a, { role: "client", now: () => performance.now(), onEnd: () => ended.resolve(performance.now()) });
  new Session(b, { role: "server", now: () => performance.now(), onStream: () => {} });
  const watch = keepAlive(client);
  b.hold();
  const first = performance.now();
  const more = setInterval(() => client.ended || client.open(new Uint8Array([1])).read().catch(() => {}), 20);
  const ms = await ended.promise - first;
  clearInterval(more);
  watch.stop();
  assert.ok(ms < 3_500, `${Math.round(ms)} ms`);
});

Deno.test("after a sleep a session must answer within 1.5 s, and one that does continues", async () => {
  for (const answers of [true, false]) {
    const [a, b] = memoryTransportPair();
    const client = new Session(a, { role: "client", now: () => performance.now() });
    new Session(b, { role: "server", now: () => performance.now() });
    const watch = keepAlive(client);
    if (!answers) b.hold();
    watch.suspect();
    await new Promise((resolve) => setTimeout(resolve, 1_600));
    watch.stop();
    assert.equal(client.ended, !answers);
    client.destroy(new Error("the test is over"));
  }
});
