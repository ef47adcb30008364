import { Exchanges } from "../../tunnel/http1/exchanges.ts";
import { Http1Error, type Span, textOf } from "../../tunnel/http1/head.ts";
import type { ExchangeReader, LensEnd, ReadExchange } from "./exchange_reader.ts";
import { formatBytes, shownTarget, type TrafficLine } from "./traffic_line.ts";

/** Options of {@link HttpLens}. */
export interface LensOptions {
  readonly caller: string;
  /** The connection's protocol if it is known not to be HTTP/1: the whole connection then gets one line. */
  readonly protocol?: "h2" | "tcp" | "tls" | undefined;
  readonly now: () => number;
  /** Chooses the exchanges whose bodies are read. These get no line. */
  readonly read?: ReadExchange | undefined;
  readonly line: (line: TrafficLine) => void;
  /** Says that the lens cannot read a connection, and why. */
  readonly blind: (caller: string, why: string) => void;
}

/** This much of a target is kept. A target may have 64 KiB, and a caller 256 requests that wait. */
const MAX_TARGET_BYTES = 512;

const NO_ANSWER: LensEnd = { note: "closed without an answer", isFault: true };

/** A request whose answer is awaited or under way, or a whole connection that is not HTTP/1. */
interface Exchange {
  readonly method: string;
  readonly target: string;
  readonly since: number;
  readonly reader?: ExchangeReader | undefined;
}

/** Reports each request of a connection from its bytes, which it never changes or delays. If they are not HTTP/1, it ignores the rest. */
export class HttpLens {
  readonly #options: LensOptions;
  readonly #opened: number;
  readonly #exchanges: Exchanges<Exchange>;
  /** Set once the connection is known not to be HTTP/1 (any more): it gets one line at its end. */
  #connection: Exchange | undefined;
  #blind = false;
  #forthBytes = 0;
  #backBytes = 0;
  #requestSince = 0;
  #answerBytes = 0;

