import { Http1Exchanges, type KeepBody } from "./http1_exchanges.ts";
import { Http2Exchanges } from "./http2_exchanges.ts";
import { H2_PREFACE } from "./http2_frames.ts";

/** The bytes that tell HTTP/2 from a request of HTTP/1: `PRI * HTTP/2.0`. */
const TELLING_BYTES = 14;
/** An HTTP/2 program may send its SETTINGS before the caller's first bytes; what sends more before is no HTTP. */
const EARLY_BYTES = 4 * 1024;

/** Follows what one caller's connection carries, once its first bytes tell what that is. */
export class CallerExchanges {
  readonly #keepBody: KeepBody;
  #start: Uint8Array[] = [];
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #started = "";
  #sent = false;
  #http1: Http1Exchanges | undefined;
  #http2: Http2Exchanges | undefined;

  constructor(keepBody: KeepBody) {
    this.#keepBody = keepBody;
  }

  /** Present where it speaks HTTP/2. */
  get http2(): Http2Exchanges | undefined {
    return this.#http2;
  }

  /** Present where it speaks anything else, which is followed as long as it is HTTP/1. */
  get http1(): Http1Exchanges | undefined {
    return this.#http1;
  }

  /** Whether anything has gone to the caller. */
  get sent(): boolean {
    return this.#sent;
  }

  /** Whether nothing is followed any more. */
  get over(): boolean {
    return this.#sent && this.#http1?.lost === true;
  }

  /** Whether all that was asked has been answered, and whole; also where nothing was asked yet. */
  get idle(): boolean {
    if (this.#http2) return false;
    return this.#http1 ? !this.#http1.lost && !this.#http1.asked && !this.#http1.answering : this.#started === "" && !this.#sent;
  }

  /** Bytes from the caller. */
  forth(bytes: Uint8Array): void {
    if (this.#http2) return this.#http2.forth(bytes);
    if (this.#http1) return this.#http1.forth(bytes);
    this.#start.push(bytes.slice());
    for (let i = 0; i < bytes.length && this.#started.length < TELLING_BYTES; i++) this.#started += String.fromCharCode(bytes[i] as number);
    if (this.#started === H2_PREFACE.slice(0, TELLING_BYTES)) this.#http2 = new Http2Exchanges();
    else if (!H2_PREFACE.startsWith(this.#started)) this.#http1 = new Http1Exchanges(this.#keepBody);
    else return;
    this.#decided();
  }

  /** Bytes to the caller. */
  back(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#sent = true;
    if (this.#http2) return this.#http2.back(bytes);
    if (this.#http1) return this.#http1.back(bytes);
    this.#early.push(bytes.slice());
    this.#earlyBytes += bytes.length;
    if (this.#earlyBytes <= EARLY_BYTES) return;
    this.#http1 = new Http1Exchanges(this.#keepBody);
    this.#decided();
  }

  /** Gives up the bodies that are kept. */
  drop(): void {
    this.#http1?.drop();
  }

  #decided(): void {
    const exchanges = this.#http2 ?? this.#http1;
    for (const part of this.#start) exchanges?.forth(part);
    for (const part of this.#early) exchanges?.back(part);
    this.#start = [];
    this.#early = [];
  }
}
