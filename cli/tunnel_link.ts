import {
  handshakeAsClient,
  type HandshakeError,
  type HandshakeOptions,
  keepAlive,
  Session,
  type Stream,
  type Transport,
} from "../tunnel/mod.ts";
import { pause } from "./pause.ts";

/** Close codes of the server that say not to dial again. */
const REPLACED = 4001;
/** The first redial comes after this at most, doubling up to the second. */
const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 2_000;
/** A connection that lasted this long starts the pauses anew; one that is cut at once must not be dialled without end. */
const LASTING_MS = 5_000;
const HANDSHAKE_MS = 5_000;

/** What a {@link holdTunnel} needs. */
export interface TunnelLinkOptions {
  /** Opens a transport to the server; fresh credentials at each call. */
  readonly dial: (signal: AbortSignal) => Promise<Transport>;
  readonly handshake: Omit<HandshakeOptions, "signal">;
  readonly onStream: (stream: Stream) => void;
  /** Told whenever the link's state changes. */
  readonly onState: (state: LinkState) => void;
  /** Whether an error of a dial means that there is no use in dialling again. */
  readonly isFinal: (error: unknown) => boolean;
  readonly now: () => number;
  /** A number from 0 to 1, for jitter. */
  readonly chance: () => number;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** What the link is doing. */
export type LinkState = { readonly is: "connected" } | { readonly is: "lost"; readonly why: string } | {
  readonly is: "failed";
  readonly why: string;
};

/** Somebody else's client took the session over. */
export class ReplacedError extends Error {
  override readonly name = "ReplacedError";
}

/** Keeps a session with the server, dialling again whenever it is lost. @returns when aborted @throws ReplacedError, or a final error of a dial */
export async function holdTunnel(options: TunnelLinkOptions): Promise<void> {
  let failures = 0;
  while (!options.signal.aborted) {
    try {
      const { ended } = await connectOnce(options);
      const since = options.now();
      options.onState({ is: "connected" });
      const end = await ended;
      if (options.signal.aborted) return;
      if (end.code === REPLACED) throw new ReplacedError(end.reason);
      if (options.now() - since >= LASTING_MS) failures = 0;
      options.onState({ is: "lost", why: end.why });
    } catch (error) {
      if (options.signal.aborted) return;
      if (error instanceof ReplacedError || options.isFinal(error)) throw error;
      options.onState({ is: "failed", why: (error as Error).message });
    }
    await pause(delay(failures++, options.chance()), options.signal);
  }
}

/** The time before the next dial: doubles, with jitter so that many clients do not come at once. */
export function delay(failures: number, chance: number): number {
  return Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 10)) * (0.5 + chance / 2);
}

interface LinkEnd {
  readonly code: number;
  readonly reason: string;
  readonly why: string;
}

async function connectOnce(options: TunnelLinkOptions): Promise<{ ended: Promise<LinkEnd> }> {
  const transport = await options.dial(options.signal);
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(HANDSHAKE_MS)]);
  const handshaken = await handshakeAsClient(transport, { ...options.handshake, signal }).catch((error: HandshakeError) => {
    transport.destroy();
    throw error;
  });
  const ended = Promise.withResolvers<LinkEnd>();
  const session = new Session(transport, {
    role: "client",
    now: options.now,
    onStream: options.onStream,
    onEnd: ({ transport: { code, reason }, error }) => {
      ended.resolve({ code, reason, why: error?.message ?? (reason === "" ? "the connection broke" : reason) });
    },
  });
  for (const message of handshaken.rest) session.receive(message);
  const stopWatching = keepAlive(session);
  const close = () => session.close(1000, "the client leaves");
  options.signal.addEventListener("abort", close);
  ended.promise.finally(() => {
    stopWatching();
    options.signal.removeEventListener("abort", close);
  });
  return { ended: ended.promise };
}
