/** A program here that records every request it receives and answers each with its id. */
export class RecordingUpstream implements AsyncDisposable {
  /** How often each id was received. */
  readonly seen = new Map<string, number>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {}, automaticCompression: false } as Deno.ServeTcpOptions,
      (request) => this.#answer(new URL(request.url)),
    );
  }

  get url(): string {
    return `http://localhost:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  /** `/ID?ms=M`: the id, after M milliseconds. `/body/ID?pieces=N`: N pieces of 16 KiB, one every 50 ms. */
  async #answer({ pathname, searchParams }: URL): Promise<Response> {
    const id = pathname.slice(pathname.lastIndexOf("/") + 1);
    this.seen.set(id, (this.seen.get(id) ?? 0) + 1);
    if (pathname.startsWith("/body/")) return new Response(pieces(Number(searchParams.get("pieces"))));
    const ms = Number(searchParams.get("ms"));
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    return new Response(id);
  }
}

function pieces(count: number): ReadableStream<Uint8Array> {
  let left = count;
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      controller.enqueue(new Uint8Array(16 * 1024));
      if (--left === 0) controller.close();
    },
  });
}
