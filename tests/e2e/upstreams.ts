/** Programs "on the laptop" that callers in the cluster reach. */

const CHUNK = new Uint8Array(64 * 1024);

/** A running program on its own port. */
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

/** A body of zeros, generated as it is read. */
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

/** Reads a body to its end and discards it. @returns the number of bytes */
export async function count(body: ReadableStream<Uint8Array> | null): Promise<number> {
  let total = 0;
  if (body) { for await (const chunk of body) total += chunk.length; }
  return total;
}
