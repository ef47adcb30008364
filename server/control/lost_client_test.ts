import assert from "node:assert/strict";
import { serverProcessTest } from "../../tests/server_process.ts";

/** The server's default. */
const HOLD_MS = 3_000;
/** Every request is answered within this, whatever happens to the client. */
const ANSWERED_MS = HOLD_MS + 1_000;

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: kurun\r\n\r\n`;
const MAYBE = /^HTTP\/1\.1 503 [^]*may have been delivered/;
const NOBODY = /^HTTP\/1\.1 503 [^]*nobody is connected to session kurun-1/;

serverProcessTest(
  "a client that is stopped: requests before, during and after are answered within the hold and a second",
  async (server) => {
    const client = await server.connect();
    const kept = server.call().send(get("/first"));
    await kept.receive(/\/first$/);
    const idle = server.call().send(get("/idle"));
    await idle.receive(/\/idle$/);
    const waiting = server.call().send(get("/never"));
    await client.waitFor(/^\/never$/m);
    client.signal("SIGSTOP");
    const again = kept.send(get("/again")).receive(MAYBE);
    const before = waiting.receive(MAYBE);
    // One caller every 100 ms, as at a busy webhook, must not make the silence look short.
    const flow = [];
    for (let i = 0; i < 60; i++) {
      flow.push(server.call().send(get(`/flow-${i}`)).receive(/^HTTP\/1\.1 503 [^]*\n$/));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const times = (await Promise.all([again, before, ...flow])).map(({ ms }) => ms);
    assert.ok(Math.max(...times) <= ANSWERED_MS, `the slowest answer took ${Math.max(...times)} ms`);
    await idle.ended();
    assert.equal(idle.end, "ended");
    assert.equal(idle.got, "");
    client.signal("SIGCONT");
    await client.waitFor(/^ended/m);
    // What waited in the dead connection may arrive, but only once.
    const seen = client.output.split("\n").filter((line) => line.startsWith("/"));
    assert.equal(seen.length, new Set(seen).size);
  },
);

serverProcessTest("a client that is stopped, with a hold of half a second: within four seconds", async (server) => {
  const client = await server.connect();
  const kept = server.call().send(get("/first"));
  await kept.receive(/\/first$/);
  client.signal("SIGSTOP");
  const flow = [kept.send(get("/again")).receive(MAYBE)];
  for (let i = 0; i < 50; i++) {
    flow.push(server.call().send(get(`/flow-${i}`)).receive(/^HTTP\/1\.1 503 [^]*\n$/));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const times = (await Promise.all(flow)).map(({ ms }) => ms);
  assert.ok(Math.max(...times) <= 4_000, `the slowest answer took ${Math.max(...times)} ms`);
  assert.ok(Math.max(...times) >= 2_500, "the client was not yet known to be dead");
  assert.ok(times.at(-1)! <= 1_500, `the last took ${times.at(-1)} ms, with nobody connected`);
}, ["--hold-ms=500"]);

serverProcessTest("a client that is killed: its callers get their 503 immediately, and later ones after the hold", async (server) => {
  const client = await server.connect();
  const kept = server.call().send(get("/first"));
  await kept.receive(/\/first$/);
  const waiting = server.call().send(get("/never"));
  kept.send("POST /never HTTP/1.1\r\nHost: k\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
  await client.waitFor(/\/never\n\/never\n/);
  const answers = [waiting.receive(MAYBE), kept.receive(/^HTTP\/1\.1 503 [^]*"kind":"Status"[^]*may have been delivered/)];
  client.signal("SIGKILL");
  for (const { ms } of await Promise.all(answers)) assert.ok(ms < 1_000, `${ms} ms`);
  const { ms } = await server.call().send(get("/later")).receive(NOBODY);
  assert.ok(ms >= HOLD_MS - 50 && ms < ANSWERED_MS, `${ms} ms`);
});

serverProcessTest(
  "an answer that has begun is reset when its client is lost, also on a connection that was used before",
  async (server) => {
    const client = await server.connect();
    const caller = server.call().send(get("/first"));
    await caller.receive(/\/first$/);
    caller.send(get("/half"));
    await caller.receive(/half$/);
    client.signal("SIGKILL");
    await caller.ended();
    assert.deepEqual([caller.end, caller.got], ["reset", ""]);
  },
);

serverProcessTest("a client that answers pings is alive however long its program takes", async (server) => {
  await server.connect();
  const { ms } = await server.call().send(get("/slow?9000")).receive(/\/slow\?9000$/);
  assert.ok(ms >= 9_000);
});

serverProcessTest("a request is refused as soon as it is complete, in whatever packets it arrives", async (server) => {
  const pieces = async (...parts: string[]) => {
    const caller = server.call();
    for (const part of parts) {
      caller.send(part);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return await caller.receive(NOBODY);
  };
  const answers = await Promise.all([
    pieces("GE", "T /x HTT", "P/1.1\r\nHost: k\r", "\n\r\n"),
    pieces("P", "OST /x HTTP/1.1\r\nHost: k\r\nContent-Length: 2\r\n\r\n", "{}"),
    pieces("POST /x HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", "llo\r\n0\r\n\r\n"),
    pieces(`GET /x HTTP/1.1\r\nHost: k\r\nX: ${"x".repeat(12_000)}`, "\r\n\r\n"),
  ]);
  for (const { ms } of answers) assert.ok(ms < HOLD_MS + 300, `${ms} ms`);
});
