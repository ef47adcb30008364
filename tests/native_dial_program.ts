/**
 * Dials targets with Deno's own TLS, in a process of its own: the roots that it drops are the whole process's. Reads the targets from
 * standard input as JSON, and prints what became of each.
 */
import { ConnectionError } from "../k8s/api/connection_error.ts";
import { canDialNatively } from "../k8s/api/dial_native.ts";
import { dial } from "../k8s/api/dial.ts";
import type { DialTarget, TlsSettings } from "../k8s/api/dial_route.ts";
import { dropRuntimeRoots } from "../k8s/api/trusted_roots.ts";

/** A target as JSON has it. */
export interface PlainTarget {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsSettings;
  readonly proxy?: string;
  readonly timeoutMs?: number;
}

/** What became of a target: an answer to a request, why there is none, or "left to node:tls". */
export type Dialled = { readonly answer: string } | { readonly kind: string; readonly message: string; readonly issuer?: string } | {
  readonly left: true;
  /** Whether node:tls made the connection, or why not. */
  readonly node: string;
};

async function dialled({ proxy, timeoutMs = 5_000, ...target }: PlainTarget): Promise<Dialled> {
  try {
    const to = { ...target, ...(proxy ? { proxy: new URL(proxy) } : {}) };
    if (!canDialNatively(to)) return { left: true, ...await leftToNode(to, timeoutMs) };
    const conn = await dial(to, { timeoutMs });
    await conn.write(new TextEncoder().encode("GET /x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
    let answer = "";
    for (let bytes = await conn.read(); bytes !== null; bytes = await conn.read()) answer += new TextDecoder().decode(bytes);
    conn.reset();
    return { answer };
  } catch (error) {
    if (!(error instanceof ConnectionError)) return { answer: `failed later: ${(error as Error).message}` };
    return { kind: error.kind, message: error.message, ...(error.certificate ? { issuer: error.certificate.issuer } : {}) };
  }
}

async function leftToNode(target: DialTarget, timeoutMs: number): Promise<{ node: string }> {
  try {
    (await dial(target, { timeoutMs })).reset();
    return { node: "connected" };
  } catch (error) {
    return { node: (error as ConnectionError).kind };
  }
}

if (import.meta.main) {
  dropRuntimeRoots();
  const targets: PlainTarget[] = await new Response(Deno.stdin.readable).json();
  const results: Dialled[] = [];
  for (const target of targets) results.push(await dialled(target));
  // deno-lint-ignore no-console -- how a program answers the test that started it
  console.log(JSON.stringify({ results, store: Deno.env.get("DENO_TLS_CA_STORE") ?? null }));
}
