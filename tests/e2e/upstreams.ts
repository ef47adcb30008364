/** Programs "on the laptop" for callers in the cluster to reach. */

const CHUNK = new Uint8Array(64 * 1024);

/** A running program, at a port of its own. */
export interface Upstream extends AsyncDisposable {
  readonly url: string;
}

/** Serves HTTP with a handler. */
export function serveHttp(handler: (request: Request) => Response | Promise<Response>): Upstream {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {}, automaticCompression: false } as Deno.ServeTcpOptions,
    handler,
  );
  return { url: `http://localhost:${server.addr.port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** A body of so many zeros, made as it is read. */
export function zeros(bytes: number): ReadableStream<Uint8Array> {
  let left = bytes;
  return new ReadableStream({
    pull(controller) {
      if (left === 0) return controller.close();
      const size = Math.min(left, CHUNK.length);
      left -= size;
      controller.enqueue(CHUNK.slice(0, size));
    },
  });
}

/** Reads a body to its end and forgets it. @returns its bytes */
export async function count(body: ReadableStream<Uint8Array> | null): Promise<number> {
  let total = 0;
  if (body) { for await (const chunk of body) total += chunk.length; }
  return total;
}
