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
