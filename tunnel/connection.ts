/**
 * Takes bytes that remain the caller's: when it returns they have been passed on or copied.
 * @returns a promise where the caller must wait before the next call; false where it does not take them
 */
export type SmallSink = (bytes: Uint8Array) => void | false | Promise<void>;

/** Bytes both ways; each direction ends by itself. A socket, or a {@link Stream} of the tunnel. */
export interface Connection {
  /**
   * Waits for the next bytes, which belong to the caller; one reader at a time. Each call confirms that the bytes before were consumed.
   * @returns null when the other side has ended its direction
   */
  read(): Promise<Uint8Array | null>;
  /**
   * Reads as {@link read} does, but gives small pieces to `take` as they arrive, without a copy and a promise for each. Optional.
   * @param take what it throws, or its promise's rejection, rejects the read
   * @returns a larger piece, one that `take` did not take, an empty one, or null at the end
   */
  readSmall?(take: SmallSink): Promise<Uint8Array | null>;
  /** Sends bytes, which belong to the connection from now on. @returns a promise where the caller must wait before it sends more */
  write(bytes: Uint8Array): void | Promise<void>;
  /** Sends a small piece, which remains the caller's. Optional, see {@link readSmall}. */
  writeSmall?(bytes: Uint8Array): void | Promise<void>;
  /** Ends our direction after everything that was written. */
  closeWrite(): void;
  /**
   * Breaks both directions, never with a clean end: the other side must not take half a body for a whole one.
   * @param cause what broke, for a connection that can tell its peer
   */
  reset(cause?: Error): void;
  /** Calls a listener at a break, past ones included, while nobody reads or writes here: a relay waits at its other end. Optional. */
  onFailure?(listener: (error: Error) => void): void;
}

/** How a {@link relay} ended. */
export interface RelayEnd {
  /** Bytes that went from the first connection to the second, and back. */
  readonly forth: number;
  readonly back: number;
  /** What broke; absent where both directions ended cleanly. */
  readonly error?: Error;
}

/** Sees the bytes of a {@link relay} before they go on, and null at the end of a direction. It must not change or keep them, or throw. */
export interface RelayWatch {
  /** Takes bytes from the first connection to the second. */
  forth(bytes: Uint8Array | null): void;
  /** Takes bytes from the second connection to the first. */
  back(bytes: Uint8Array | null): void;
}

/**
 * Joins two connections until both directions have ended. When one breaks, the other is reset.
 * @param first bytes of `a` that were read already
 * @param watch sees the bytes that pass
 */
export async function relay(a: Connection, b: Connection, first?: Uint8Array, watch?: RelayWatch): Promise<RelayEnd> {
  let forth = 0;
  let back = 0;
  let error: Error | undefined;
  const broke = (cause: unknown) => {
    if (error) return;
    error = cause instanceof Error ? cause : new Error(String(cause));
    a.reset(error);
    b.reset(error);
  };
  a.onFailure?.(broke);
  b.onFailure?.(broke);
  await Promise.all([
    pump(a, b, (bytes) => {
      forth += bytes?.length ?? 0;
      watch?.forth(bytes);
    }, first).catch(broke),
    pump(b, a, (bytes) => {
      back += bytes?.length ?? 0;
      watch?.back(bytes);
    }).catch(broke),
  ]);
  return error ? { forth, back, error } : { forth, back };
}

async function pump(from: Connection, to: Connection, moved: (bytes: Uint8Array | null) => void, first?: Uint8Array): Promise<void> {
  const take = (bytes: Uint8Array) => {
    moved(bytes);
    return to.writeSmall?.(bytes);
  };
  const read = () => to.writeSmall && from.readSmall?.(take) || from.read();
  let bytes = first && first.length > 0 ? first : await from.read();
  while (bytes !== null) {
    if (bytes.length > 0) {
      moved(bytes);
      const written = to.write(bytes);
      if (written) await written;
    }
    bytes = await read();
  }
  moved(null);
  to.closeWrite();
}
