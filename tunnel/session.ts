import { GoAwayCode, ProtocolError, SessionEndedError, StreamLimitError } from "./errors.ts";
import { Flag, FrameDecoder, type FrameHeader, type FrameReceiver, FrameType, HEADER_BYTES, writeHeader } from "./frame.ts";
import { hasHeadroom, HEADROOM_BYTES, READ_BYTES, release, takeReadBuffer, withRoomBefore } from "./read_buffers.ts";
import { INITIAL_WINDOW, WindowBudget } from "./receive_window.ts";
import { Stream, type StreamHost } from "./stream.ts";
import type { Transport, TransportEnd } from "./transport.ts";

/** How many concurrent streams a session carries; more are refused. */
export const MAX_STREAMS = 1024;
/** No data frame is longer, so that other streams do not wait long behind it. */
export const MAX_FRAME_BYTES: number = READ_BYTES;
/** Payloads from this size on leave as one message each, without a copy; smaller frames are gathered. */
const ALONE_BYTES = 16 * 1024;
/** The most that is gathered into one message: with a WebSocket's header before it, it fits into a read buffer. */
const BATCH_BYTES = READ_BYTES - HEADROOM_BYTES;
/**
 * A batch leaves once nothing was added to it for so many rounds of microtasks. What became ready in one turn of the event loop arrives
 * within a few of each other: accepted callers three apart, for example, which made a message and a write to the network of each.
 */
const QUIET_ROUNDS = 8;
/** While more than this waits in the transport, writers wait. */
const CONGESTED_BYTES = 1024 * 1024;
/** Answers that the other side has caused (pongs, acknowledgements, resets) and does not read may take this much; then the session ends. */
const UNREAD_ANSWERS_BYTES = 4 * 1024 * 1024;

/** Why a session ended. */
export interface SessionEnd {
  /** How the transport ended, or was ended from here. */
  readonly transport: TransportEnd;
  /** What broke, where something did. */
  readonly error?: Error;
}

/** What a session needs. */
export interface SessionOptions {
  /** Whether streams opened here have odd ids ("client") or even ones ("server"); the sides must differ (yamux spec, "StreamID field"). */
  readonly role: "client" | "server";
  /** Accepts each stream that the other side opens. Without it they are reset. */
  readonly onStream?: (stream: Stream) => void;
  /** Called when the other side asks for no more streams (yamux spec, "Go Away"); open streams go on. */
  readonly onGoAway?: () => void;
  /** Called once when the session is over, after all its streams have failed. */
  readonly onEnd?: (end: SessionEnd) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** The initial credit of each stream's sender, on which both sides must agree: 64 KiB here, 256 KiB in hashicorp's yamux. */
  readonly initialWindow?: number;
}

/** Many streams over one transport: yamux version 0, with the frames of one turn of the event loop sent as one message. */
export class Session implements StreamHost, FrameReceiver {
  /** The round trip's time, and the sum of all windows. */
  readonly budget: WindowBudget = new WindowBudget();
  readonly now: () => number;
  readonly initialWindow: number;
  /** When the last byte arrived, on the session's clock. */
  receivedAt: number;
  /** When the oldest stream bytes left after which nothing has arrived from the other side, on the session's clock. */
  waitingSince: number | undefined;
  /** Called when a stream has ended while {@link MAX_STREAMS} were open: there is room for another. */
  onroom: (() => void) | undefined;
  readonly #transport: Transport;
  readonly #options: SessionOptions;
  readonly #decoder = new FrameDecoder(this);
  readonly #streams = new Map<number, Stream>();
  readonly #batch = new Uint8Array(BATCH_BYTES);
  readonly #pings = new Map<number, { sentAt: number; answered: (ms: number) => void }>();
  #batchUsed = 0;
  #flushing = false;
  #nextId: number;
  #nextPing = 1;
  #uncongested: (() => void)[] = [];
  #payloadStream: Stream | undefined;
  #payloadFlags = 0;
  #goingAway = false;
  #endedBy: SessionEndedError | undefined;

