import type { SmallSink } from "./connection.ts";
import { ProtocolError, type SessionEndedError, StreamResetError } from "./errors.ts";
import { Flag } from "./frame.ts";
import { keep, release, takeReadBuffer } from "./read_buffers.ts";
import { ReceiveWindow, type WindowBudget } from "./receive_window.ts";

/** What a stream needs from its session. */
export interface StreamHost {
  readonly now: () => number;
  readonly budget: WindowBudget;
  readonly initialWindow: number;
  /** Whether writers should wait for {@link uncongested}. */
  readonly congested: boolean;
  /** Resolves when there is room again, or the session has ended. */
  uncongested(): Promise<void>;
  /** Sends `bytes`, for which there is credit, in as many frames as it takes; `flags` go with the first. */
  sendData(stream: Stream, flags: number, bytes: Uint8Array): void;
  /** Sends a copy of `bytes`, for which there is credit, in one frame. */
  sendCopy(stream: Stream, bytes: Uint8Array): void;
  /** Sends flags and credit, which may be 0. */
  sendControl(stream: Stream, flags: number, credit: number): void;
  /** Drops a stream that is over. */
  forget(stream: Stream): void;
}

/** Small pieces that wait are gathered in blocks of this size: a one-byte array costs a hundred bytes. */
const SMALL_BLOCK_BYTES = 4 * 1024;
/**
 * A reader that waits gets part of a payload from this size on: two TLS records, which bring 16 KiB each. With one at a time a 50 MB body
 * took 15 % longer, since each costs a write and a wake-up of its reader; and with whole payloads, since less went on at once.
 */
const WORTH_READING_BYTES = 30 * 1024;
/** The most credit that a window can have (32 bits in yamux). */
const MAX_CREDIT = 0xffff_ffff;

const NO_BYTES = new Uint8Array(0);

/** One stream of a {@link Session}: bytes both ways. Each direction ends by itself, or both at once by a reset. */
export class Stream {
  /** Its id on the wire. */
  readonly id: number;
  /** What broke it, where something did. */
  failure: Error | undefined;
  readonly #host: StreamHost;
  readonly #window: ReceiveWindow;
  #chunks: Uint8Array[] = [];
  #block: Uint8Array | undefined;
  #blockUsed = 0;
  #taken = 0;
  #credit: number;
  #reader: PromiseWithResolvers<Uint8Array | null> | undefined;
  #take: SmallSink | undefined;
  #creditArrived: (() => void) | undefined;
  #failed: ((error: Error) => void) | undefined;
  #peerEnded: (() => void) | undefined;
  #finSent = false;
  #finReceived = false;
  #arrivedWhole = false;
  #forgotten = false;
  /** Settles when everything given to {@link send} has left or was dropped; it never rejects. */
  #queue: Promise<void> | undefined;

  /** Only a session makes streams. */
  constructor(host: StreamHost, id: number) {
    this.id = id;
    this.#host = host;
    this.#credit = host.initialWindow;
    this.#window = new ReceiveWindow(host.budget, host.now, host.initialWindow);
  }

