/**
 * Generated HTTP/1 exchanges that are unusual and allowed, through the rewriter, the lens and the server's follower. The program must get
 * the caller's bytes, and the caller the program's, except for what rewriting changes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { CallerExchanges } from "../../server/callers/caller_exchanges.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";
import type { Connection } from "../../tunnel/mod.ts";
import { HttpLens } from "./http_lens.ts";
import { RewritingConnection } from "./rewriting_connection.ts";

const ROUNDS = 300;
const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const textOf = (bytes: Uint8Array) => String.fromCharCode(...bytes);

/** One request as it is sent and as it arrives, and its answer. */
interface Exchange {
  readonly sent: string;
  readonly rewritten: string;
  readonly answer: string;
  /** How the lens shows it: method, target, status and size. */
  readonly line: string;
}

class Generator {
  constructor(readonly random: SeededRandom) {}

  exchanges(): Exchange[] {
    return Array.from({ length: 1 + this.random.below(5) }, () => this.#exchange());
  }

  #exchange(): Exchange {
    const { random } = this;
    // RFC 9112, 2.2: a server ignores empty lines before a request line. Some clients send one behind a POST's body.
    const blank = "\r\n".repeat(random.chance(0.3) ? random.below(4) : 0);
    const method = random.pick(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PURGE", "m-search", "PRI"]);
    const target = method === "OPTIONS" && random.chance(0.5)
      ? "*"
      : random.pick(["/", "/a?b=/c", "/%2F//..", "/é", "http://k/x", "http://k:1?q"]);
    const [bodyHeaders, body] = method === "POST" || method === "PUT" ? this.#body() : ["", ""];
    const version = random.chance(0.9) || bodyHeaders.startsWith("Transfer") ? "1.1" : "1.0";
    const host = random.pick(["Host: k", "host:k", "HOST: \t k:80 "]);
    const others = ["X-A:  b ", "Accept: */*", "x-a:c", "Cookie:", "Expect: 100-continue", "X-L: caf\xe9", "Connection: keep-alive"]
      .filter(() => random.chance(0.3)).map((line) => `${line}\r\n`);
    const head = (target: string, host: string) =>
      `${method} ${target} HTTP/${version}\r\n${others[0] ?? ""}${host}\r\n${others.slice(1).join("")}${bodyHeaders}\r\n`;
    const sent = blank + head(target, host) + body;
    const rewritten = head(target.replace(/^http:\/\/[^/?]+/, "http://app.local"), host.replace(/k(:80)?/, "app.local")) + body;
    const { answer, status, size } = this.#answer(method);
    return { sent, rewritten, answer, line: `${method} ${target.replace("é", "?")} ${status} ${size}` };
  }

  #body(): [headers: string, body: string] {
    const { random } = this;
    const content = random.pick(["", "abc", "GET / HTTP/1.1\r\n\r\n", "0\r\n\r\n", "\r\n", "x".repeat(3_000)]);
    if (random.chance(0.5)) return [`${random.pick(["Content-Length", "content-length"])}: ${content.length}\r\n`, content];
    return ["Transfer-Encoding: chunked\r\n", this.#chunks(content)];
  }

  #chunks(content: string): string {
    const { random } = this;
    let out = "";
    for (let at = 0; at < content.length;) {
      const size = 1 + random.below(content.length);
      const chunk = content.slice(at, at + size);
      at += size;
      out += `${random.pick(["", "00"])}${chunk.length.toString(16)}${random.pick(["", ";a", ';a="b c"', " ;x=y"])}\r\n${chunk}\r\n`;
    }
    return `${out}0\r\n${random.pick(["", "", "X-Sum: 1\r\n"])}\r\n`;
  }

  #answer(method: string): { answer: string; status: number; size: number } {
    const { random } = this;
    const interim = random.pick([
      "",
      "",
      "",
      "HTTP/1.1 100 Continue\r\n\r\n",
      "HTTP/1.1 103 \r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
    ]);
    const status = random.pick([200, 200, 201, 204, 304, 404, 413, 500]);
    const line = `HTTP/1.1 ${status}${random.pick([" OK", " ", "", " \xd6K"])}\r\n`;
    const content = random.pick(["", "ok", "HTTP/1.1 200 OK\r\n\r\n", "y".repeat(2_000)]);
    const hasBody = method !== "HEAD" && status !== 204 && status !== 304;
    const size = hasBody ? content.length : 0;
    if (random.chance(0.5)) {
      return { answer: `${interim}${line}Content-Length: ${content.length}\r\n\r\n${hasBody ? content : ""}`, status, size };
    }
    return { answer: `${interim}${line}Transfer-Encoding: chunked\r\n\r\n${hasBody ? this.#chunks(content) : ""}`, status, size };
  }

  /** Bytes in any pieces. */
  pieces(text: string): Uint8Array[] {
    const bytes = latin1(text);
    const most = this.random.pick([1, 5, 100, bytes.length + 1]);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const size = 1 + this.random.below(most);
      parts.push(bytes.slice(at, at + size));
      at += size;
    }
    return parts;
  }
}

/** A program that records what it gets, and gives the answers of the test. */
class Program implements Connection {
  got = "";
  readonly #answers: Uint8Array[] = [];
  #reader: PromiseWithResolvers<Uint8Array | null> | undefined;

  answer(bytes: Uint8Array): void {
    if (this.#reader) this.#reader.resolve(bytes);
    else this.#answers.push(bytes);
    this.#reader = undefined;
  }

  read(): Promise<Uint8Array | null> {
    const bytes = this.#answers.shift();
    if (bytes) return Promise.resolve(bytes);
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  write(bytes: Uint8Array): void {
    this.got += textOf(bytes);
  }

  closeWrite(): void {}

  reset(): void {
    assert.fail("the connection to the program was reset");
  }
}

Deno.test("generated exchanges pass unchanged but for the Host, are seen as they are, and leave the connection idle", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const generator = new Generator(new SeededRandom(seed));
  for (let round = 0; round < ROUNDS; round++) {
    const why = `seed ${seed}, round ${round}`;
    const exchanges = generator.exchanges();
    const isPipelined = generator.random.chance(0.3);
    const program = new Program();
    const connection = new RewritingConnection(program, { prefix: "", host: "app.local" });
    const lines: string[] = [];
    const lens = new HttpLens({
      caller: "c",
      now: () => 0,
      line: ({ method, target, status, bytes }) => lines.push(`${method} ${target} ${status} ${bytes}`),
      blind: (_, reason) => lines.push(reason),
    });
    const server = new CallerExchanges(() => true);
    let answered = "";
    const ask = async ({ sent }: Exchange) => {
      for (const piece of generator.pieces(sent)) {
        lens.forth(piece);
        server.forth(piece);
        await connection.write(piece);
      }
    };
    const answer = async ({ answer }: Exchange) => {
      for (const piece of generator.pieces(answer)) {
        program.answer(piece);
        const bytes = await connection.read();
        assert.ok(bytes, why);
        lens.back(bytes);
        server.back(bytes);
        answered += textOf(bytes);
      }
    };
    for (const exchange of exchanges) {
      await ask(exchange);
      if (!isPipelined) await answer(exchange);
    }
    if (isPipelined) { for (const exchange of exchanges) await answer(exchange); }
    assert.equal(program.got, exchanges.map(({ rewritten }) => rewritten).join(""), why);
    assert.equal(answered, exchanges.map(({ answer }) => answer).join(""), why);
    assert.deepEqual(lines, exchanges.map(({ line }) => line), why);
    assert.ok(server.idle, why);
  }
});
