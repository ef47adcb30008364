import { Exchanges } from "../../tunnel/http1/exchanges.ts";
import { Http1Error, type ResponseHead, type Span, textOf } from "../../tunnel/http1/head.ts";
import { formatBytes, shownTarget, type TrafficLine } from "./traffic_line.ts";

/** What a lens needs. */
export interface LensOptions {
  /** The caller's address and port. */
  readonly caller: string;
  /** The connection's protocol where it is known not to be HTTP/1: then the whole connection gets one line. */
  readonly protocol?: "h2" | "tcp" | "tls" | undefined;
  readonly now: () => number;
  /** Takes each line's content. */
  readonly line: (line: TrafficLine) => void;
  /** Says that the lens cannot read a connection, and why. */
  readonly blind: (caller: string, why: string) => void;
}

/** How a connection ended other than by itself. */
export interface LensEnd {
  /** The status that the caller gets where no program answered: 502. */
  readonly status?: number;
  /** What went wrong, in a few words. */
  readonly note: string;
  /** Whether that is an error: a caller may leave at any time. */
  readonly isFault: boolean;
}

/** This much of a target is kept. A target may have 64 KiB, and a caller 256 requests that wait. */
const MAX_TARGET_BYTES = 512;

const NO_ANSWER: LensEnd = { note: "closed without an answer", isFault: true };

/** A request whose answer is awaited or under way. */
interface Exchange {
  readonly method: string;
  readonly target: string;
  readonly since: number;
}

/**
 * Watches the bytes of one caller's connection in both directions, and reports each request. It never changes, holds or delays a byte;
 * where it cannot read them as HTTP/1, it ignores the rest of the connection.
 */
export class HttpLens {
  readonly #options: LensOptions;
  readonly #opened: number;
  readonly #exchanges: Exchanges<Exchange>;
  #mode: "http1" | "connection" | "blind";
  /** In {@link #mode} connection: what the line calls it, and since when. */
  #connection: string;
  #connectionSince: number;
  #forthBytes = 0;
  #backBytes = 0;
  #requestSince = 0;
  /** The first request has been waiting since the connection was opened. */
  #waited = false;
  #answerBytes = 0;