  /**
   * Implements {@link Connection.onFailure}; it may have failed already, for example in the message that opened it. Not called where the
   * session ends behind a direction that arrived whole and can be read.
   */
  onFailure(listener: (error: Error) => void): void {
    this.#failed = listener;
    if (this.failure && !this.#arrivedWhole) listener(this.failure);
  }

  /** Calls a listener when the other side ends its direction, which may be long before the reader arrives there. */
  onPeerEnd(listener: () => void): void {
    this.#peerEnded = listener;
  }

  /**
   * Waits for the next bytes; one reader at a time. Each call confirms that the bytes before were consumed, and returns their credit to
   * the sender: call it only when they have been passed on.
   * @returns null when the other side has ended its direction
   * @throws StreamResetError, SessionEndedError
   */
  read(): Promise<Uint8Array | null> {
    if (this.failure && !this.#arrivedWhole) return Promise.reject(this.failure);
    this.#giveCredit();
    if (this.#chunks.length === 0) this.#closeBlock();
    const chunk = this.#chunks.shift();
    if (chunk) {
      this.#taken = chunk.length;
      return Promise.resolve(chunk);
    }
    if (this.#finReceived) return Promise.resolve(null);
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  /** As {@link read}, and implements {@link Connection.readSmall}: pieces that `take` has taken count as consumed. */
  readSmall(take: SmallSink): Promise<Uint8Array | null> {
    const reading = this.read();
    if (this.#reader) this.#take = take;
    return reading;
  }

  /**
   * Sends bytes, which belong to the stream from now on; one writer at a time.
   * @returns undefined where they were sent immediately, else a promise that resolves when they were
   * @throws StreamResetError, SessionEndedError; thrown, or as the promise's rejection
   */
  write(bytes: Uint8Array): void | Promise<void> {
    if (this.failure) throw this.failure;
    if (this.#finSent) throw new StreamResetError("Cannot write to a stream whose sending end is closed");
    if (bytes.length === 0) return;
    if (bytes.length > this.#credit || this.#host.congested) return this.#writeSlowly(bytes);
    this.#credit -= bytes.length;
    this.#host.sendData(this, 0, bytes);
  }

  /** Implements {@link Connection.writeSmall}. @throws as {@link write} does */
  writeSmall(bytes: Uint8Array): void | Promise<void> {
    if (this.failure || this.#finSent || bytes.length > this.#credit || this.#host.congested) return this.write(bytes.slice());
    this.#credit -= bytes.length;
    this.#host.sendCopy(this, bytes);
  }

  /**
   * Queues bytes behind everything sent before, for messages that nobody waits for. Once the stream has failed they are dropped: the reader
   * learns of the failure. Do not mix with {@link write}, which allows one writer at a time.
   */
  send(bytes: Uint8Array): void {
    this.#queue = (this.#queue ?? Promise.resolve()).then(() => this.write(bytes)).catch(() => {});
  }

  /** Ends our direction; the other side reads the end after everything that was written. */
  closeWrite(): void {
    if (this.#finSent || this.failure) return;
    this.#finSent = true;
    this.#host.sendControl(this, Flag.fin, 0);
    if (this.#finReceived) this.#forget();
  }

  /** Ends both directions at once, here and on the other side; pending calls get a StreamResetError. */
  reset(): void {
    if (this.failure || this.#forgotten) return;
    this.#host.sendControl(this, Flag.rst, 0);
    this.#fail(new StreamResetError("The stream was reset here"));
  }

  /** For the session, on a stream opened here: sends SYN with the first bytes. */
  start(first: Uint8Array): void {
    if (first.length === 0) return this.#host.sendControl(this, Flag.syn, 0);
    if (first.length > this.#credit) throw new RangeError(`A stream's first bytes do not fit its window: ${first.length}`);
    this.#credit -= first.length;
    this.#host.sendData(this, Flag.syn, first);
  }

  /** For the session: the stream is refused. */
  refuse(): void {
    this.#fail(new StreamResetError("The stream was refused"));
  }

  /** For the session: a data frame with `bytes` of payload begins. */
  announced(bytes: number): void {
    if (this.#finReceived && bytes > 0) throw new ProtocolError(`Stream ${this.id} sent ${bytes} bytes after its end`);
    this.#window.received(bytes);
  }

  /**
   * For the session: a part of a payload, a view of a larger message.
   * @param last whether it is the payload's last part
   */
  receivedData(part: Uint8Array, last: boolean): void {
    if (part.length === 0) return;
    if (this.#reader && last && !this.#block) return this.#deliver(part);
    this.#gather(part);
    if (last || this.#chunks.length > 0 || this.#blockUsed >= WORTH_READING_BYTES) this.#deliverGathered();
  }

  /** For the session: the other side has ended its direction. */
  receivedFin(): void {
    if (this.#finReceived) return;
    this.#finReceived = true;
    this.#peerEnded?.();
    this.#settleReader()?.resolve(null);
    if (this.#finSent) this.#forget();
  }

  /** For the session: the other side takes `credit` more bytes. */
  receivedCredit(credit: number): void {
    this.#credit += credit;
    if (this.#credit > MAX_CREDIT) throw new ProtocolError(`Stream ${this.id} was given more credit than 32 bits hold`);
    this.#creditArrived?.();
    this.#creditArrived = undefined;
  }

  /** For the session: the other side has reset the stream. */
  receivedReset(): void {
    this.#fail(new StreamResetError("The other side reset the stream"));
  }

  /** For the session: it has ended. A direction that arrived whole can still be read to its end. */
  sessionEnded(error: SessionEndedError): void {
    this.#arrivedWhole = this.#finReceived;
    this.#fail(error);
  }

  /** Gives the reader that waits a payload that arrived in one part. */
  #deliver(part: Uint8Array): void {
    this.#taken = part.length;
    if (!this.#take || part.length > SMALL_BLOCK_BYTES) return this.#settleReader()?.resolve(keep(part));
    try {
      const taken = this.#take(part);
      if (taken === undefined) this.#giveCredit();
      else if (taken === false) this.#settleReader()?.resolve(keep(part));
      else this.#settleReader()?.resolve(taken.then(() => NO_BYTES));
    } catch (error) {
      this.#settleReader()?.reject(error);
    }
  }

  /** Gives the reader that waits what has been gathered. */
  #deliverGathered(): void {
    if (!this.#reader) return;
    if (this.#chunks.length === 0) this.#closeBlock();
    const chunk = this.#chunks.shift() as Uint8Array;
    this.#taken = chunk.length;
    this.#settleReader()?.resolve(chunk);
  }

  async #writeSlowly(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      if (this.#credit === 0) {
        await new Promise<void>((resolve) => this.#creditArrived = resolve);
      } else if (this.#host.congested) {
        await this.#host.uncongested();
      } else {
        const size = Math.min(this.#credit, bytes.length - at);
        this.#credit -= size;
        this.#host.sendData(this, 0, at === 0 && size === bytes.length ? bytes : bytes.subarray(at, at + size));
        at += size;
      }
      if (this.failure) throw this.failure;
    }
  }

  /** The reader that waits, which does so no longer. */
  #settleReader(): PromiseWithResolvers<Uint8Array | null> | undefined {
    const reader = this.#reader;
    this.#reader = this.#take = undefined;
    return reader;
  }

  #giveCredit(): void {
    if (this.#taken === 0) return;
    const taken = this.#taken;
    this.#taken = 0;
    if (this.#finReceived || this.#forgotten) return;
    const credit = this.#window.consumed(taken);
    if (credit > 0) this.#host.sendControl(this, 0, credit);
  }

  /** Adds bytes to the last block, so that they are read, and written on, in one piece. */
  #gather(part: Uint8Array): void {
    for (let at = 0; at < part.length;) {
      const block = this.#block ?? this.#addBlock(part.length - at);
      const size = Math.min(block.length - this.#blockUsed, part.length - at);
      block.set(part.subarray(at, at + size), this.#blockUsed);
      this.#blockUsed += size;
      at += size;
      if (this.#blockUsed === block.length) this.#closeBlock();
    }
  }

  #addBlock(bytes: number): Uint8Array {
    this.#block = bytes < SMALL_BLOCK_BYTES ? new Uint8Array(SMALL_BLOCK_BYTES) : takeReadBuffer();
    this.#blockUsed = 0;
    return this.#block;
  }

  /** Adds the last block to what can be read: nothing is added to it any more. */
  #closeBlock(): void {
    const block = this.#block;
    if (!block) return;
    this.#block = undefined;
    this.#chunks.push(block.subarray(0, this.#blockUsed));
    release(block.subarray(this.#blockUsed));
  }

  #fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    if (!this.#arrivedWhole) {
      this.#chunks = [];
      this.#block = undefined;
    }
    this.#settleReader()?.reject(error);
    this.#creditArrived?.();
    this.#creditArrived = undefined;
    this.#forget();
    if (!this.#arrivedWhole) this.#failed?.(error);
  }

  #forget(): void {
    if (this.#forgotten) return;
    this.#forgotten = true;
    this.#window.release();
    this.#host.forget(this);
  }
}
