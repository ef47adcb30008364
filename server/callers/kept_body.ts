/** How many bytes may be kept at once, of all bodies together. */
export interface Room {
  left: number;
}

/**
 * A request's body that is kept as it comes, as long as there is room for it. What has only been announced takes none: anybody can announce
 * as much as there is.
 */
export class KeptBody {
  readonly #length: number;
  readonly #room: Room;
  /** Grows with what comes; nothing once the body is not kept any more. */
  #bytes: Uint8Array | undefined = new Uint8Array();
  #size = 0;

  /** @param length the body's, in bytes */
  constructor(length: number, room: Room) {
    this.#length = length;
    this.#room = room;
  }

  /** What has come of it; nothing where it was dropped. */
  get bytes(): Uint8Array | undefined {
    return this.#bytes?.subarray(0, this.#size);
  }

  /** The next part, which is copied. Where there is no room the body is dropped. */
  take(part: Uint8Array): void {
    const size = this.#size + part.length;
    const bytes = this.#bytes && size > this.#bytes.length ? this.#grown(this.#bytes, size) : this.#bytes;
    if (!bytes) return this.drop();
    bytes.set(part, this.#size);
    this.#bytes = bytes;
    this.#size = size;
  }

  /** Gives the body up, and its room back. */
  drop(): void {
    this.#room.left += this.#bytes?.length ?? 0;
    this.#bytes = undefined;
  }

  #grown(bytes: Uint8Array, size: number): Uint8Array | undefined {
    const length = Math.min(this.#length, Math.max(size, 2 * bytes.length));
    if (length - bytes.length > this.#room.left) return undefined;
    this.#room.left -= length - bytes.length;
    const grown = new Uint8Array(length);
    grown.set(bytes);
    return grown;
  }
}
