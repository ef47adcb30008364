import { libc } from "./libc.ts";

const READ_BYTES = 64 * 1024;
/** Reads below this are copied, so that a short line does not keep a whole buffer. */
const COPY_BYTES = 16 * 1024;

/** One end of a pipe or of a terminal, by its number. */
export class Descriptor {
  readonly number: number;
  #closed = false;
  #busy = 0;

  constructor(number: number) {
    this.number = number;
  }

  /** Waits for the next bytes. @returns null at the end, which read(2) on a terminal's controlling side reports as an error */
  async read(): Promise<Uint8Array | null> {
    if (this.#closed) return null;
    const buffer = new Uint8Array(READ_BYTES);
    const size = await this.#during(libc().read(this.number, buffer, BigInt(READ_BYTES)));
    if (size <= 0) return null;
    return size < COPY_BYTES ? buffer.slice(0, size) : buffer.subarray(0, size);
  }

  /** Writes all bytes. @returns whether the other end is still open */
  async write(bytes: Uint8Array): Promise<boolean> {
    const whole = bytes.slice();
    for (let at = 0; at < whole.length;) {
      if (this.#closed) return false;
      const rest = whole.subarray(at);
      const size = await this.#during(libc().write(this.number, rest, BigInt(rest.length)));
      if (size <= 0) return false;
      at += size;
    }
    return true;
  }

  /** Closes it once no call waits in it: until then its number must not be used again. A second call does nothing, for the same reason. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#busy === 0) this.#close();
  }

  async #during(call: Promise<number | bigint>): Promise<number> {
    this.#busy++;
    try {
      return Number(await call);
    } finally {
      if (--this.#busy === 0 && this.#closed) this.#close();
    }
  }

  #close(): void {
    libc().close(this.number);
  }
}