  /** One for each connection. */
  constructor(options: LensOptions) {
    this.#options = options;
    this.#opened = this.#connectionSince = options.now();
    this.#connection = options.protocol ?? "";
    this.#mode = options.protocol ? "connection" : "http1";
    this.#exchanges = new Exchanges({
      request: ({ method, targetSpan }, bytes) => ({ method, target: keptTarget(bytes, targetSpan), since: this.#requestSince }),
      answerBody: (content) => void (this.#answerBytes += content),
      answered: (head, exchange) => this.#answered(head, exchange),
    });
  }

  /** Counts the first request's time from the connection's start: its bytes had to wait until the program was connected. */
  waited(): void {
    this.#waited = true;
  }

  /** Takes bytes from the caller, before they go on; null for the end of them. */
  forth(bytes: Uint8Array | null): void {
    if (!bytes || bytes.length === 0) return;
    this.#forthBytes += bytes.length;
    if (this.#mode !== "http1") return;
    if (this.#exchanges.betweenRequests) this.#requestSince = this.#waited ? this.#opened : this.#options.now();
    this.#waited = false;
    this.#follow(bytes, (at) => this.#exchanges.forth(bytes, at));
  }

  /** Takes bytes to the caller, before they go on; null for the end of them. */
  back(bytes: Uint8Array | null): void {
    if (bytes === null) return this.#backEnded();
    this.#backBytes += bytes.length;
    if (this.#mode !== "http1") return;
    if (this.#forthBytes === 0 && isHttp2Settings(bytes)) {
      this.#mode = "connection";
      this.#connection = "h2";
      return;
    }
    const at = this.#follow(bytes, (at) => this.#exchanges.back(bytes, at));
    // The other protocol's first bytes may arrive right behind the 101.
    if (this.#exchanges.opaque) this.#backBytes = bytes.length - at;
  }

  /** The connection is over. @param end what went wrong, where something did */
  end(end?: LensEnd): void {
    if (this.#mode === "connection") this.#connectionLine(end);
    else if (this.#mode === "http1") this.#lastLines(end);
    this.#mode = "blind";
  }

  /** @returns where in `bytes` it stopped */
  #follow(bytes: Uint8Array, read: (at: number) => number): number {
    let at = 0;
    try {
      while (at < bytes.length && this.#mode === "http1") at = read(at);
    } catch (error) {
      this.#lookAway(error);
    }
    return at;
  }

  #lookAway(error: unknown): void {
    if (error instanceof Http1Error && error.isHttp2 && this.#exchanges.awaited.length === 0) {
      this.#mode = "connection";
      this.#connection = "h2";
      return;
    }
    this.#mode = "blind";
    // A bug in the lens must not stop the bytes.
    this.#options.blind(this.#options.caller, error instanceof Http1Error ? error.message : `a bug in kurun: ${error}`);
  }

  #answered({ status }: ResponseHead, exchange: Exchange | undefined): void {
    this.#line(exchange, status, this.#answerBytes, undefined);
    this.#answerBytes = 0;
    if (!this.#exchanges.opaque) return;
    this.#mode = "connection";
    this.#connection = "upgraded";
    this.#connectionSince = this.#options.now();
    this.#forthBytes = 0;
    this.#backBytes = 0;
  }

  #backEnded(): void {
    if (this.#mode !== "http1") return;
    this.#cutShort(this.#exchanges.answerUntilClose ? undefined : { note: "the program closed the connection", isFault: true });
    this.#unanswered(NO_ANSWER);
  }

  #lastLines(end: LensEnd = NO_ANSWER): void {
    this.#cutShort(end);
    // Where there is no whole head, nobody knows what was asked.
    if (end.status !== undefined && this.#exchanges.awaited.length === 0) {
      return this.#line({ method: "-", target: "-", since: this.#opened }, end.status, 0, end);
    }
    if (this.#exchanges.awaited.length > 0) return this.#unanswered(end);
    if (this.#exchanges.inHead) this.#options.blind(this.#options.caller, "it ended within a head");
  }

  /** The line of an answer that is under way as its direction ends. */
  #cutShort(end: LensEnd | undefined): void {
    const { answer } = this.#exchanges;
    if (!answer) return;
    const exchange = this.#exchanges.abandonAnswer();
    this.#line(exchange, answer.status, this.#answerBytes, end && { ...end, note: `cut short: ${end.note}` });
    this.#answerBytes = 0;
  }

  #unanswered(end: LensEnd): void {
    for (const exchange of this.#exchanges.awaited.splice(0)) this.#line(exchange, end.status, 0, end);
  }

  #line(exchange: Exchange | undefined, status: number | undefined, bytes: number, end: LensEnd | undefined): void {
    const { caller, now, line } = this.#options;
    const ended = now();
    const { method, target, since } = exchange ?? { method: "-", target: "-", since: ended };
    line({ method, target, status, bytes, ms: ended - since, caller, note: end?.note, isFault: end?.isFault ?? false });
  }

  #connectionLine(end: LensEnd | undefined): void {
    const { caller, now, line } = this.#options;
    line({
      method: this.#connection,
      target: "-",
      status: end?.status,
      bytes: this.#backBytes,
      ms: now() - this.#connectionSince,
      caller,
      note: `${formatBytes(this.#forthBytes)} in${end ? `, ${end.note}` : ""}`,
      isConnection: true,
      isFault: end?.isFault ?? false,
    });
  }
}

/** What is shown of a target. Where a user name and password may be cut off, they look like a host: then nothing is shown. */
function keptTarget(bytes: Uint8Array, { start, end }: Span): string {
  if (end - start <= MAX_TARGET_BYTES) return shownTarget(textOf(bytes, { start, end }));
  const cut = textOf(bytes, { start, end: start + MAX_TARGET_BYTES });
  return cut.startsWith("/") ? `${shownTarget(cut).replace(/…$/, "")}…` : "…";
}

/** Whether a program speaks first, with HTTP/2's SETTINGS (RFC 9113, 3.4), as gRPC's servers do. */
function isHttp2Settings(bytes: Uint8Array): boolean {
  return bytes.length >= 9 && bytes[0] === 0 && [...bytes.subarray(3, 9)].join() === "4,0,0,0,0,0";
}