  constructor(options: LensOptions) {
    this.#options = options;
    this.#opened = options.now();
    if (options.protocol) this.#connection = { method: options.protocol, target: "-", since: this.#opened };
    const { read } = options;
    let asking: ExchangeReader | undefined;
    this.#exchanges = new Exchanges({
      request: ({ method, targetSpan }, bytes) => {
        const since = this.#requestSince;
        asking = read?.({ method, target: textOf(bytes, targetSpan), since });
        return { method, target: keptTarget(bytes, targetSpan), since, reader: asking };
      },
      ...(read && {
        requestContent: (bytes, start, end) => asking?.asked(bytes.subarray(start, end)),
        answer: ({ status }, exchange) => exchange?.reader?.answers(status),
        answerContent: (bytes, start, end) => this.#exchanges.awaited[0]?.reader?.answered(bytes.subarray(start, end)),
      }),
      answerBody: (content) => void (this.#answerBytes += content),
      answered: ({ status }, exchange) => this.#answered(status, exchange),
    });
  }

  /** Takes bytes from the caller, before they go on; null for the end of them. @param since when the caller began to wait, if that was earlier */
  forth(bytes: Uint8Array | null, since?: number): void {
    if (!bytes || bytes.length === 0) return;
    this.#forthBytes += bytes.length;
    if (!this.#reads) return;
    if (this.#exchanges.betweenRequests) this.#requestSince = since ?? this.#options.now();
    this.#follow(bytes, (at) => this.#exchanges.forth(bytes, at));
  }

  /** Takes bytes to the caller, before they go on; null for the end of them. */
  back(bytes: Uint8Array | null): void {
    if (bytes === null) return this.#backEnded();
    this.#backBytes += bytes.length;
    if (!this.#reads) return;
    if (this.#forthBytes === 0 && isHttp2Settings(bytes)) return this.#isHttp2();
    const at = this.#follow(bytes, (at) => this.#exchanges.back(bytes, at));
    // The other protocol's first bytes may arrive right behind the 101.
    if (this.#exchanges.opaque) this.#backBytes = bytes.length - at;
  }

  /** The caller has stopped waiting. */
  left(): void {
    for (const { reader } of this.#exchanges.awaited) reader?.left();
  }

  /** The connection is over. @param end what went wrong, if anything did */
  end(end?: LensEnd): void {
    if (this.#connection) {
      const note = `${formatBytes(this.#forthBytes)} in${end ? `, ${end.note}` : ""}`;
      this.#line(this.#connection, this.#backBytes, { ...end, note }, true);
    } else if (!this.#blind) this.#lastLines(end);
  }

  get #reads(): boolean {
    return !this.#blind && !this.#connection;
  }

  #isHttp2(): void {
    this.#connection = { method: "h2", target: "-", since: this.#opened };
  }

  /** @returns where in `bytes` it stopped */
  #follow(bytes: Uint8Array, read: (at: number) => number): number {
    let at = 0;
    try {
      while (at < bytes.length && this.#reads) at = read(at);
    } catch (error) {
      const isHttp1 = error instanceof Http1Error;
      if (isHttp1 && error.isHttp2 && this.#exchanges.awaited.length === 0) this.#isHttp2();
      // A bug in the lens must not stop the bytes.
      else this.#lookAway(isHttp1 ? error.message : `a bug in kurun: ${error}`);
    }
    return at;
  }

  #lookAway(why: string): void {
    this.#blind = true;
    for (const { reader } of this.#exchanges.awaited) reader?.ended({ note: `not followed any further: ${why}`, isFault: false });
    this.#options.blind(this.#options.caller, why);
  }

  #answered(status: number, exchange: Exchange | undefined): void {
    this.#line(exchange, this.#answerBytes, { status });
    this.#answerBytes = 0;
    if (!this.#exchanges.opaque) return;
    this.#connection = { method: "upgraded", target: "-", since: this.#options.now() };
    this.#forthBytes = 0;
  }

  #backEnded(): void {
    if (!this.#reads) return;
    this.#cutShort(this.#exchanges.answerUntilClose ? undefined : { note: "the program closed the connection", isFault: true });
    this.#unanswered(NO_ANSWER);
  }

  #lastLines(end: LensEnd = NO_ANSWER): void {
    this.#cutShort(end);
    if (this.#exchanges.awaited.length > 0) this.#unanswered(end);
    // Without a whole head, nobody knows what was asked.
    else if (end.status !== undefined) this.#line({ method: "-", target: "-", since: this.#opened }, 0, end);
    else if (this.#exchanges.inHead) this.#lookAway("it ended within a head");
  }

  /** The line of an answer that is under way as its direction ends. */
  #cutShort(end: LensEnd | undefined): void {
    const { answer } = this.#exchanges;
    if (!answer) return;
    this.#line(this.#exchanges.abandonAnswer(), this.#answerBytes, {
      status: answer.status,
      ...(end ? { note: `cut short: ${end.note}`, isFault: end.isFault } : {}),
    });
    this.#answerBytes = 0;
  }

  #unanswered(end: LensEnd): void {
    for (const exchange of this.#exchanges.awaited.splice(0)) this.#line(exchange, 0, end);
  }

  #line(exchange: Exchange | undefined, bytes: number, { status, note, isFault = false }: Partial<LensEnd>, isConnection = false): void {
    if (exchange?.reader) return exchange.reader.ended(note === undefined ? undefined : { note, isFault, ...(status && { status }) });
    const { caller, now, line } = this.#options;
    const ended = now();
    const { method, target, since } = exchange ?? { method: "-", target: "-", since: ended };
    line({ method, target, status, bytes, ms: ended - since, caller, note, isConnection, isFault });
  }
}

/** What is shown of a target. If a user name and password may be cut off, they look like a host: then nothing is shown. */
function keptTarget(bytes: Uint8Array, { start, end }: Span): string {
  if (end - start <= MAX_TARGET_BYTES) return shownTarget(textOf(bytes, { start, end }));
  const cut = textOf(bytes, { start, end: start + MAX_TARGET_BYTES });
  return cut.startsWith("/") ? `${shownTarget(cut).replace(/…$/, "")}…` : "…";
}

/** Whether a program speaks first, with HTTP/2's SETTINGS (RFC 9113, 3.4), as gRPC's servers do. */
function isHttp2Settings(bytes: Uint8Array): boolean {
  return bytes.length >= 9 && bytes[0] === 0 && [...bytes.subarray(3, 9)].join() === "4,0,0,0,0,0";
}
