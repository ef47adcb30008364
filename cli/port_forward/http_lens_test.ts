import assert from "node:assert/strict";
import type { LensEnd } from "./exchange_reader.ts";
import { HttpLens } from "./http_lens.ts";
import { formatTrafficLine } from "./traffic_line.ts";

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** An event on a connection: bytes from the caller, bytes to it, or their end. */
type Step = [from: "caller" | "program", text: string | null];

/** The lines for a connection whose bytes arrive in pieces of `size`; each step takes a millisecond. */
function look(steps: Step[], { size = Infinity, end, protocol }: { size?: number; end?: LensEnd; protocol?: "h2" | "tcp" } = {}): string[] {
  const lines: string[] = [];
  let now = 0;
  const lens = new HttpLens({
    caller: "10.0.0.1:5",
    protocol,
    now: () => now,
    line: (line) => lines.push(formatTrafficLine(line)),
    blind: (caller, why) => lines.push(`${caller} blind: ${why}`),
  });
  for (const [from, text] of steps) {
    now++;
    const see = (bytes: Uint8Array | null) => from === "caller" ? lens.forth(bytes) : lens.back(bytes);
    if (text === null) see(null);
    else for (let at = 0; at < text.length; at += size) see(latin1(text.slice(at, at + size)));
  }
  now++;
  lens.end(end);
  return lines;
}

const GET = "GET /a HTTP/1.1\r\nHost: k\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const LEFT = { note: "caller left", isFault: false };

