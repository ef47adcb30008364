import type { RequestHead } from "../../tunnel/http1/head.ts";
import { Http1Exchanges } from "./http1_exchanges.ts";
import { H2_PREFACE, Http2Boundary } from "./http2_frames.ts";

/** The first bytes that tell HTTP/2 from an HTTP/1 request: `PRI * HTTP/2.0`. */
const TELLING = H2_PREFACE.slice(0, 14);
/** An HTTP/2 program may send its SETTINGS before the caller's first bytes; whatever sends more than this first is not HTTP. */
const EARLY_BYTES = 4 * 1024;

/** Follows what one caller's connection carries, once its first bytes tell which protocol that is. */
export class CallerExchanges {
  /** Present where the caller speaks HTTP/2. */
  http2: Http2Boundary | undefined;
  /** Present where it speaks anything else, which is followed as long as it is HTTP/1. */
  http1: Http1Exchanges | undefined;
  /** Whether anything has gone to the caller. */
  sent = false;
  readonly #keepsBodyStart: (head: RequestHead) => boolean;
  #start: Uint8Array[] = [];
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #started = "";

  /** @param keepsBodyStart whether the start of an HTTP/1 request's body is kept */
  constructor(keepsBodyStart: (head: RequestHead) => boolean) {
    this.#keepsBodyStart = keepsBodyStart;
  }

  /** Whether nothing is followed any more. */
  get over(): boolean {
    return this.sent && this.http1?.lost === true;
  }

  /** Whether everything that was asked has been answered in full; also where nothing was asked yet. */
  get idle(): boolean {
    if (this.http2) return false;
    return this.http1 ? !this.http1.lost && !this.http1.asked && !this.http1.answering : this.#started === "" && !this.sent;
  }

  /** Takes bytes from the caller. */
  forth(bytes: Uint8Array): void {
    if (this.http2) return;
    if (this.http1) return this.http1.forth(bytes);
    this.#start.push(bytes.slice());
    for (let i = 0; i < bytes.length && this.#started.length < TELLING.length; i++) {
      this.#started += String.fromCharCode(bytes[i] as number);
    }
    if (this.#started === TELLING) this.http2 = new Http2Boundary();
    else if (!TELLING.startsWith(this.#started)) this.http1 = new Http1Exchanges(this.#keepsBodyStart);
    else return;
    this.#decided();
  }

  /** Takes bytes to the caller. */
  back(bytes: Uint8Array): void {
    if (bytes.length > 0) this.sent = true;
    if (this.http2) return this.http2.back(bytes);
    if (this.http1) return this.http1.back(bytes);
    this.#early.push(bytes.slice());
    this.#earlyBytes += bytes.length;
    if (this.#earlyBytes <= EARLY_BYTES) return;
    this.http1 = new Http1Exchanges(this.#keepsBodyStart);
    this.#decided();
  }

  #decided(): void {
    for (const part of this.#start) this.http1?.forth(part);
    for (const part of this.#early) (this.http2 ?? this.http1)?.back(part);
    this.#start = [];
    this.#early = [];
  }
}
