import assert from "node:assert/strict";
import { certificateAuthority } from "../../tests/certificate_authority.ts";
import { type CertificatePair, selfSignedServerCertificate } from "../../k8s/certificate/certificate.ts";
import type { Connection } from "../../tunnel/mod.ts";
import { dialUpstream, UpstreamError } from "./upstream.ts";
import { parseUpstream, type Upstream } from "./upstream_url.ts";

const now = new Date();
const authority = await certificateAuthority({ commonName: "the tests' authority", days: 1, now });
const BIG = 20_000_000;

/** A program that speaks TLS: does what its caller's first line says. */
class Program implements Disposable {
  readonly #listener: Deno.TlsListener;
  /** What callers agreed on. */
  readonly agreed: (string | null)[] = [];

  constructor({ certPem: cert, keyPem: key }: CertificatePair, alpnProtocols = ["h2", "http/1.1"]) {
    this.#listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key, alpnProtocols });
    this.#accept();
  }

  upstream(trust?: Upstream["trust"], host = "localhost"): Upstream {
    const parsed = parseUpstream(`https://${host}:${this.#listener.addr.port}`);
    return trust ? { ...parsed, trust } : parsed;
  }

  async #accept(): Promise<void> {
    try {
      for await (const caller of this.#listener) this.#serve(caller).catch(() => caller.close());
    } catch {
      // A handshake that failed ends the loop: the tests here make one connection each.
    }
  }

  async #serve(caller: Deno.TlsConn): Promise<void> {
    this.agreed.push((await caller.handshake()).alpnProtocol);
    const buffer = new Uint8Array(64 * 1024);
    const first = new TextDecoder().decode(buffer.subarray(0, await caller.read(buffer) ?? 0));
    let size = 0;
    if (first.startsWith("count")) { for (let n = await caller.read(buffer); n !== null; n = await caller.read(buffer)) size += n; }
    if (first.startsWith("big")) {
      for (let left = BIG; left > 0;) left -= await caller.write(buffer.subarray(0, Math.min(left, buffer.length)));
    }
    await caller.write(new TextEncoder().encode(first.startsWith("count") ? `counted ${size}` : "done"));
    await caller.closeWrite();
    for (let n = await caller.read(buffer); n !== null; n = await caller.read(buffer));
    caller.close();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

async function all(connection: Connection): Promise<string> {
  const chunks: string[] = [];
  for (let bytes = await connection.read(); bytes !== null; bytes = await connection.read()) chunks.push(new TextDecoder().decode(bytes));
  return chunks.join("");
}

async function say(connection: Connection, text: string): Promise<void> {
  await connection.write(new TextEncoder().encode(text));
}

function tlsTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false, fn });
}

const trusting = { ca: authority.certPem, insecure: false };
const issue = (names: string[], more = {}) => authority.issue({ names, days: 1, now, ...more });
const ways = [["verified", trusting], ["unverified", undefined]] as const;

for (const [way, trust] of ways) {
  tlsTest(`an https program is reached, ${way}, with the caller's protocol and no other`, async () => {
    using program = new Program(await issue(["localhost"]));
    for (const alpn of ["h2", "http/1.1", undefined]) {
      const connection = await dialUpstream(program.upstream(trust), { alpn });
      await say(connection, "hello");
      assert.equal(await all(connection), "done");
      connection.closeWrite();
    }
    assert.deepEqual(program.agreed, ["h2", "http/1.1", "http/1.1"]);
  });

  tlsTest(`20 MB go to an https program, ${way}, which sees the end and answers after it; and 20 MB come back`, async () => {
    using program = new Program(await issue(["localhost"]));
    const up = await dialUpstream(program.upstream(trust));
    await say(up, "count");
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (let left = BIG; left > 0; left -= 50_000) await up.write(new Uint8Array(50_000));
    up.closeWrite();
    assert.equal(await all(up), `counted ${BIG}`);
    const down = await dialUpstream(program.upstream(trust));
    await say(down, "big");
    assert.equal((await all(down)).length, BIG + "done".length);
    down.closeWrite();
  });
}

for (
  const [what, pair, trust, host, sentence] of [
    [
      "of an unknown authority",
      () => issue(["127.0.0.1"]),
      { insecure: false },
      "127.0.0.1",
      /an unknown CA: .*--upstream-ca FILE/,
    ],
    [
      "that signs itself",
      () => selfSignedServerCertificate({ names: ["127.0.0.1"], days: 1, now }),
      { insecure: false },
      "127.0.0.1",
      /from an unknown CA/,
    ],
    ["for another name", () => issue(["example.com"]), trusting, "localhost", /not valid for localhost/],
    ["that has expired", () => issue(["localhost"], { days: -0.01 }), trusting, "localhost", /expired or is not valid yet/],
  ] as const
) {
  tlsTest(`a certificate ${what} is refused in words, and accepted on the loopback address where nothing is asked`, async () => {
    const shown = await pair();
    using program = new Program(shown);
    const upstream = program.upstream(trust, host);
    await assert.rejects(
      dialUpstream(upstream),
      (error) =>
        error instanceof UpstreamError && error.message.startsWith(`${upstream.url} has a certificate`) && sentence.test(error.message),
    );
    using again = new Program(shown);
    const connection = await dialUpstream(again.upstream(undefined, host));
    await say(connection, "hello");
    assert.equal(await all(connection), "done");
    connection.closeWrite();
  });
}

for (const [way, trust] of ways) {
  tlsTest(`a program that does not speak TLS, or not the caller's protocol, is named, ${way}`, async () => {
    using plain = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const port = plain.addr.port;
    (async () => {
      for await (const caller of plain) await caller.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
    })();
    const upstream = { ...parseUpstream(`https://localhost:${port}`), ...(trust ? { trust } : {}) };
    await assert.rejects(dialUpstream(upstream), { message: `https://localhost:${port} does not speak TLS: is it http://?` });
    using old = new Program(await issue(["localhost"]), ["http/1.1"]);
    await assert.rejects(dialUpstream(old.upstream(trust), { alpn: "h2" }), /does not speak HTTP\/2: remove --app-protocol h2/);
  });
}
