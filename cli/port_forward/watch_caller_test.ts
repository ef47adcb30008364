import assert from "node:assert/strict";
import { SessionEndedError, StreamResetError } from "../../tunnel/mod.ts";
import { Traffic } from "./traffic.ts";
import { parseUpstream } from "./upstream_url.ts";
import { CallerWatch, watchFailedHandshake } from "./watch_caller.ts";

const FROM = { port: 8444, from: "10.0.0.1:5" };
const bytes = (text: string) => new TextEncoder().encode(text);

/** A caller that asked, and got `answer`; watched until `end` says how it was over. */
function watch(
  verbose: boolean,
  answer: string,
  end: (watch: CallerWatch) => void,
  { upstream = "9090", asked = "GET /a HTTP/1.1\r\n\r\n" } = {},
): { lines: string[]; traffic: Traffic } {
  const lines: string[] = [];
  const traffic = new Traffic();
  const caller = new CallerWatch(
    {
      verbose,
      traffic,
      say: (line) => lines.push(line),
      now: () => 0,
      date: () => new Date(2026, 0, 2, 4, 5, 9),
      upstream: parseUpstream(upstream),
    },
    FROM,
  );
  assert.equal(traffic.open, 1);
  caller.forth(bytes(asked));
  if (answer !== "") caller.back(bytes(answer));
  end(caller);
  assert.equal(traffic.open, 0);
  return { lines, traffic };
}

const ended = (error?: Error) => (caller: CallerWatch) => caller.ended(error ? { error } : {});
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

for (
  const [name, answer, end, lines, lastError] of [
    ["a 200", ok, ended(), ["04:05:09 GET /a 200 0B 0.0ms 10.0.0.1:5"], undefined],
    ["a 500", ok.replace("200 OK", "500 No"), ended(), ["04:05:09 GET /a 500 0B 0.0ms 10.0.0.1:5"], "GET /a 500"],
    ["a caller that left", "", ended(new StreamResetError("gone")), ["04:05:09 GET /a - 0B 0.0ms 10.0.0.1:5 caller left"], undefined],
    [
      "a lost tunnel",
      "",
      ended(new SessionEndedError("gone")),
      ["04:05:09 GET /a - 0B 0.0ms 10.0.0.1:5 connection to the cluster lost"],
      undefined,
    ],
    ["a program that broke", "", ended(new Error("ECONNRESET")), ["04:05:09 GET /a - 0B 0.0ms 10.0.0.1:5 reset"], "GET /a reset"],
    [
      "a refusal",
      "",
      (caller: CallerWatch) => caller.refused("it refused"),
      ["04:05:09 GET /a 502 0B 0.0ms 10.0.0.1:5 refused: it refused"],
      "it refused",
    ],
  ] as const
) {
  Deno.test(`with -v ${name} is a line, and an error where it is one`, () => {
    const seen = watch(true, answer, end);
    assert.deepEqual(seen.lines, lines);
    assert.equal(seen.traffic.requests, 1);
    assert.equal(seen.traffic.lastError, lastError);
    assert.equal(seen.traffic.errors, lastError === undefined ? 0 : 1);
  });
}

Deno.test("without -v only a refusal is printed", () => {
  const quiet = watch(false, "", ended(new Error("ECONNRESET")));
  assert.deepEqual(quiet.lines, []);
  assert.deepEqual([quiet.traffic.requests, quiet.traffic.errors], [0, 1]);
  assert.deepEqual(watch(false, "", (caller) => caller.refused("it refused")).lines, ["10.0.0.1:5: it refused"]);
});

const REVIEW = JSON.stringify({
  kind: "AdmissionReview",
  apiVersion: "admission.k8s.io/v1",
  request: {
    uid: "705ab4f5",
    kind: { group: "apps", version: "v1", kind: "Deployment" },
    requestKind: { group: "apps", version: "v1", kind: "Deployment" },
    name: "web",
    namespace: "shop",
    operation: "UPDATE",
    userInfo: { username: "x" },
  },
});
const API_SERVER =
  `POST /v?timeout=10s HTTP/1.1\r\nUser-Agent: kube-apiserver-admission\r\nContent-Length: ${REVIEW.length}\r\n\r\n${REVIEW}`;
