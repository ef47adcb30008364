import { BodyFramer, type BodyFraming } from "./body.ts";
import { HeadReader } from "./head_reader.ts";

/** What {@link Messages} reports about one direction of a connection. Bytes are valid until the call returns. */
export interface MessageEvents {
  /** A head, with its empty line, from `start` to `end`. @returns how its body is framed @throws Http1Error */
  head(bytes: Uint8Array, start: number, end: number): BodyFraming;
  /** Bytes of the body, from `start` to `end`, of which `content` are not chunk lines. */
  body(bytes: Uint8Array, start: number, end: number, content: number): void;
  /** The message has ended. */
  end(): void;
}

/** One direction of an HTTP/1 connection: one message after the other, in bytes that arrive in any pieces. */
export class Messages {
  readonly #events: MessageEvents;
  readonly #heads: HeadReader;
  readonly #framer = new BodyFramer();
  #inBody = false;

  constructor(kind: "request" | "response", events: MessageEvents) {
    this.#heads = new HeadReader(kind);
    this.#events = events;
  }

  /** Whether no message is under way. */
  get between(): boolean {
    return !this.#inBody && !this.#heads.begun;
  }

  /** Whether a part of a head has been read. */
  get inHead(): boolean {
    return this.#heads.begun;
  }

  /**
   * Reads bytes, up to the end of one message at most.
   * @param at where to begin
   * @returns where to go on; the length of `bytes` where all were read
   * @throws Http1Error
   */
  read(bytes: Uint8Array, at: number): number {
    let next = at;
    if (!this.#inBody) {
      const heads = this.#heads;
      next = heads.read(bytes, next);
      if (next < 0) return bytes.length;
      this.#framer.start(this.#events.head(heads.source, heads.start, heads.end));
      heads.release();
      this.#inBody = true;
    }
    if (!this.#framer.done && next < bytes.length) {
      const start = next;
      next = this.#framer.take(bytes, start);
      this.#events.body(bytes, start, next, this.#framer.content);
    }
    if (this.#framer.done) {
      this.#inBody = false;
      this.#events.end();
    }
    return next;
  }
}
