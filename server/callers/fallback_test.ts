import assert from "node:assert/strict";
import { type ServerProcess, serverProcessTest } from "../../tests/server_process.ts";

const HOLD_MS = 500;
const UID = "705ab4f5-6393-11e8-b7cc-42010a800002";

function review(fields: Record<string, unknown> = {}, object: unknown = {}): string {
  return JSON.stringify({ kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1", request: { uid: UID, object }, ...fields });
}

function post(body: string, path = "/mutate?timeout=10s"): string {
  return `POST ${path} HTTP/1.1\r\nHost: k\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function bodyOf(got: string): { apiVersion: string; kind: string; response: { uid: string; allowed: boolean; warnings: string[] } } {
  return JSON.parse(got.slice(got.indexOf("\r\n\r\n") + 4));
}

const WHOLE = /\r\n\r\n(\{[^]*\}\n?|[^{][^]*\n)$/;

/** A test with a server process that allows admission requests; it runs only on the image's Deno. */
function fallbackTest(name: string, fn: (server: ServerProcess) => Promise<void>, args = ["--fallback=allow"]): void {
  serverProcessTest(name, fn, [`--hold-ms=${HOLD_MS}`, ...args]);
}

fallbackTest("with nobody connected an AdmissionReview is allowed after the hold, unchanged and with a warning", async (server) => {
  for (const apiVersion of ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"]) {
    const { got, ms } = await server.call().send(post(review({ apiVersion }))).receive(WHOLE);
    assert.match(got, /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/json\r\n/);
    const warnings = ["kurun allowed this without calling the webhook: nobody has connected to kurun's Pod yet"];
    assert.deepEqual(bodyOf(got), { apiVersion, kind: "AdmissionReview", response: { uid: UID, allowed: true, warnings } });
    assert.ok(ms >= HOLD_MS - 50 && ms < HOLD_MS + 500, `${ms} ms`);
  }
  await server.process.waitFor(new RegExp(`admission request "${UID}": kurun allowed this without calling the webhook: `));
});

fallbackTest("a review of 6 MB in small packets is allowed", async (server) => {
  const large = server.call();
  const text = post(review({}, "x".repeat(6_000_000)));
  for (let at = 0; at < text.length; at += 100_000) large.send(text.slice(at, at + 100_000));
  assert.equal(bodyOf((await large.receive(WHOLE)).got).response.allowed, true);
});

fallbackTest("a review whose bytes arrive one by one is allowed", async (server) => {
  const slow = server.call();
  for (const character of post(review())) {
    slow.send(character);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.equal(bodyOf((await slow.receive(WHOLE)).got).response.uid, UID);
});

fallbackTest("few of many reviews are logged, and none with a uid longer than any API server's", async (server) => {
  const ask = (uid: string) => server.call().send(post(review({ request: { uid } }))).receive(WHOLE);
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => ask(`u-${i}`)));
  assert.ok(answers.every(({ got }) => bodyOf(got).response.allowed));
  assert.match((await ask("u".repeat(100_000))).got, /^HTTP\/1\.1 503 /);
  assert.equal(server.process.output.match(/admission request "/g)?.length, 20);
});

fallbackTest("anything but an AdmissionReview gets the 503 as before", async (server) => {
  const others = [
    post("{}"),
    post("no JSON at all"),
    post(review({ kind: "ConversionReview" })),
    post(review({ apiVersion: "admission.k8s.io/v2" })),
    post(review({ request: {} })),
    post(review({ request: { uid: 7 } })),
    post(review()).replace("POST", "PUT"),
    post(review()).replace("application/json", "text/plain"),
    "GET /x HTTP/1.1\r\nHost: k\r\n\r\n",
  ];
  const answers = await Promise.all(others.map((text) => server.call().send(text).receive(/^HTTP\/1\.1 \d+ [^]*nobody is connected/)));
  for (const { got } of answers) assert.match(got, /^HTTP\/1\.1 503 /);
});

fallbackTest("a client that is killed while it is asked: allowed immediately, and the warning says who was lost", async (server) => {
  const client = await server.connect();
  const caller = server.call().send(post(review(), "/first"));
  await caller.receive(/\/first$/);
  caller.send(post(review(), "/never"));
  await client.waitFor(/^\/never$/m);
  client.signal("SIGKILL");
  const { got, ms } = await caller.receive(WHOLE);
  assert.deepEqual(bodyOf(got).response.warnings, [
    "kurun allowed this without the webhook's answer: the connection to alice on laptop was lost",
  ]);
  assert.ok(ms < 500, `${ms} ms`);
  const later = bodyOf((await server.call().send(post(review())).receive(WHOLE)).got);
  assert.match(
    later.response.warnings[0]!,
    /^kurun allowed this without calling the webhook: nobody connected since 20\d\d-.*Z, last alice on laptop$/,
  );
});

fallbackTest("a program's own answer stands: nothing is allowed in its place", async (server) => {
  await server.connect();
  assert.match((await server.call().send(post(review(), "/no")).receive(/\/no$/)).got, /^HTTP\/1\.1 200 OK\r\nContent-Length: 3\r\n/);
});

fallbackTest(
  "without the flag an AdmissionReview gets the 503",
  async (server) => assert.match((await server.call().send(post(review())).receive(WHOLE)).got, /^HTTP\/1\.1 503 /),
  [],
);
