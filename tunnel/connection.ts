/** Bytes both ways, each way ended by itself: a socket, or a {@link Stream} of the tunnel. */
export interface Connection {
  /**
   * Waits for the next bytes, which belong to the caller; one reader at a time. Asking for more says that those before were taken.
   * @returns null when the other side has ended its direction
   */
  read(): Promise<Uint8Array | null>;
  /** Sends bytes, which belong to the connection from here on. @returns a promise where the caller must wait before it sends more */
  write(bytes: Uint8Array): void | Promise<void>;
  /** Ends our direction after all that was written. */
  closeWrite(): void;
  /**
   * Ends both directions as a break, never as a clean end: the other side must not take half a body for a whole one.
   * @param cause what broke, for a connection that can tell its peer
   */
  reset(cause?: Error): void;
  /** Tells of a break that happens while nobody reads or writes, as a writer elsewhere keeps whoever would; connections need not know. */
  onFailure?(listener: (error: Error) => void): void;
}

/** How a {@link relay} ended. */
export interface RelayEnd {
  /** Bytes that went from the first connection to the second, and back. */
  readonly forth: number;
  readonly back: number;
  /** What broke; absent where both directions ended by themselves. */
  readonly error?: Error;
}

/** Is shown the bytes of a {@link relay} before they go on, and null at the end of a direction. It must not change or keep them, or throw. */
export interface RelayWatch {
  /** From the first connection to the second. */
  forth(bytes: Uint8Array | null): void;
  /** And back. */
  back(bytes: Uint8Array | null): void;
}

/**
 * Joins two connections until both directions have ended. When one breaks, so does the other.
 * @param first bytes of `a` that were read already
 * @param watch sees what passes
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
  let bytes = first && first.length > 0 ? first : await from.read();
  while (bytes !== null) {
    moved(bytes);
    const written = to.write(bytes);
    if (written) await written;
    bytes = await from.read();
  }
  moved(null);
  to.closeWrite();
}