const GET = "GET /a HTTP/1.1\r\n\r\n";
const REVIEWED = "10.0.0.1:5: POST /v?timeout=10s (UPDATE Deployment shop/web): ";

/** What is said without -v of a caller whose bytes, ends and resets come at these seconds. */
function timeline(events: [s: number, event: string | "end" | "reset", back?: "back"][], upstream = "9090", verbose = false): string[] {
  const lines: string[] = [];
  let now = 0;
  const say = (line: string) => void lines.push(line);
  const options = { verbose, traffic: new Traffic(), say, now: () => now, date: () => new Date(2026, 0, 2, 4, 5, 9) };
  const caller = new CallerWatch({ ...options, upstream: parseUpstream(upstream) }, FROM);
  if (events[0]?.[1] !== "end") caller.dialed();
  for (const [s, event, back] of events) {
    now = s * 1_000;
    if (event === "end") caller.callerEnded();
    else if (event === "reset") caller.ended({ error: new StreamResetError("gone") });
    else if (back) caller.back(bytes(event));
    else caller.forth(bytes(event));
  }
  return lines;
}

for (
  const [name, events, lines] of [
    ["gives up", [[0, API_SERVER], [10, "end"], [14.2, ok, "back"], [14.3, "reset"]], [
      `${REVIEWED}the API server gave up after 10 s; the program is still at it`,
      `${REVIEWED}answered after 14.2 s, 4.2 s too late`,
    ]],
    ["breaks its connection", [[0, API_SERVER], [9.1, "reset"]], [
      `${REVIEWED}the API server gave up after 10 s; the program is still at it`,
    ]],
    ["goes away", [[0, GET], [0, ok, "back"], [5, GET.slice(0, 9)], [5, GET.slice(9)], [8.1, "end"], [9, ok, "back"]], [
      "10.0.0.1:5: GET /a: the caller went away after 3.1 s; the program is still at it",
      "10.0.0.1:5: GET /a: answered after 4 s, 0.9 s too late",
    ]],
    ["is not waited for, because its own client left", [[0, API_SERVER], [3.1, "end"]], [
      `${REVIEWED}the API server went away after 3.1 s; the program is still at it`,
    ]],
    ["leaves while the program is connected", [[12, "end"]], [
      "10.0.0.1:5: the caller went away after 12 s; kurun is still connecting to http://localhost:9090",
    ]],
    ["closes a kept-alive connection", [[0, GET], [1, ok, "back"], [60, "end"], [60, "reset"]], []],
    ["leaves an answer that has begun", [[0, GET], [1, ok.slice(0, 20), "back"], [60, "reset"]], []],
    ["only ends its own direction", [[0, GET], [0.01, "end"], [20, ok, "back"]], []],
    ["probes", [[0, GET.replace("\r\n\r\n", "\r\nUser-Agent: kube-probe/1.34\r\n\r\n")], [1, "end"]], []],
    ["speaks HTTP/2", [[0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], [1, "end"]], []],
    ["leaves a WebSocket", [[0, GET], [1, "HTTP/1.1 101 Switching\r\n\r\n", "back"], [2, "\x81\x85abcd"], [9, "reset"]], []],
  ] as [string, Parameters<typeof timeline>[0], string[]][]
) Deno.test(`a caller that ${name}: ${lines.length} lines without -v`, () => assert.deepEqual(timeline(events), lines));

Deno.test("with -v the line of a request says how late it was answered", () => {
  const lines = timeline([[0, API_SERVER], [10, "end"], [14.2, ok, "back"]], "9090", true);
  assert.equal(lines[1], "04:05:09 POST /v?timeout=10s 200 0B 14200ms 10.0.0.1:5 answered after 14.2 s, 4.2 s too late");
});

Deno.test("callers of a tcp:// program may leave whenever they like", () => {
  assert.deepEqual(timeline([[0, API_SERVER], [10, "end"], [14.2, ok, "back"]], "tcp://localhost:9090"), []);
  assert.deepEqual(timeline([[12, "end"]], "tcp://localhost:9090"), []);
});

