import { cutCloseReason, type Transport, type TransportEnd } from "./transport.ts";

/**
 * Two ends of a transport inside one process: what one sends the other receives, one message a turn of the event loop's
 * microtasks, so that an order of events is the same at every run.
 */
export function memoryTransportPair(): [MemoryTransport, MemoryTransport] {
  const a = new MemoryTransport();
  const b = new MemoryTransport();
  a.connect(b);
  b.connect(a);
  return [a, b];
}

/** One end of {@link memoryTransportPair}. */
export class MemoryTransport implements Transport {
  onmessage: ((message: Uint8Array) => void) | undefined;
  ondrain: (() => void) | undefined;
  onclose: ((end: TransportEnd) => void) | undefined;
  /** Messages and bytes that this end has sent. */
  readonly sent = { messages: 0, bytes: 0 };
  #peer: MemoryTransport | undefined;
  #queue: Uint8Array[] = [];
  #buffered = 0;
  #held = false;
  #running = false;
  #closing: TransportEnd | undefined;
  #ended: TransportEnd | undefined;

  /** Bytes sent that the other end has not received. */
  get buffered(): number {
    return this.#buffered;
  }

  /** The other end. */
  get peer(): MemoryTransport | undefined {
    return this.#peer;
  }

  get ended(): TransportEnd | undefined {
    return this.#ended;
  }

  /** Names the end that receives what this one sends. */
  connect(peer: MemoryTransport): void {
    this.#peer = peer;
  }

  send(message: Uint8Array): void {
    if (this.#ended || this.#closing) return;
    this.sent.messages++;
    this.sent.bytes += message.length;
    this.#buffered += message.length;
    this.#queue.push(message);
    this.#run();
  }

  /** Stops delivery, as a network does that has gone away without a word, until {@link release}. */
  hold(): void {
    this.#held = true;
  }

  /** Goes on with delivery after {@link hold}. */
  release(): void {
    this.#held = false;
    this.#run();
  }

  close(code: number, reason: string): void {
    if (this.#ended || this.#closing) return;
    this.#closing = { code, reason: cutCloseReason(reason) };
    this.#run();
  }

  destroy(): void {
    this.#end({ code: 1006, reason: "" });
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    await Promise.resolve();
    while (!this.#held && !this.#ended && this.#queue.length > 0) {
      const message = this.#queue.shift();
      if (message === undefined) break;
      this.#buffered -= message.length;
      this.#peer?.onmessage?.(message);
      this.ondrain?.();
      await Promise.resolve();
    }
    this.#running = false;
    if (this.#closing && !this.#held && this.#queue.length === 0) this.#end(this.#closing);
  }

  #end(end: TransportEnd): void {
    if (this.#ended) return;
    this.#ended = end;
    this.#queue = [];
    this.#buffered = 0;
    const peer = this.#peer;
    queueMicrotask(() => {
      this.onclose?.(end);
      if (peer) peer.#end(end);
    });
  }
}
