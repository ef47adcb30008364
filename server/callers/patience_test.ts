import assert from "node:assert/strict";
import { type Caller, serverProcessTest } from "../../tests/server_process.ts";

const HOLD_MS = 3_000;
const WHOLE = /\r\n\r\n[^]*[}\n]$/;

function review(timeout: string, kind = "AdmissionReview", path = "/mutate"): string {
  const apiVersion = kind === "AdmissionReview" ? "admission.k8s.io/v1" : "apiextensions.k8s.io/v1";
  const body = JSON.stringify({ kind, apiVersion, request: { uid: "u-1" } });
  return `POST ${path}${timeout} HTTP/1.1\r\nHost: k\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

serverProcessTest("with nobody connected, callers that say how long they wait get their answer before that is over", async (server) => {
  await Promise.all(
    ([
      ["?timeout=1s", "AdmissionReview", 200, 750],
      ["?timeout=2s", "AdmissionReview", 200, 1_500],
      ["?timeout=2s", "ConversionReview", 503, 1_500],
      ["?timeout=3s", "AdmissionReview", 200, 2_500],
      ["?timeout=10s", "AdmissionReview", 200, undefined],
      ["?timeout=2", "AdmissionReview", 200, undefined],
      ["?timeout=-1s", "ConversionReview", 503, undefined],
      ["", "AdmissionReview", 200, undefined],
    ] as const).map(async ([timeout, kind, status, before]) => {
      const { got, ms } = await server.call().send(review(timeout, kind)).receive(WHOLE);
      assert.match(got, new RegExp(`^HTTP/1\\.1 ${status} `), timeout);
      if (before !== undefined) assert.ok(ms < before, `${timeout}: ${ms} ms`);
      else assert.ok(ms > HOLD_MS - 100 && ms < HOLD_MS + 700, `${timeout}: ${ms} ms`);
    }),
  );
}, [`--hold-ms=${HOLD_MS}`, "--fallback=allow"]);

serverProcessTest("a request that was read while its caller waited reaches the client that connects, once and whole", async (server) => {
  const split = server.call().send(review("?timeout=9s", "AdmissionReview", "/split").slice(0, 30));
  const whole = server.call().send(review("?timeout=9s", "AdmissionReview", "/whole"));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const client = await server.connect();
  split.send(review("?timeout=9s", "AdmissionReview", "/split").slice(30));
  await whole.receive(/\/whole\?timeout=9s$/);
  await split.receive(/\/split\?timeout=9s$/);
  assert.equal(client.output.match(/^\/(whole|split)/gm)?.length, 2);
}, [`--hold-ms=9000`]);

serverProcessTest("a client that goes silent while it is asked: callers get their answer before their patience is over", async (server) => {
  const client = await server.connect();
  const ask = async (path: string): Promise<Caller> => {
    const caller = server.call().send(review("", "ConversionReview", "/first"));
    await caller.receive(/\/first$/);
    caller.send(review("", "ConversionReview", path));
    await client.waitFor(new RegExp(`^${path.replace("?", "\\?")}$`, "m"));
    return caller;
  };
  const alive = await ask("/slow?1800&timeout=2s");
  assert.match((await alive.receive(/1800&timeout=2s$/)).got, /^HTTP\/1\.1 200 /, "a slow program is not a client that is gone");
  const waits = { short: await ask("/never?timeout=2s"), long: await ask("/never?timeout=4s"), none: await ask("/never?a=1") };
  // The first ping has been answered by then, so that nothing else is sent for 20 s.
  await new Promise((resolve) => setTimeout(resolve, 500));
  client.signal("SIGSTOP");
  const answer = async (caller: Caller) => {
    const { got, ms } = await caller.receive(/may have been delivered/);
    assert.match(got, /^HTTP\/1\.1 503 /);
    return ms + 500;
  };
  const [short, long] = await Promise.all([answer(waits.short), answer(waits.long)]);
  assert.ok(short < 1_800 && long < 3_600, `${short}, ${long} ms`);
  client.signal("SIGCONT");
}, [`--hold-ms=${HOLD_MS}`]);