  /** Takes over the transport: from now on only the session uses it. */
  constructor(transport: Transport, options: SessionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.now = options.now;
    this.initialWindow = options.initialWindow ?? INITIAL_WINDOW;
    this.#nextId = options.role === "client" ? 1 : 2;
    this.receivedAt = this.now();
    transport.onmessage = (part) => this.receive(part);
    transport.ondrain = () => this.#drained();
    transport.onclose = (end) => this.#finish(end);
    // The transport may have ended between the handshake's last message and now.
    const { ended } = transport;
    if (ended) queueMicrotask(() => this.#finish(ended));
  }

  /** How many streams are open. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Whether it is over. */
  get ended(): boolean {
    return this.#endedBy !== undefined;
  }

  /** Whether writers should wait, because much waits to be sent. */
  get congested(): boolean {
    return this.#transport.buffered > CONGESTED_BYTES;
  }

  /**
   * Opens a stream whose first bytes are `first`; they leave without waiting for the other side.
   * @throws SessionEndedError where the session is over or going away
   * @throws StreamLimitError where 1,024 streams are open
   */
  open(first: Uint8Array): Stream {
    if (this.#endedBy) throw this.#endedBy;
    if (this.#goingAway) throw new SessionEndedError("The other side takes no new streams: it is going away");
    if (this.#streams.size >= MAX_STREAMS) {
      throw new StreamLimitError(`Cannot open a stream: ${MAX_STREAMS} are open already`);
    }
    const stream = new Stream(this, this.#nextId);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    stream.start(first);
    return stream;
  }

  /** Asks the other side for an answer. Never rejects. @returns milliseconds until it arrived; never settles where the session ends first */
  ping(): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    const value = this.#nextPing;
    this.#nextPing = (value + 1) >>> 0;
    this.#pings.set(value, { sentAt: this.now(), answered: resolve });
    this.#frame(FrameType.ping, Flag.syn, 0, value);
    return promise;
  }

  /** Tells the other side to open no more streams; open ones go on. */
  goAway(): void {
    this.#frame(FrameType.goAway, 0, 0, GoAwayCode.normal);
  }

  /** Ends the session once everything written has left; all streams fail. @param code see {@link Transport.close} */
  close(code: number, reason: string): void {
    if (this.#endedBy) return;
    this.goAway();
    this.#flush();
    this.#transport.close(code, reason);
    this.#finish({ code, reason });
  }

  /** Ends the session immediately, for when the other side no longer answers. */
  destroy(error: Error): void {
    if (this.#endedBy) return;
    this.#transport.destroy();
    this.#finish({ code: 1006, reason: "" }, error);
  }

  /** Takes a message from the transport, also one that arrived before the session existed. A protocol error ends the session. */
  receive(message: Uint8Array): void {
    if (this.#endedBy) return;
    this.receivedAt = this.now();
    this.waitingSince = undefined;
    try {
      this.#decoder.push(message);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#breach(error);
    }
  }

  /** Implements {@link FrameReceiver}. */
  header(header: FrameHeader): void {
    if (header.type === FrameType.ping) this.#pinged(header);
    else if (header.type === FrameType.goAway) this.#wentAway(header.length);
    else this.#streamFrame(header);
  }

  /** Implements {@link FrameReceiver}. */
  payload(part: Uint8Array, last: boolean): void {
    const stream = this.#payloadStream;
    if (!stream) return;
    stream.receivedData(part, last);
    if (last && this.#payloadFlags & Flag.fin) stream.receivedFin();
  }

  /** Implements {@link StreamHost}. */
  sendData(stream: Stream, flags: number, bytes: Uint8Array): void {
    this.waitingSince ??= this.now();
    let first = flags;
    for (let at = 0; at < bytes.length; at += MAX_FRAME_BYTES) {
      const part = bytes.length <= MAX_FRAME_BYTES ? bytes : bytes.subarray(at, at + MAX_FRAME_BYTES);
      if (part.length < ALONE_BYTES) {
        this.#copy(stream, first, part);
        release(part);
      } else {
        this.#flush();
        this.#sendAlone(stream, first, part);
      }
      first = 0;
    }
  }

  /** Implements {@link StreamHost}. */
  sendCopy(stream: Stream, bytes: Uint8Array): void {
    this.waitingSince ??= this.now();
    this.#copy(stream, 0, bytes);
  }

  /** Implements {@link StreamHost}. */
  sendControl(stream: Stream, flags: number, credit: number): void {
    if (flags & (Flag.rst | Flag.ack)) this.#boundAnswers();
    this.#frame(FrameType.windowUpdate, flags, stream.id, credit);
  }

  /** Implements {@link StreamHost}. */
  uncongested(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#uncongested.push(resolve);
    return promise;
  }

  /** Implements {@link StreamHost}. */
  forget(stream: Stream): void {
    const wasFull = this.#streams.size === MAX_STREAMS;
    this.#streams.delete(stream.id);
    if (this.#payloadStream === stream) this.#payloadStream = undefined;
    if (wasFull) this.onroom?.();
  }

  #streamFrame(header: FrameHeader): void {
    const { type, flags, streamId, length } = header;
    if (flags & Flag.syn) this.#accept(streamId);
    // An unknown stream was reset here while this was under way: what arrives for it is dropped, as in hashicorp's yamux.
    const stream = this.#streams.get(streamId);
    if (type === FrameType.data) {
      this.#payloadStream = flags & Flag.rst ? undefined : stream;
      this.#payloadFlags = flags;
      if (stream) stream.announced(length);
      if (stream && length === 0 && flags & Flag.fin && !(flags & Flag.rst)) stream.receivedFin();
    } else if (stream) {
      if (length > 0) stream.receivedCredit(length);
      if (flags & Flag.fin && !(flags & Flag.rst)) stream.receivedFin();
    }
    if (flags & Flag.rst) stream?.receivedReset();
  }

  #accept(id: number): void {
    if (id === 0 || id % 2 === this.#nextId % 2) throw new ProtocolError(`Stream id ${id} is not the other side's to open`);
    // Ids need not rise: hashicorp's yamux sends what several goroutines open in any order.
    if (this.#streams.has(id)) throw new ProtocolError(`Stream ${id} was opened a second time`);
    const stream = new Stream(this, id);
    this.#boundAnswers();
    const { onStream } = this.#options;
    if (!onStream || this.#streams.size >= MAX_STREAMS) {
      this.#frame(FrameType.windowUpdate, Flag.rst, id, 0);
      stream.refuse();
      return;
    }
    this.#streams.set(id, stream);
    this.#frame(FrameType.windowUpdate, Flag.ack, id, 0);
    onStream(stream);
  }

  #pinged(header: FrameHeader): void {
    if (header.flags & Flag.syn) {
      this.#boundAnswers();
      this.#frame(FrameType.ping, Flag.ack, 0, header.length);
      return;
    }
    const ping = this.#pings.get(header.length);
    if (!ping) return;
    this.#pings.delete(header.length);
    const ms = this.now() - ping.sentAt;
    this.budget.measured(ms);
    ping.answered(ms);
  }

  #wentAway(code: number): void {
    if (code !== GoAwayCode.normal) {
      return this.destroy(new ProtocolError(`The other side ended the session: go-away code ${code}`));
    }
    // If the transport has ended already, its end says why.
    if (this.#goingAway || this.#transport.ended) return;
    this.#goingAway = true;
    this.#options.onGoAway?.();
  }

  /** Answers pile up only where the other side causes them and reads nothing, which is a flood. */
  #boundAnswers(): void {
    if (this.#transport.buffered > UNREAD_ANSWERS_BYTES) {
      throw new ProtocolError("The other side sends requests without reading the answers");
    }
  }

  #breach(error: ProtocolError): void {
    this.#frame(FrameType.goAway, 0, 0, GoAwayCode.protocolError);
    this.#flush();
    this.#transport.close(1002, error.message);
    this.#finish({ code: 1002, reason: error.message }, error);
  }

  #frame(type: number, flags: number, streamId: number, length: number): void {
    this.#reserve(HEADER_BYTES);
    writeHeader(this.#batch, this.#batchUsed, type, flags, streamId, length);
    this.#batchUsed += HEADER_BYTES;
  }

  #copy(stream: Stream, flags: number, payload: Uint8Array): void {
    const size = HEADER_BYTES + payload.length;
    this.#reserve(size);
    writeHeader(this.#batch, this.#batchUsed, FrameType.data, flags, stream.id, payload.length);
    this.#batch.set(payload, this.#batchUsed + HEADER_BYTES);
    this.#batchUsed += size;
  }

  /** Sends a frame as a message of its own, from where its payload was read. Without headroom for the header the payload is copied. */
  #sendAlone(stream: Stream, flags: number, part: Uint8Array): void {
    let payload = part;
    if (!hasHeadroom(part)) {
      const buffer = takeReadBuffer();
      payload = buffer.subarray(0, part.length);
      payload.set(part);
      release(buffer.subarray(part.length));
      // Last: it may detach the part's memory.
      release(part);
    }
    const message = withRoomBefore(payload, HEADER_BYTES);
    writeHeader(message, 0, FrameType.data, flags, stream.id, payload.length);
    this.#transport.send(message);
  }

  #reserve(bytes: number): void {
    if (this.#batchUsed + bytes > BATCH_BYTES) this.#flush();
    if (!this.#flushing) void this.#flushSoon();
  }

  /** Sends the batch once nothing is added to it any more. Never rejects. */
  async #flushSoon(): Promise<void> {
    this.#flushing = true;
    let used = 0;
    for (let quiet = 0; quiet < QUIET_ROUNDS; quiet++) {
      await null;
      if (this.#batchUsed !== used) quiet = -1;
      used = this.#batchUsed;
    }
    this.#flushing = false;
    this.#flush();
  }

  #flush(): void {
    if (this.#batchUsed === 0) return;
    const used = this.#batchUsed;
    this.#batchUsed = 0;
    if (!this.#endedBy) this.#transport.send(this.#batch.subarray(0, used));
  }

  #drained(): void {
    if (this.#uncongested.length === 0 || this.congested) return;
    const waiting = this.#uncongested;
    this.#uncongested = [];
    for (const go of waiting) go();
  }

  #finish(end: TransportEnd, error?: Error): void {
    if (this.#endedBy) return;
    const why = error?.message ?? (end.reason === "" ? `the connection ended (${end.code})` : end.reason);
    this.#endedBy = new SessionEndedError(`The session is over: ${why}`);
    for (const stream of [...this.#streams.values()]) stream.sessionEnded(this.#endedBy);
    this.#streams.clear();
    for (const go of this.#uncongested) go();
    this.#uncongested = [];
    this.#options.onEnd?.(error ? { transport: end, error } : { transport: end });
  }
}
