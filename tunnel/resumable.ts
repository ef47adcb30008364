/**
 * Bytes that survive lost connections: each has an offset, the sender keeps what the receiver has not taken, and on the next stream the
 * receiver says where to continue.
 *
 * The receiver sends 64-bit big-endian offsets: the first says where the sender should begin, and each later one confirms that everything
 * before it was received. The sender ends its direction after the last byte; the receiver ends its own once it has received all bytes.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import { ProtocolError } from "./errors.ts";
import { PieceReader } from "./messages.ts";

const OFFSET_BYTES = 8;
/** The receiver confirms what it has taken after this many bytes. */
const SAY_BYTES = 64 * 1024;
/** Smaller pieces that wait are gathered in blocks: a million lines would otherwise be a million pieces to search. */
const SMALL_BYTES = 4 * 1024;
const BLOCK_BYTES = 16 * 1024;

/** The source of the bytes. */
export interface ResumableSource {
  /** Waits for bytes at an offset that was not taken yet. @returns null at the end @throws where they are lost for good */
  read(offset: number): Promise<Uint8Array | null>;
  /** Notes that everything before `offset` was taken. @throws ProtocolError where it was never sent */
  taken(offset: number): void;
}

/** The destination of the bytes. */
export interface ResumableSink {
  /** How many bytes it has taken. */
  readonly offset: number;
  /** Takes the next bytes. */
  write(bytes: Uint8Array): void | Promise<void>;
  /** Takes the end. */
  end(): void | Promise<void>;
}

/**
 * Sends what the other side has not taken over one stream.
 * @param first bytes of the stream that were read already
 * @returns once the other side has taken everything
 * @throws the error of the stream or of the source that prevents it
 */
export async function sendResumable(stream: Connection, source: ResumableSource, first: Uint8Array): Promise<void> {
  const offsets = new PieceReader(stream, first);
  const start = await nextOffset(offsets);
  if (start === undefined) throw new ProtocolError("The receiver does not say where to begin");
  source.taken(start);
  // The first failure ends both. Not Promise.race with `taking`: until it settles it would keep the results of a million races.
  let failed: (error: unknown) => void = () => {};
  let failure: { readonly error: unknown } | undefined;
  const taking = (async () => {
    for (let offset = await nextOffset(offsets); offset !== undefined; offset = await nextOffset(offsets)) source.taken(offset);
  })();
  taking.catch((error) => {
    failure = { error };
    failed(error);
  });
  for (let at = start;;) {
    const bytes = await new Promise<Uint8Array | null>((resolve, reject) => {
      if (failure) return reject(failure.error);
      failed = reject;
      source.read(at).then(resolve, reject);
    });
    if (bytes === null) break;
    // The stream takes ownership of the bytes, and the source keeps its own.
    const written = stream.write(bytes.slice());
    if (written) await written;
    at += bytes.length;
  }
  stream.closeWrite();
  await taking;
}

/** Receives over one stream after the other; the previous stream, and its last write, is over before the next begins. */
export class ResumableReceiver {
  readonly #sink: ResumableSink;
  #stream: Connection | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(sink: ResumableSink) {
    this.#sink = sink;
  }

  /**
   * Receives over this stream, in place of the previous one.
   * @param first bytes of the stream that were read already
   * @returns once everything was taken @throws the error of the stream or of the sink that prevents it
   */
  async receive(stream: Connection, first: Uint8Array): Promise<void> {
    this.#stream?.reset();
    this.#stream = stream;
    const mine = this.#turn.then(() => take(stream, this.#sink, first));
    this.#turn = mine.catch(() => {});
    await mine;
  }
}

async function take(stream: Connection, sink: ResumableSink, first: Uint8Array): Promise<void> {
  const say = async () => {
    const offset = new Uint8Array(OFFSET_BYTES);
    new DataView(offset.buffer).setBigUint64(0, BigInt(sink.offset));
    await stream.write(offset);
  };
  await say();
  let said = sink.offset;
  for (let bytes = first.length > 0 ? first : await stream.read(); bytes !== null; bytes = await stream.read()) {
    await sink.write(bytes);
    if (sink.offset - said < SAY_BYTES) continue;
    said = sink.offset;
    await say();
  }
  await sink.end();
  await say();
  stream.closeWrite();
}

async function nextOffset(offsets: PieceReader): Promise<number | undefined> {
  const bytes = await offsets.take(OFFSET_BYTES);
  if (!bytes) return undefined;
  const offset = new DataView(bytes.buffer).getBigUint64(0);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new ProtocolError("An offset is beyond all bytes");
  return Number(offset);
}

/** Keeps bytes that were written until the other side has taken them; writers wait while it is full. */
export class ResendBuffer implements ResumableSource {
  readonly #limit: number;
  #chunks: Uint8Array[] = [];
  #block: Uint8Array | undefined;
  #blockUsed = 0;
  /** The offset of the first byte that is kept. */
  #from = 0;
  /** How many bytes were written. */
  written = 0;
  #ended = false;
  #more = Promise.withResolvers<void>();
  #room: (() => void)[] = [];

  /** @param limit writers wait while this many bytes are kept */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds bytes, which belong to the buffer from now on. @returns a promise where the writer must wait before it writes more */
  write(bytes: Uint8Array): void | Promise<void> {
    if (bytes.length > 0) {
      this.#add(bytes);
      this.written += bytes.length;
      this.#tellMore();
    }
    if (this.written - this.#from < this.#limit) return;
    return new Promise((resolve) => this.#room.push(resolve));
  }

  /** Ends the bytes: nothing more will be written. */
  end(): void {
    this.#ended = true;
    this.#tellMore();
  }

  /** Implements {@link ResumableSource}. */
  async read(offset: number): Promise<Uint8Array | null> {
    while (offset >= this.written) {
      if (this.#ended) return null;
      await this.#more.promise;
    }
    let at = this.#from;
    for (const chunk of this.#chunks) {
      if (offset < at + chunk.length) return chunk.subarray(offset - at);
      at += chunk.length;
    }
    return null;
  }

  /** Implements {@link ResumableSource}. */
  taken(offset: number): void {
    if (offset > this.written) throw new ProtocolError(`${offset} bytes were taken of ${this.written}`);
    for (let chunk = this.#chunks[0]; chunk && this.#from < offset; chunk = this.#chunks[0]) {
      const part = Math.min(offset - this.#from, chunk.length);
      this.#from += part;
      if (part === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part);
    }
    if (this.written - this.#from < this.#limit) {
      for (const go of this.#room.splice(0)) go();
    }
  }

  #add(bytes: Uint8Array): void {
    if (bytes.length >= SMALL_BYTES) {
      this.#block = undefined;
      this.#chunks.push(bytes);
      return;
    }
    const last = this.#chunks.at(-1);
    if (last && this.#block && last.buffer === this.#block.buffer && this.#blockUsed + bytes.length <= BLOCK_BYTES) {
      this.#block.set(bytes, this.#blockUsed);
      this.#blockUsed += bytes.length;
      this.#chunks[this.#chunks.length - 1] = this.#block.subarray(last.byteOffset, this.#blockUsed);
      return;
    }
    this.#block = new Uint8Array(BLOCK_BYTES);
    this.#block.set(bytes);
    this.#blockUsed = bytes.length;
    this.#chunks.push(this.#block.subarray(0, bytes.length));
  }

  #tellMore(): void {
    this.#more.resolve();
    this.#more = Promise.withResolvers();
  }
}