const SEEN: [name: string, steps: Step[], lines: string[], end?: LensEnd][] = [
  ["one request", [["caller", GET], ["program", OK]], ["GET /a 200 2B 1.0ms 10.0.0.1:5"]],
  ["keep-alive", [["caller", GET], ["program", OK], ["caller", GET.replace("/a", "/b")], ["program", OK]], [
    "GET /a 200 2B 1.0ms 10.0.0.1:5",
    "GET /b 200 2B 1.0ms 10.0.0.1:5",
  ]],
  ["pipelining", [["caller", GET + GET.replace("/a", "/b")], ["program", OK], ["program", OK]], [
    "GET /a 200 2B 1.0ms 10.0.0.1:5",
    "GET /b 200 2B 2.0ms 10.0.0.1:5",
  ]],
  ["100 before 200", [["caller", GET], ["program", "HTTP/1.1 100 Continue\r\n\r\n"], ["program", OK]], ["GET /a 200 2B 2.0ms 10.0.0.1:5"]],
  ["HEAD", [["caller", GET.replace("GET", "HEAD")], ["program", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"]], [
    "HEAD /a 200 0B 1.0ms 10.0.0.1:5",
  ]],
  ["a body until the end", [["caller", GET], ["program", "HTTP/1.1 200 OK\r\n\r\nabc"], ["program", null]], [
    "GET /a 200 3B 2.0ms 10.0.0.1:5",
  ]],
  [
    "an answer before the request's body has come",
    [["caller", "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n"], ["program", OK], ["caller", "xy"], ["caller", GET], ["program", OK]],
    ["POST /a 200 2B 1.0ms 10.0.0.1:5", "GET /a 200 2B 1.0ms 10.0.0.1:5"],
  ],
  ["an answer that nobody asked for", [["program", "HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"]], ["- - 408 0B 0.0ms 10.0.0.1:5"]],
  ["no answer", [["caller", GET], ["program", null]], ["GET /a - 0B 1.0ms 10.0.0.1:5 closed without an answer"]],
  ["a caller that left", [["caller", GET]], ["GET /a - 0B 1.0ms 10.0.0.1:5 caller left"], LEFT],
  ["half an answer", [["caller", GET], ["program", OK.slice(0, -1)]], ["GET /a 200 1B 2.0ms 10.0.0.1:5 cut short: caller left"], LEFT],
  ["half an answer, then the program's end", [["caller", GET], ["program", OK.slice(0, -1)], ["program", null]], [
    "GET /a 200 1B 2.0ms 10.0.0.1:5 cut short: the program closed the connection",
  ]],
  ["a refusal", [["caller", GET]], ["GET /a 502 0B 1.0ms 10.0.0.1:5 refused: why"], { status: 502, note: "refused: why", isFault: true }],
  ["a refusal before the head", [], ["- - 502 0B 1.0ms 10.0.0.1:5 refused: why"], { status: 502, note: "refused: why", isFault: true }],
  ["an idle connection that breaks", [["caller", GET], ["program", OK]], ["GET /a 200 2B 1.0ms 10.0.0.1:5"], LEFT],
  [
    "a WebSocket",
    [["caller", "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"], ["program", "HTTP/1.1 101 Switching\r\n\r\nabc"], ["caller", "four"], [
      "program",
      "de",
    ]],
    ["GET /ws 101 0B 1.0ms 10.0.0.1:5", "upgraded - - 5B 3.0ms 10.0.0.1:5 4B in"],
  ],
  ["CONNECT", [["caller", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"], ["program", "HTTP/1.1 200 OK\r\n\r\nabc"], ["caller", "x"]], [
    "CONNECT a:1 200 0B 1.0ms 10.0.0.1:5",
    "upgraded - - 3B 2.0ms 10.0.0.1:5 1B in",
  ]],
  ["an Upgrade that is not taken", [["caller", "GET /a HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"], ["program", OK], ["caller", GET], [
    "program",
    OK,
  ]], [
    "GET /a 200 2B 1.0ms 10.0.0.1:5",
    "GET /a 200 2B 1.0ms 10.0.0.1:5",
  ]],
  ["HTTP/2 by its first bytes", [["caller", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nabc"], ["program", "defg"]], [
    "h2 - - 4B 3.0ms 10.0.0.1:5 27B in",
  ]],
  ["what is no HTTP", [["caller", "\x00\x01"], ["program", "x"], ["caller", GET]], ["10.0.0.1:5 blind: it does not begin like HTTP"]],
  ["a text that is no HTTP, of a server that speaks first", [["program", "220 ready\r\n"], ["caller", "QUIT\r\n"], ["program", null]], [
    "10.0.0.1:5 blind: it ended within a head",
  ]],
  ["a caller that leaves within its head", [["caller", GET.slice(0, 20)]], ["10.0.0.1:5 blind: it ended within a head"], LEFT],
  ["an answer that is no HTTP", [["caller", GET], ["program", "hello\r\n\r\n"], ["caller", GET]], [
    "10.0.0.1:5 blind: its version is not HTTP/1.0 or HTTP/1.1",
  ]],
];

for (const [name, steps, lines, end] of SEEN) {
  Deno.test(`seen however it is split: ${name}`, () => {
    for (const size of [Infinity, 1, 2, 5]) assert.deepEqual(look(steps, { size, ...(end ? { end } : {}) }), lines, `in pieces of ${size}`);
  });
}

Deno.test("a connection that is known not to be HTTP/1 gets one line, which says how it ended", () => {
  const steps: Step[] = [["caller", GET], ["program", "x".repeat(1_234)]];
  assert.deepEqual(look(steps, { protocol: "tcp" }), ["tcp - - 1.2kB 3.0ms 10.0.0.1:5 28B in"]);
  assert.deepEqual(look(steps, { protocol: "h2", end: LEFT }), ["h2 - - 1.2kB 3.0ms 10.0.0.1:5 28B in, caller left"]);
});

Deno.test("the lens stops reading a caller that pipelines without end", () => {
  assert.deepEqual(look([["caller", GET.repeat(300)]]), ["10.0.0.1:5 blind: more than 128 requests wait for answers"]);
});

Deno.test("the lens does not change the bytes", () => {
  const bytes = latin1(GET + GET);
  const before = bytes.slice();
  const lens = new HttpLens({ caller: "", now: () => 0, line: () => {}, blind: () => {} });
  lens.forth(bytes);
  assert.deepEqual(bytes, before);
});

Deno.test("HTTP/2 is known too where the program's SETTINGS come before the caller's first bytes", () => {
  const steps: Step[] = [["program", "\0\0\0\x04\0\0\0\0\0"], ["caller", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]];
  assert.deepEqual(look(steps), ["h2 - - 9B 3.0ms 10.0.0.1:5 24B in"]);
});

Deno.test("no more of a long target is kept than is shown, and none of its credentials", () => {
  const get = (target: string) => GET.replace("/a", target);
  for (
    const [target, shown] of [
      [`/a?token=${"x".repeat(60_000)}`, "/a?token=…"],
      [`/${"b".repeat(60_000)}`, `/${"b".repeat(299)}…`],
      [`http://me:${"p".repeat(60_000)}@k/`, "…"],
    ] as const
  ) assert.deepEqual(look([["caller", get(target)], ["program", OK]]), [`GET ${shown} 200 2B 1.0ms 10.0.0.1:5`]);
});

Deno.test("a reader gets the content of both bodies without chunk lines, in any pieces, and exchanges without a reader keep their line", () => {
  const asked = (path: string) => `POST ${path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n`;
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nw\r\n4;x=y\r\norld\r\n0\r\nA: b\r\n\r\n";
  const untilClose = "HTTP/1.1 500 No\r\n\r\nlast";
  for (const size of [1, 2, 3, 7, 1_000]) {
    const told: string[] = [];
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const connect = () =>
      new HttpLens({
        caller: "c",
        now: () => 0,
        line: ({ target }) => told.push(`line ${target}`),
        blind: (_caller, why) => told.push(why),
        read: ({ method, target, since }) => {
          if (target === "/other") return undefined;
          let [request, answer, status] = ["", "", 0];
          return {
            asked: (bytes) => void (request += text(bytes)),
            answers: (code) => void (status = code),
            answered: (bytes) => void (answer += text(bytes)),
            left: () => told.push(`left ${target}`),
            ended: (end) => told.push(`${method} ${target} ${since} ${request} ${status} ${answer} ${end?.note}`),
          };
        },
      });
    let lens = connect();
    const send = (bytes: string, way: "forth" | "back") => {
      for (let at = 0; at < bytes.length; at += size) lens[way](latin1(bytes.slice(at, at + size)));
    };
    for (const path of ["/a?timeout=1s", "/other"]) {
      send(asked(path), "forth");
      send(`HTTP/1.1 100 Continue\r\n\r\n${chunked}`, "back");
    }
    send(asked("/b"), "forth");
    lens.left();
    send(untilClose, "back");
    lens.back(null);
    send(asked("/c"), "forth");
    lens.end({ note: "reset", isFault: true });
    lens = connect();
    send(asked("/d"), "forth");
    send("HTTP/3 200 OK\r\n\r\n", "back");
    assert.deepEqual(told, [
      "POST /a?timeout=1s 0 hello 200 world undefined",
      "line /other",
      "left /b",
      "POST /b 0 hello 500 last undefined",
      "POST /c 0 hello 0  reset",
      "POST /d 0 hello 0  not followed any further: its version is not HTTP/1.0 or HTTP/1.1",
      "its version is not HTTP/1.0 or HTTP/1.1",
    ], `pieces of ${size}`);
  }
});
