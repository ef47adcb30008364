import { answerWithin, patienceOf } from "../../tunnel/http1/patience.ts";
import { formatSeconds, shownTarget } from "./traffic_line.ts";

/** This much of a request is kept until its answer begins: its head, and the part of an AdmissionReview that says what it is about. */
const KEPT_BYTES = 2 * 1024;
/** A caller that ends its direction sooner than this after its request may still read the answer (half-close), as `nc -N` does. */
const SOON_MS = 100;
/** These probe a port with less patience than people have, again and again. */
const PROBES = /\r\nuser-agent: *(?:kube-probe|GoogleHC|ELB-HealthChecker)/i;
/** The order of the fields is that of Go's encoder (k8s.io/api/admission/v1, AdmissionRequest). */
const REVIEW =
  /"request":\{"uid":"[^"]*","kind":\{[^}]*"kind":"(\w{1,63})"\}.*?(?:"name":"([\w.:-]{0,253})",)?(?:"namespace":"([\w.-]{0,63})",)?"operation":"([A-Z]{1,9})"/s;

/**
 * Notices that a caller goes away before its answer begins. Nothing is parsed until then: a request is what the caller sends after an
 * answer. If it does not look like HTTP/1 then, nothing is reported.
 */
export class AwaitedAnswer {
  /** The request that was not waited for, for people: method, target, and what an AdmissionReview is about. */
  subject = "";
  /** Whether its caller had waited for as long as it had said. */
  gaveUp = false;
  readonly #now: () => number;
  #kept: Uint8Array | undefined;
  #used = 0;
  #awaited = false;
  #since = 0;
  #sentAt = 0;
  /** How long the caller that has gone waited. */
  #patienceMs: number | undefined;

  /** @param now a clock, in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes bytes from the caller. @param since when the caller began to wait, if that was earlier */
  forth(bytes: Uint8Array, since?: number): void {
    const now = this.#now();
    if (!this.#awaited) {
      this.#awaited = true;
      this.#since = since ?? now;
      this.#used = 0;
    }
    this.#sentAt = now;
    const size = Math.min(bytes.length, KEPT_BYTES - this.#used);
    if (size === 0) return;
    this.#kept ??= new Uint8Array(KEPT_BYTES);
    this.#kept.set(size === bytes.length ? bytes : bytes.subarray(0, size), this.#used);
    this.#used += size;
  }

  /** An answer arrives, or a part of it. @returns how late it is, for people, if its caller has gone */
  back(): string | undefined {
    if (!this.#awaited) return undefined;
    this.#awaited = false;
    const patience = this.#patienceMs;
    this.#patienceMs = undefined;
    if (patience === undefined) return undefined;
    const ms = this.#now() - this.#since;
    return `answered after ${formatSeconds(ms)}, ${formatSeconds(ms - patience)} too late`;
  }

  /** The caller has ended its direction, or has broken the connection. @returns what that means, for people, if it awaited an answer */
  left(): string | undefined {
    const now = this.#now();
    if (!this.#awaited || this.#patienceMs !== undefined || now - this.#sentAt < SOON_MS) return undefined;
    const text = new TextDecoder("latin1").decode(this.#kept?.subarray(0, this.#used));
    const [, method, target] = /^([A-Z]+) (\S+) HTTP\/1\.[01]\r\n/.exec(text) ?? [];
    if (!method || !target || PROBES.test(text)) return undefined;
    const waited = now - this.#since;
    const said = patienceOf(target);
    this.gaveUp = said !== undefined && waited >= answerWithin(said);
    this.#patienceMs = said !== undefined && this.gaveUp ? said : waited;
    this.subject = `${method} ${shownTarget(target)}${reviewed(text)}`;
    const who = /\r\nuser-agent: *kube-apiserver/i.test(text) ? "the API server" : "the caller";
    return `${who} ${this.gaveUp ? "gave up" : "went away"} after ${formatSeconds(this.#patienceMs)}; the program is still at it`;
  }
}

/** What an AdmissionReview is about: ` (CREATE ConfigMap default/settings)`. */
function reviewed(text: string): string {
  const [, kind, name, namespace, operation] = REVIEW.exec(text) ?? [];
  if (kind === undefined) return "";
  const object = [namespace, name].filter((part) => part).join("/");
  return ` (${operation} ${kind}${object && ` ${object}`})`;
}
