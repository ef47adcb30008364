import type { Context } from "../command/context.ts";
import type { Traffic } from "./traffic.ts";

/** How a connection, or an exchange, ended other than by itself. */
export interface LensEnd {
  /** The status that the caller gets if no program answered: 502. */
  readonly status?: number;
  /** What went wrong, in a few words. */
  readonly note: string;
  /** Whether that is an error: a caller may leave at any time. */
  readonly isFault: boolean;
}

/** Reads one request and its answer. It is called before the bytes go on, and must neither keep nor change them. */
export interface ExchangeReader {
  /** Content of the request's body. */
  asked(bytes: Uint8Array): void;
  /** The answer begins. */
  answers(status: number): void;
  /** Content of the answer's body. */
  answered(bytes: Uint8Array): void;
  /** The caller has stopped waiting; the answer may still come. */
  left(): void;
  /** The exchange is over. @param end what went wrong, if anything did */
  ended(end?: LensEnd): void;
}

/** Chooses what reads an exchange, by its request. @returns undefined if nothing does */
export type ReadExchange = (
  request: {
    readonly method: string;
    readonly target: string;
    /** When the caller began to wait, by {@link Context.now}. */
    readonly since: number;
  },
) => ExchangeReader | undefined;

/** What readers report to. */
export interface ReaderOutput extends Pick<Context, "now" | "date"> {
  readonly verbose: boolean;
  readonly traffic: Traffic;
  /** Prints a line. */
  readonly say: (line: string) => void;
  /** Whether {@link Traffic.waiting} is shown. */
  readonly isLive: boolean;
}
