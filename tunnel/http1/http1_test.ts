import assert from "node:assert/strict";
import { requestFraming, responseFraming } from "./body.ts";
import { Http1Error, MAX_HEAD_BYTES, parseRequestHead, parseResponseHead, textOf } from "./head.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { Exchanges, Messages } from "./exchanges.ts";

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** What is read from requests (or responses) whose bytes arrive in pieces of `size`, and the error that ends it. */
function read(kind: "request" | "response", text: string, size: number, method?: string): string[] {
  const told: string[] = [];
  let content = 0;
  const messages = new Messages(kind, {
    head: (bytes, start, end) => {
      content = 0;
      const head = kind === "request" ? parseRequestHead(bytes, start, end) : parseResponseHead(bytes, start, end);
      told.push("status" in head ? `${head.status}` : `${head.method} ${textOf(bytes, head.targetSpan)}`);
      return "status" in head ? responseFraming(head, method) : requestFraming(head);
    },
    body: (_bytes, _start, _end, more) => void (content += more),
    end: () => void told.push(`${content}`),
  });
  const all = latin1(text);
  try {
    for (let from = 0; from < all.length; from += size) {
      const piece = all.slice(from, from + size);
      for (let at = 0; at < piece.length;) at = messages.read(piece, at);
    }
    if (!messages.between) told.push(`… ${content}`);
  } catch (error) {
    assert.ok(error instanceof Http1Error, String(error));
    told.push(error.message);
  }
  return told;
}

const HOST = "Host: a\r\n";

/** Requests, and what is read from them. */
const REQUESTS: [name: string, text: string, told: string[]][] = [
  ["one without a body", `GET /a?b=c HTTP/1.1\r\n${HOST}\r\n`, ["GET /a?b=c", "0"]],
  ["two on one connection", `POST /a HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabcGET /b HTTP/1.0\r\n\r\n`, [
    "POST /a",
    "3",
    "GET /b",
    "0",
  ]],
  ["one behind an empty line", `\r\nGET / HTTP/1.1\r\n${HOST}\r\n`, ["GET /", "0"]],
  ["one behind two empty lines", `\r\n\r\nGET / HTTP/1.1\r\n${HOST}\r\n`, ["GET /", "0"]],
  [
    "one behind a body with an empty line after it",
    `POST /a HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc\r\n\r\n\r\nGET /b HTTP/1.1\r\n${HOST}\r\n`,
    ["POST /a", "3", "GET /b", "0"],
  ],
  [
    "chunks with extensions and trailers",
    `POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;a="b c"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\nGET /b HTTP/1.1\r\n\r\n`,
    ["POST /", "13", "GET /b", "0"],
  ],
  ["chunks whose content looks like chunks", "POST / HTTP/1.1\r\ntransfer-encoding:\tchunked \r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n", [
    "POST /",
    "5",
  ]],
  ["values with tabs, spaces and bytes above ASCII", "GET / HTTP/1.1\r\nA: \t x\xe9y \r\nB:\r\n\r\n", ["GET /", "0"]],
  ["a body that has not come yet", "PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab", ["PUT /", "… 2"]],
];

