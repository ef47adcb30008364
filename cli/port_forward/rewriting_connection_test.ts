import assert from "node:assert/strict";
import type { Connection } from "../../tunnel/mod.ts";
import { RewritingConnection } from "./rewriting_connection.ts";
import type { Rewrite } from "./rewrite_head.ts";

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const textOf = (bytes: Uint8Array) => String.fromCharCode(...bytes);

/** A local program that records what it gets, and gives the answers of the test. */
class Program implements Connection {
  got = "";
  ended = false;
  broken = false;
  #answers: (Uint8Array | null)[] = [];
  #reader: PromiseWithResolvers<Uint8Array | null> | undefined;

  answer(text: string | null): void {
    const bytes = text === null ? null : latin1(text);
    if (this.#reader) this.#reader.resolve(bytes);
    else this.#answers.push(bytes);
    this.#reader = undefined;
  }

  read(): Promise<Uint8Array | null> {
    if (this.broken) return Promise.reject(new Error("reset"));
    if (this.#answers.length > 0) return Promise.resolve(this.#answers.shift() ?? null);
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  write(bytes: Uint8Array): void {
    if (!this.broken) this.got += textOf(bytes);
  }

  closeWrite(): void {
    this.ended = true;
  }

  reset(): void {
    this.broken = true;
    this.#reader?.reject(new Error("reset"));
    this.#reader = undefined;
  }
}

function connect(rewrite: Rewrite): { program: Program; connection: RewritingConnection; answers: () => Promise<string> } {
  const program = new Program();
  const connection = new RewritingConnection(program, rewrite);
  const answers = async () => {
    let text = "";
    for (let bytes = await connection.read(); bytes !== null; bytes = await connection.read()) text += textOf(bytes);
    return text;
  };
  return { program, connection, answers };
}

async function send(connection: Connection, text: string, size = text.length): Promise<void> {
  for (let at = 0; at < text.length; at += size) await connection.write(latin1(text.slice(at, at + size)));
}

const PREFIX: Rewrite = { prefix: "/api" };
const HOST: Rewrite = { prefix: "", host: "app.example.com:80" };
const BOTH: Rewrite = { ...HOST, ...PREFIX };

/** What a caller sends, and what the program gets. */
const PASSED: [name: string, rewrite: Rewrite, sent: string, got: string][] = [
  ["a path", PREFIX, "GET /a?b=/c HTTP/1.1\r\nHost: k\r\n\r\n", "GET /api/a?b=/c HTTP/1.1\r\nHost: k\r\n\r\n"],
  ["the root", PREFIX, "GET / HTTP/1.1\r\nHost: k\r\n\r\n", "GET /api/ HTTP/1.1\r\nHost: k\r\n\r\n"],
  ["bytes above ASCII", PREFIX, "GET /\x80\xe9 HTTP/1.1\r\nHost: k\r\n\r\n", "GET /api/\x80\xe9 HTTP/1.1\r\nHost: k\r\n\r\n"],
  [
    "a whole URL",
    BOTH,
    "GET http://k/a HTTP/1.1\r\nHost: k\r\n\r\n",
    "GET http://app.example.com:80/api/a HTTP/1.1\r\nHost: app.example.com:80\r\n\r\n",
  ],
  ["a whole URL without a path", PREFIX, "GET http://k?a HTTP/1.1\r\nHost: k\r\n\r\n", "GET http://k/api?a HTTP/1.1\r\nHost: k\r\n\r\n"],
  ["a path behind empty lines", HOST, "\r\n\r\nGET /a HTTP/1.1\r\nHost: k\r\n\r\n", "GET /a HTTP/1.1\r\nHost: app.example.com:80\r\n\r\n"],
  ["OPTIONS *", PREFIX, "OPTIONS * HTTP/1.1\r\nHost: k\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: k\r\n\r\n"],
  ["CONNECT", PREFIX, "CONNECT k:443 HTTP/1.1\r\nHost: k:443\r\n\r\n", "CONNECT k:443 HTTP/1.1\r\nHost: k:443\r\n\r\n"],
  [
    "Host, with all else as it was",
    HOST,
    "GET / HTTP/1.1\r\nx-A:  b \r\nhOsT:  kurun\t\r\nX-a:c\r\n\r\n",
    "GET / HTTP/1.1\r\nx-A:  b \r\nhOsT:  app.example.com:80\t\r\nX-a:c\r\n\r\n",
  ],
  ["Host where HTTP/1.0 has none", HOST, "GET / HTTP/1.0\r\nA: b\r\n\r\n", "GET / HTTP/1.0\r\nHost: app.example.com:80\r\nA: b\r\n\r\n"],
  [
    "two requests with bodies that look like requests",
    PREFIX,
    "POST /a HTTP/1.1\r\nHost: k\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n12;x=y\r\nGET / HTTP/1.1\r\n\r\n\r\n0\r\nT: 1\r\n\r\nGET /c HTTP/1.1\r\nHost: k\r\n\r\n",
    "POST /api/a HTTP/1.1\r\nHost: k\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\nPOST /api/b HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n12;x=y\r\nGET / HTTP/1.1\r\n\r\n\r\n0\r\nT: 1\r\n\r\nGET /api/c HTTP/1.1\r\nHost: k\r\n\r\n",
  ],
];

for (const [name, rewrite, sent, got] of PASSED) {
  Deno.test(`rewritten however it is split: ${name}`, async () => {
    for (const size of [sent.length, 1, 2, 3, 7, 16]) {
      const { program, connection } = connect(rewrite);
      await send(connection, sent, size);
      assert.equal(program.got, got, `in pieces of ${size}`);
    }
  });
}

/** Requests of which the program must not see a byte, besides those in http1_test.ts. */
const REFUSED: [name: string, sent: string, why: RegExp][] = [
  ["two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", /more than one Host/],
  ["the same Host twice", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", /more than one Host/],
  ["no Host", "GET / HTTP/1.1\r\n\r\n", /no Host/],
  ["a Host with two names", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", /Host is not a host/],
  ["a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", /Host is not a host/],
  ["a target without a slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", /neither a path nor a URL/],
  ["a URL of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", /neither a path nor a URL/],
  [
    "length and chunks",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\n",
    /both/,
  ],
  ["lines that end in LF", "GET / HTTP/1.1\nHost: a\n\n", /LF alone/],
  ["a folded header", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", /folded/],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", /HTTP\/2/],
];

for (const [name, sent, why] of REFUSED) {
  Deno.test(`answered with 400, and no byte passes: ${name}`, async () => {
    for (const size of [sent.length, 1, 7]) {
      const { program, connection, answers } = connect(BOTH);
      const answered = answers();
      await send(connection, sent, size);
      const answer = await answered;
      assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n.*\r\nConnection: close\r\n\r\nkurun: /s);
      assert.match(answer, why);
      assert.equal(program.got, "");
      assert.ok(program.broken);
    }
  });
}

Deno.test("a malformed chunk size is refused with its head where both arrive at once, and never passes", async () => {
  const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const together = connect(PREFIX);
  const answered = together.answers();
  await send(together.connection, `${head}zz\r\n`);
  assert.match(await answered, /400/);
  assert.equal(together.program.got, "");
  const apart = connect(PREFIX);
  const later = apart.answers();
  await send(apart.connection, head);
  await send(apart.connection, "zz\r\nabc");
  assert.match(await later, /400/);
  assert.equal(apart.program.got, head.replace("/", "/api/"));
  assert.ok(apart.program.broken, "so that half a request is not taken for a whole");
});

Deno.test("a refusal comes behind the answers to the requests before it", async () => {
  const { program, connection, answers } = connect(PREFIX);
  const answered = answers();
  await send(connection, "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\nHost: a\n\n");
  assert.equal(program.got, "GET /api/a HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(program.broken, false);
  program.answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
  program.answer("done");
  assert.match(await answered, /^HTTP\/1\.1 200 OK\r\nContent-Length: 4\r\n\r\ndoneHTTP\/1\.1 400 /);
});

Deno.test("a refusal in the middle of the same request's answer is a break, never a clean end", async () => {
  const { program, connection, answers } = connect(PREFIX);
  const answered = answers();
  await send(connection, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  program.answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
  await new Promise((resolve) => setTimeout(resolve, 1));
  const checked = assert.rejects(answered, /size is not a number/);
  await send(connection, "zz\r\n");
  await checked;
});

Deno.test("bytes behind a 101 pass unchanged, and bytes that arrived before it have waited", async () => {
  const { program, connection, answers } = connect(PREFIX);
  const answered = answers();
  const sending = send(connection, "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n\x81\x00GET / HTTP/1.1\n\n");
  assert.equal(program.got, "GET /api/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n");
  program.answer("HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05hello");
  await sending;
  assert.ok(program.got.endsWith("\r\n\r\n\x81\x00GET / HTTP/1.1\n\n"));
  program.answer("more\n\n");
  program.answer(null);
  assert.equal(await answered, "HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05hellomore\n\n");
});

Deno.test("a refused Upgrade leaves HTTP, and the next request is rewritten", async () => {
  const { program, connection, answers } = connect(PREFIX);
  const answered = answers();
  const sending = send(connection, "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  program.answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  await sending;
  assert.match(program.got, /GET \/api\/b HTTP\/1\.1\r\n/);
  program.answer(null);
  await answered;
});

Deno.test("the answer to HEAD has no body, so a refusal behind it is in its place", async () => {
  const { program, connection, answers } = connect(PREFIX);
  const answered = answers();
  await send(connection, "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03");
  program.answer("HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n");
  assert.match(await answered, /400\r\n\r\nHTTP\/1\.1 400 Bad Request/);
});

Deno.test("answers that are not HTTP pass unchanged", async () => {
  const { program, connection, answers } = connect(PREFIX);
  const answered = answers();
  await send(connection, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  program.answer("\x00\x01 what is this\n");
  program.answer("more");
  program.answer(null);
  assert.equal(await answered, "\x00\x01 what is this\nmore");
});

Deno.test("the caller's end passes, but within a head it is answered with 400", async () => {
  const whole = connect(PREFIX);
  await send(whole.connection, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  whole.connection.closeWrite();
  assert.ok(whole.program.ended);
  const half = connect(PREFIX);
  const answered = half.answers();
  await send(half.connection, "GET /a HTT");
  half.connection.closeWrite();
  assert.match(await answered, /ends within its head/);
  assert.equal(half.program.got, "");
});

Deno.test("no byte of a refused request passes behind a complete one that does", async () => {
  const { program, connection, answers } = connect(PREFIX);
  const answered = answers();
  await send(connection, "GET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd");
  assert.equal(program.got, "GET /api/a HTTP/1.1\r\nHost: a\r\n\r\n");
  program.answer("HTTP/1.1 204 No Content\r\n\r\n");
  assert.match(await answered, /^HTTP\/1\.1 204 No Content\r\n\r\nHTTP\/1\.1 400 /);
});

Deno.test("a switch that is not the last request's answer breaks the connection, and what waited for it never passes", async () => {
  const { program, connection, answers } = connect(PREFIX);
  const answered = answers();
  const requests = "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n";
  const sending = assert.rejects(send(connection, `${requests}bytes`), /answer to an Upgrade is not HTTP/);
  program.answer("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  await sending;
  assert.doesNotMatch(program.got, /bytes/);
  program.answer(null);
  await answered;
});

Deno.test("a caller that pipelines without end gets its answers, then a 400", async () => {
  const { program, connection, answers } = connect(PREFIX);
  const answered = answers();
  await send(connection, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n".repeat(300));
  assert.equal(program.got.split("/api/a").length - 1, 128);
  program.answer("HTTP/1.1 204 No Content\r\n\r\n".repeat(128));
  assert.match(await answered, /^(HTTP\/1\.1 204 No Content\r\n\r\n){128}HTTP\/1\.1 400 [^]*more than 128 requests wait for answers\n$/);
});

Deno.test("an unrequested switch of protocols changes nothing for the requests behind it", async () => {
  const { program, connection, answers } = connect(PREFIX);
  const answered = answers();
  await send(connection, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  program.answer("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  await new Promise((resolve) => setTimeout(resolve, 1));
  await send(connection, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(program.got, /GET \/api\/b /);
  program.answer(null);
  await answered;
});

Deno.test("a caller that goes on for megabytes after its refusal is cut off", async () => {
  const { connection, answers } = connect(PREFIX);
  const answered = answers();
  await send(connection, "\x16");
  await answered;
  await assert.rejects(async () => {
    for (let i = 0; i < 100; i++) await connection.write(new Uint8Array(64 * 1024));
  }, /goes on after its request was refused/);
});
