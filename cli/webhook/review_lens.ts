import { concat } from "../../tunnel/bytes.ts";
import { answerWithin, patienceOf } from "../../tunnel/http1/patience.ts";
import type { ServedConversion } from "../../k8s/webhook/find_configurations.ts";
import type { ServedConfiguration } from "../../k8s/webhook/hook_configuration.ts";
import type { ExchangeReader, LensEnd, ReaderOutput, ReadExchange } from "../port_forward/exchange_reader.ts";
import { formatMs, formatSeconds, timeOfDay } from "../port_forward/traffic_line.ts";
import { checkAnswer, type Verdict } from "./review_answer.ts";
import { readAdmission, readConversion, type Review, START_CHARS } from "./review_request.ts";
import { type Waiting, WaitingReviews } from "./waiting_reviews.ts";

/** What is served. */
export interface ReviewLensOptions {
  readonly served: readonly ServedConfiguration[];
  readonly conversions: readonly ServedConversion[];
  /** The policy of all webhooks, if it is not their own. */
  readonly failurePolicy?: string | undefined;
}

/** What is known of the webhooks with one path. */
interface ServedPath {
  /** Undefined if there are webhooks of both kinds. */
  readonly isMutating: boolean | undefined;
  readonly policies: ReadonlySet<string>;
  /** The plural of the kind that is converted, if one is. */
  readonly plural: string | undefined;
}

/** Whether it is a dry run comes within this much of its end. */
const END_BYTES = 2 * 1024;
/** The API server accepts as much in a request. Longer answers are not checked. */
const MAX_BYTES = 3 * 1024 * 1024;
/** So many conversions are kept at a time, whole: anybody in the cluster may ask for one. */
const MAX_CONVERSIONS = 16;

/** Follows the reviews of what is served: who asked what, how long it waits, and what is wrong with the answer. */
export function reviewLens(options: ReviewLensOptions): (output: ReaderOutput) => ReadExchange {
  const paths = servedPaths(options);
  /** How often each kind of problem was seen. */
  const seen = new Map<string, number>();
  return (output) => {
    const shared: Shared = { output, seen, waiting: new WaitingReviews(output), conversions: new Set() };
    return ({ target, since }) => {
      const path = paths.get(target.replace(/\?.*/s, ""));
      return path && new ReviewReader(shared, path, { since, patienceMs: patienceOf(target) });
    };
  };
}

/** What the reviews of a session have in common. */
interface Shared {
  readonly output: ReaderOutput;
  readonly seen: Map<string, number>;
  readonly waiting: WaitingReviews;
  /** Those that are kept whole. */
  readonly conversions: Set<unknown>;
}

function servedPaths({ served, conversions, failurePolicy }: ReviewLensOptions): Map<string, ServedPath> {
  const paths = new Map<string, ServedPath>();
  for (const { configuration: { kind, webhooks } } of served) {
    for (const { clientConfig, failurePolicy: own = "Fail" } of webhooks) {
      const path = clientConfig.service?.path ?? "/";
      const isMutating = kind === "MutatingWebhookConfiguration";
      const before = paths.get(path);
      paths.set(path, {
        isMutating: before && before.isMutating !== isMutating ? undefined : isMutating,
        policies: new Set([...before?.policies ?? [], failurePolicy ?? own]),
        plural: undefined,
      });
    }
  }
  for (const { definition: { spec } } of conversions) {
    const path = spec.conversion?.webhook?.clientConfig?.service?.path ?? "/";
    const before = paths.get(path);
    const plural = before?.plural === undefined ? spec.names.plural : "objects";
    paths.set(path, { isMutating: before?.isMutating, policies: before?.policies ?? new Set(), plural });
  }
  return paths;
}

/** The first bytes of a body, and how many it has. */
class KeptBytes {
  #parts: Uint8Array[] = [];
  #kept = 0;
  size = 0;

  constructor(readonly limit: number) {}