/** Requests that two programs may read in two ways, or not at all. */
const REFUSED: [name: string, text: string, why: RegExp][] = [
  ["Content-Length and Transfer-Encoding", "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", /both/],
  ["Transfer-Encoding and Content-Length", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n", /both/],
  ["two lengths", "POST / HTTP/1.1\r\nContent-Length: 4\r\ncontent-length: 5\r\n\r\n", /more than one Content-Length/],
  ["the same length twice", "POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n", /more than one Content-Length/],
  ["lengths in a list", "POST / HTTP/1.1\r\nContent-Length: 4, 4\r\n\r\n", /Content-Length is not a number/],
  ["a length with a sign", "POST / HTTP/1.1\r\nContent-Length: +4\r\n\r\n", /Content-Length is not a number/],
  ["an empty length", "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", /Content-Length is not a number/],
  ["a hexadecimal length", "POST / HTTP/1.1\r\nContent-Length: 0x4\r\n\r\n", /Content-Length is not a number/],
  ["a length beyond numbers", "POST / HTTP/1.1\r\nContent-Length: 18446744073709551617\r\n\r\n", /Content-Length is not a number/],
  ["an unknown coding", "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", /other than chunked/],
  ["a coding before chunked", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", /other than chunked/],
  ["chunked twice", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", /other than chunked/],
  ["chunked and identity", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n", /other than chunked/],
  ["a coding with a vertical tab", "POST / HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n", /character that must not/],
  ["a coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", /in HTTP\/1\.0/],
  ["a space before the colon", "POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n", /space before its colon/],
  ["a folded header", "POST / HTTP/1.1\r\nA: b\r\n Transfer-Encoding: chunked\r\n\r\n", /folded/],
  ["a header folded with a tab", "POST / HTTP/1.1\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n", /other than chunked|folded/],
  ["a header without a name", "POST / HTTP/1.1\r\n: a\r\n\r\n", /not a header/],
  ["a line without a colon", "POST / HTTP/1.1\r\nabc\r\n\r\n", /not a header/],
  ["a name with a bracket", "POST / HTTP/1.1\r\nA[b]: c\r\n\r\n", /not a header/],
  ["CR within a value", "GET / HTTP/1.1\r\nA: b\rTransfer-Encoding: chunked\r\n\r\n", /character that must not/],
  ["NUL within a value", "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", /character that must not/],
  ["lines that end in LF", "GET / HTTP/1.1\nHost: a\n\n", /LF alone/],
  ["one line that ends in LF", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", /LF alone/],
  ["an empty line that ends in LF", "GET / HTTP/1.1\r\nHost: a\r\n\n", /LF alone/],
  ["two spaces", "GET  / HTTP/1.1\r\n\r\n", /no target/],
  ["a target with a space", "GET /a b HTTP/1.1\r\n\r\n", /version/],
  ["a target with a control character", "GET /a\x01b HTTP/1.1\r\n\r\n", /target has a character/],
  ["no version", "GET /\r\n\r\n", /not a request line/],
  ["a method with a byte above ASCII", "G\x80T / HTTP/1.1\r\n\r\n", /method has a character/],
  ["a version behind a target above ASCII", "GET /\x80 HTTP/3.0\r\n\r\n", /version/],
  ["HTTP/0.9's version", "GET / HTTP/0.9\r\n\r\n", /version/],
  ["a version in small letters", "GET / http/1.1\r\n\r\n", /version/],
  ["a version with more", "GET / HTTP/1.1 \r\n\r\n", /version/],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", /speaks HTTP\/2/],
  ["TLS", "\x16\x03\x01", /speaks TLS/],
  ["LF before", "\nGET / HTTP/1.1\r\n\r\n", /does not begin like HTTP/],
  ["an empty line before that ends in LF", "\r\n\nGET / HTTP/1.1\r\n\r\n", /does not begin like HTTP/],
  ["CR behind an empty line", "\r\n\rGET / HTTP/1.1\r\n\r\n", /CR alone/],
  ["CR before", "\rGET / HTTP/1.1\r\n\r\n", /CR alone/],
  ["a chunk's size with 0x", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n", /size is not a number/],
  ["a chunk's size with a sign", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n", /size is not a number/],
  ["a chunk's size with an underscore", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1_0\r\nabc\r\n", /size is not a number/],
  ["an empty chunk size", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n", /size is not a number/],
  [
    "a chunk's size beyond numbers",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nabc",
    /size is not a number/,
  ],
  ["a size line that ends in LF", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n", /size is not a number/],
  ["CR in a chunk's extension", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a\rb\r\nabc\r\n", /size is not a number/],
  ["LF in a chunk's extension", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nabc\r\n", /size is not a number/],
  ["a size line without end", `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;${"a".repeat(5000)}`, /too long/],
  ["a chunk that is too long", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", /longer or shorter/],
  ["a chunk that ends in LF", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n", /longer or shorter/],
  ["folded trailers", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n", /folded/],
  ["trailers that end in LF", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n", /LF alone/],
  ["a head without end", `GET / HTTP/1.1\r\nA: ${"a".repeat(MAX_HEAD_BYTES)}`, /longer than 64 KiB/],
];

/** Responses, the method of their request, and what is read from them. */
const RESPONSES: [name: string, text: string, method: string, told: string[]][] = [
  ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", "GET", ["200", "2", "404", "0"]],
  ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "GET", ["200", "2"]],
  ["a body until the end", "HTTP/1.0 200 OK\r\n\r\nand so on", "GET", ["200", "… 9"]],
  ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "HEAD", ["200", "0"]],
  ["HEAD with chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD", ["200", "0"]],
  ["204 and 304", "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET", ["204", "0", "304", "0"]],
  [
    "100 and 103 before 200",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    "GET",
    [
      "100",
      "0",
      "103",
      "0",
      "200",
      "1",
    ],
  ],
  ["101", "HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05hello", "GET", ["101", "… 7"]],
  ["CONNECT", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nwhatever", "CONNECT", ["200", "… 8"]],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "GET", ["its first line is not a status line"]],
  ["CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", "GET", ["the status line has a character that must not be there"]],
];

for (const [name, text, told] of REQUESTS) {
  Deno.test(`requests are read however they are split: ${name}`, () => {
    for (const size of [text.length, 1, 2, 3, 7, 16]) assert.deepEqual(read("request", text, size), told, `in pieces of ${size}`);
  });
}

for (const [name, text, why] of REFUSED) {
  Deno.test(`an ambiguous request is refused: ${name}`, () => {
    const whole = read("request", text, text.length);
    assert.match(whole.at(-1) as string, why);
    for (const size of [1, 2, 3, 7, 16]) assert.deepEqual(read("request", text, size), whole, `in pieces of ${size}`);
  });
}

for (const [name, text, method, told] of RESPONSES) {
  Deno.test(`responses are read however they are split: ${name}`, () => {
    for (const size of [text.length, 1, 2, 3, 7, 16]) assert.deepEqual(read("response", text, size, method), told, `in pieces of ${size}`);
  });
}

Deno.test("a head of 64 KiB is read quickly, also byte by byte", () => {
  const text = `GET / HTTP/1.1\r\nA: ${"a".repeat(MAX_HEAD_BYTES - 23)}\r\n\r\n`;
  assert.equal(text.length, MAX_HEAD_BYTES);
  const started = performance.now();
  assert.deepEqual(read("request", text, 1), ["GET /", "0"]);
  assert.ok(performance.now() - started < 1_000);
});

/** What is read of one connection's messages, each in one piece, or all byte by byte. */
function follow(messages: readonly [from: "caller" | "program", text: string][], byBytes: boolean): string[] {
  const told: string[] = [];
  const exchanges = new Exchanges({
    request: (head, bytes) => ({
      method: head.method,
      hosts: head.hosts.map((host) => told.push(`${head.method} ${textOf(bytes, host)}`)),
    }),
    requestEnd: () => told.push("asked"),
    answer: ({ status }) => told.push(`${status}`),
    answerBody: (content) => content > 0 && !byBytes && told.push(`${content}`),
    answered: (_head, request) => told.push(`answered ${request?.method}`),
  });
  for (const [from, text] of messages) {
    for (const piece of byBytes ? [...text] : [text]) {
      const bytes = latin1(piece);
      for (let at = 0; at < bytes.length;) at = from === "caller" ? exchanges.forth(bytes, at) : exchanges.back(bytes, at);
    }
  }
  return told.filter((line) => byBytes ? true : !/^\d$/.test(line));
}

Deno.test("a head that repeats the last one, or almost, is read like any other", () => {
  const random = new SeededRandom(20);
  const messages: [from: "caller" | "program", text: string][] = [];
  for (let i = 0; i < 500; i++) {
    const blank = random.pick(["", "", "\r\n"]);
    const host = `Host: ${random.pick(["a", "a", "b"])}\r\n`;
    const body = random.pick(["Content-Length: 0\r\n\r\n", "\r\n", "Content-Length: 3\r\n\r\nabc"]);
    messages.push(["caller", `${blank}${random.pick(["GET", "GET", "PUT"])} / HTTP/1.1\r\n${host}${body}`]);
    const answer = random.pick(["200 OK\r\nContent-Length: 2\r\n\r\nok", "200 OK\r\nContent-Length: 0\r\n\r\n", "204 None\r\n\r\n"]);
    messages.push(["program", `HTTP/1.1 ${answer}`]);
  }
  assert.deepEqual(follow(messages, false), follow(messages, true));
});
