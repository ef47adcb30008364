/** A relay between kurun and the API server that a test controls and cuts. */
export class TcpRelay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  #isDown = false;
  #held: PromiseWithResolvers<void> | undefined;

  /** @param server the API server's URL */
  constructor(server: URL) {
    void this.#accept(server);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Resets every connection, in both directions. @returns how many there were */
  cut(): number {
    const connections = [...this.#open];
    this.#open.clear();
    for (const connection of connections) close(connection);
    return connections.length / 2;
  }

  /** Holds back what the server sends, as a slow link does, until {@link letGo}. */
  holdBack(): void {
    this.#held ??= Promise.withResolvers();
  }

  /** Continues after {@link holdBack}. */
  letGo(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** Resets every connection, and every new one from now on. */
  down(): void {
    this.#isDown = true;
    this.cut();
  }

  /** Relays connections again. */
  up(): void {
    this.#isDown = false;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    return Promise.resolve();
  }

  async #accept({ hostname, port }: URL): Promise<void> {
    try {
      for await (const inner of this.#listener) {
        if (this.#isDown) inner.close();
        else void Deno.connect({ hostname, port: Number(port || 443) }).then((outer) => this.#join(inner, outer), () => inner.close());
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  #join(one: Deno.TcpConn, other: Deno.TcpConn): void {
    const both = [one, other] as const;
    if (this.#isDown) return both.forEach(close);
    for (const connection of both) {
      connection.setNoDelay();
      this.#open.add(connection);
    }
    const end = () => {
      if (!both.some((connection) => this.#open.delete(connection))) return;
      for (const connection of both) close(connection);
    };
    one.readable.pipeTo(other.writable).then(end, end);
    const back = new TransformStream<Uint8Array, Uint8Array>({
      transform: async (bytes, controller) => {
        await this.#held?.promise;
        controller.enqueue(bytes);
      },
    });
    other.readable.pipeThrough(back).pipeTo(one.writable).then(end, end);
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It has ended by itself.
  }
}