  add(bytes: Uint8Array): void {
    this.size += bytes.length;
    const room = Math.min(this.limit - this.#kept, bytes.length);
    if (room === 0) return;
    this.#parts.push(bytes.slice(0, room));
    this.#kept += room;
  }

  get bytes(): Uint8Array {
    if (this.#parts.length > 1) this.#parts = [concat(...this.#parts)];
    return this.#parts[0] ?? new Uint8Array();
  }
}

class ReviewReader implements ExchangeReader, Waiting {
  readonly since: number;
  readonly patienceMs: number | undefined;
  readonly #start: KeptBytes;
  #end: Uint8Array = new Uint8Array();
  readonly #answer = new KeptBytes(MAX_BYTES);
  #review: Review | undefined;
  #status: number | undefined;
  /** How long the caller that has gone waited, in milliseconds. */
  #leftAfter: number | undefined;

  constructor(readonly shared: Shared, readonly path: ServedPath, { since, patienceMs }: Pick<Waiting, "since" | "patienceMs">) {
    this.since = since;
    this.patienceMs = patienceMs;
    const isWhole = path.plural !== undefined && shared.conversions.size < MAX_CONVERSIONS;
    if (isWhole) shared.conversions.add(this);
    this.#start = new KeptBytes(isWhole ? MAX_BYTES : START_CHARS);
    shared.waiting.add(this);
  }

  asked(bytes: Uint8Array): void {
    this.#start.add(bytes);
    this.#end = bytes.length < END_BYTES ? concat(this.#end.subarray(-END_BYTES), bytes) : bytes.slice(-END_BYTES);
  }

  answers(status: number): void {
    this.#status = status;
    this.shared.waiting.delete(this);
    if (this.patienceMs === undefined || this.#waited < this.patienceMs && !this.#gaveUp) return;
    const took = formatSeconds(this.#waited);
    this.#fail(`answered after ${took}, but the API server gave up after ${formatSeconds(this.patienceMs)}: ${this.#result}`);
  }

  answered(bytes: Uint8Array): void {
    this.#answer.add(bytes);
  }

  left(): void {
    if (this.#status !== undefined || this.#leftAfter !== undefined) return;
    this.#leftAfter = this.#waited;
    this.shared.waiting.delete(this);
    const after = `after ${formatSeconds(this.#gaveUp ? this.patienceMs as number : this.#leftAfter)}`;
    if (this.#gaveUp) this.#fail(`the API server gave up ${after}: ${this.#result}; the program is still at it`);
    else this.shared.output.say(`the caller went away ${after}: ${this.subject}; the program is still at it`);
  }

  ended(end?: LensEnd): void {
    this.shared.waiting.delete(this);
    const { output: { verbose, say, traffic, date }, seen, conversions } = this.shared;
    conversions.delete(this);
    traffic.request();
    const verdict = end ? unanswered(end) : this.#check();
    if (verbose) say(`${timeOfDay(date())} ${this.subject} -> ${verdict.result}, ${formatMs(this.#waited).replace("ms", " ms")}`);
    if (verdict.problem === undefined) return;
    const times = (seen.get(verdict.kind ?? "") ?? 0) + 1;
    seen.set(verdict.kind ?? "", times);
    const sentence = `${end ? "no answer" : "invalid answer"} to ${this.subject} (${this.#outcome}): ${verdict.problem}`;
    traffic.failed(sentence);
    // 10, 100, 1000 and so on.
    if (/^10*$/.test(`${times}`)) say(`${sentence}${times === 1 ? "" : `; this was the ${times}th time`}`);
  }

  get subject(): string {
    const { plural } = this.path;
    return this.#asked?.subject ?? (plural === undefined ? "a request that is not a review" : `convert ${plural}`);
  }

  get #asked(): Review | undefined {
    if (this.#review) return this.#review;
    const { plural } = this.path;
    const text = new TextDecoder().decode(this.#start.bytes);
    const conversion = plural !== undefined && this.#start.size <= this.#start.limit ? readConversion(text, plural) : undefined;
    this.#review = conversion ?? readAdmission(text, new TextDecoder().decode(this.#end));
    return this.#review;
  }

  #check(): Verdict {
    const asked = this.#asked;
    if (!asked) return { result: `status ${this.#status}` };
    const { bytes: body, size } = this.#answer;
    return checkAnswer(asked, { status: this.#status ?? 0, body, size }, this.path.isMutating);
  }

  get #waited(): number {
    return this.shared.output.now() - this.since;
  }

  get #gaveUp(): boolean {
    return this.patienceMs !== undefined && (this.#leftAfter ?? 0) >= answerWithin(this.patienceMs);
  }

  /** What the API server does without a valid answer. */
  get #outcome(): string {
    const { policies } = this.path;
    if (this.#asked?.conversion) return "failed";
    return policies.size > 1 ? "refused or allowed" : policies.has("Ignore") ? "allowed" : "refused";
  }

  get #result(): string {
    return `${this.subject} ${this.#asked?.conversion ? "" : "was "}${this.#outcome}`;
  }

  #fail(sentence: string): void {
    this.shared.output.say(sentence);
    this.shared.output.traffic.failed(sentence);
  }
}

function unanswered({ note, isFault }: LensEnd): Verdict {
  return { result: note, ...(isFault && { problem: note.replace(/^refused: /, ""), kind: note }) };
}