for (const verbose of [true, false]) {
  const flag = verbose ? "with -v" : "without -v";
  Deno.test(`TLS with a plain HTTP Service is explained, ${flag}`, () => {
    const { lines, traffic } = watch(verbose, "", ended(), { asked: "\x16\x03\x01\x02\x00" });
    assert.deepEqual(lines, [
      "10.0.0.1 speaks TLS, but this Service serves plain HTTP: add --tlssecret NAME, or forward tls://localhost:9090",
    ]);
    assert.equal(traffic.lastError, lines[0]);
  });

  for (
    const [server, answer] of [
      ["Go", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"],
      ["nginx", "HTTP/1.1 400 Bad Request\r\ncontent-length: 1000\r\n\r\n<center>The plain HTTP request was sent to HTTPS port</center>"],
      ["one that sends an alert", "\x15\x03\x01\x00\x02\x02\x46"],
    ] as const
  ) {
    Deno.test(`an http:// upstream that expects TLS is explained, ${flag}: ${server}`, () => {
      const { lines, traffic } = watch(verbose, answer, ended());
      assert.equal(lines[0], "http://localhost:9090 speaks TLS: forward https://localhost:9090 instead");
      assert.ok(traffic.errors > 0);
      const raw = watch(verbose, answer, ended(), { upstream: "tcp://localhost:9090" });
      assert.ok(!raw.lines.some((line) => /speaks TLS/.test(line)), "raw bytes are not judged");
    });
  }
}

Deno.test("a failed TLS handshake is printed once for each caller and reason, and counted each time", () => {
  const lines: string[] = [];
  const traffic = new Traffic();
  const options = {
    verbose: false,
    traffic,
    upstream: parseUpstream("9090"),
    say: (line: string) => lines.push(line),
    now: () => 0,
    date: () => new Date(2026, 0, 2, 4, 5, 9),
  };
  for (const port of [1, 2, 3]) {
    watchFailedHandshake(options, `10.0.0.1:${port}`, "the caller does not trust the certificate (BadCertificate)");
  }
  assert.deepEqual(lines, [
    "10.0.0.1: TLS handshake failed: the caller does not trust the certificate (BadCertificate). Is its caBundle the authority that signed --tlssecret's certificate?",
  ]);
  assert.equal(traffic.errors, 3);
});

Deno.test("with -v a refused connection of bytes has no HTTP status", () => {
  const { lines } = watch(true, "", (caller) => caller.refused("it refused"), { upstream: "tcp://localhost:9090" });
  assert.deepEqual(lines, ["04:05:09 tcp - - 0B 0.0ms 10.0.0.1:5 19B in, refused: it refused"]);
});

Deno.test("a caller waits for an answer from its arrival on, until it gets one or leaves", () => {
  const seen: boolean[] = [];
  const see = (caller: CallerWatch) => seen.push(caller.awaits);
  watch(false, "", (caller) => {
    see(caller);
    caller.back(bytes(ok));
    see(caller);
    caller.forth(bytes("GET /b HTTP/1.1\r\n\r\n"));
    see(caller);
    caller.callerEnded();
    see(caller);
    // What it had sent before it left arrives later.
    caller.forth(bytes("GET /c HTTP/1.1\r\n\r\n"));
    see(caller);
    caller.ended({});
  });
  assert.deepEqual(seen, [true, false, true, false, false]);
});

Deno.test("a caller that connects and sends nothing waits for an answer for a second only", () => {
  let time = 0;
  const options = {
    verbose: false,
    traffic: new Traffic(),
    say: () => {},
    now: () => time,
    date: () => new Date(),
    upstream: parseUpstream("9090"),
  };
  const caller = new CallerWatch(options, FROM);
  time = 5_000;
  assert.equal(options.traffic.awaited, 1);
  caller.dialed();
  time += 900;
  assert.equal(options.traffic.awaited, 1);
  time += 200;
  assert.equal(options.traffic.awaited, 0);
  caller.forth(bytes("GET /a HTTP/1.1\r\n\r\n"));
  assert.equal(options.traffic.awaited, 1);
});
