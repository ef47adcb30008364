import { release } from "../tunnel/read_buffers.ts";
import { cutCloseReason, type Transport, type TransportEnd } from "../tunnel/transport.ts";

/**
 * Makes both ends of a transport inside one process. One message arrives per turn of the microtask queue, so that the order of events is
 * the same in every run.
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
  onmessage: ((part: Uint8Array, last: boolean) => void) | undefined;
  ondrain: (() => void) | undefined;
  onclose: ((end: TransportEnd) => void) | undefined;
  /** How many messages and bytes this end has sent. */
  readonly sent = { messages: 0, bytes: 0 };
  #peer: MemoryTransport | undefined;
  #queue: Uint8Array[] = [];
  #buffered = 0;
  #held = false;
  #running = false;
  #closing: TransportEnd | undefined;
  #ended: TransportEnd | undefined;

  /** Bytes that were sent and that the other end has not received. */
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

  /** Sets the end that receives what this one sends. */
  connect(peer: MemoryTransport): void {
    this.#peer = peer;
  }

  send(given: Uint8Array): void {
    // What is released may be used again, and the other end reads it later.
    const message = given.slice();
    release(given);
    if (this.#ended || this.#closing) return;
    this.sent.messages++;
    this.sent.bytes += message.length;
    this.#buffered += message.length;
    this.#queue.push(message);
    void this.#run();
  }

  /** Stops delivery until {@link release}, like a network that has silently gone away. */
  hold(): void {
    this.#held = true;
  }

  /** Resumes delivery after {@link hold}. */
  release(): void {
    this.#held = false;
    void this.#run();
  }

  close(code: number, reason: string): void {
    if (this.#ended || this.#closing) return;
    this.#closing = { code, reason: cutCloseReason(reason) };
    void this.#run();
  }

  destroy(): void {
    this.#end({ code: 1006, reason: "" });
  }

  /** Never rejects, unless a test's own listener throws. */
  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    await Promise.resolve();
    while (!this.#held && !this.#ended && this.#queue.length > 0) {
      const message = this.#queue.shift();
      if (message === undefined) break;
      this.#buffered -= message.length;
      this.#peer?.onmessage?.(message, true);
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
