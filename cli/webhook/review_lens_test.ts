import assert from "node:assert/strict";
import type { ServedConversion } from "../../k8s/webhook/find_configurations.ts";
import type { ServedConfiguration } from "../../k8s/webhook/hook_configuration.ts";
import { Traffic } from "../port_forward/traffic.ts";
import { reviewLens } from "./review_lens.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function served(kind: "Mutating" | "Validating", path: string, failurePolicy?: string): ServedConfiguration {
  const webhook = { name: "a.io", clientConfig: { service: { name: "s", namespace: "n", path } }, failurePolicy };
  return {
    configuration: { kind: `${kind}WebhookConfiguration`, metadata: { name: "a" }, webhooks: [webhook] },
  } as unknown as ServedConfiguration;
}

const REQUEST = JSON.stringify({
  kind: "AdmissionReview",
  apiVersion: "admission.k8s.io/v1",
  request: {
    uid: "u1",
    kind: { kind: "Pod" },
    resource: { group: "", version: "v1", resource: "pods" },
    name: "web",
    namespace: "dev",
    operation: "CREATE",
    userInfo: { username: "alice" },
    object: {},
    dryRun: false,
  },
});

const answer = (response: unknown) => JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response });
const ALLOWED = answer({ uid: "u1", allowed: true });

/** A clock, its timers, and what is said. */
class Time {
  now = 0;
  readonly lines: string[] = [];
  readonly traffic = new Traffic();
  #timers: { at: number; run: () => void }[] = [];
  readonly #real = { set: globalThis.setTimeout, clear: globalThis.clearTimeout };

  constructor() {
    globalThis.setTimeout = ((run: () => void, ms: number) => {
      const timer = { at: this.now + ms, run };
      this.#timers.push(timer);
      return timer;
    }) as unknown as typeof setTimeout;
    globalThis.clearTimeout = ((timer: unknown) => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    }) as typeof clearTimeout;
  }

  until(now: number): void {
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.now = next.at;
      next.run();
    }
    this.now = now;
  }

  read(served: readonly ServedConfiguration[], { verbose = false, isLive = false } = {}, conversions: readonly ServedConversion[] = []) {
    return reviewLens({ served, conversions })({
      verbose,
      isLive,
      traffic: this.traffic,
      say: (line) => this.lines.push(line),
      now: () => this.now,
      date: () => new Date(2026, 0, 2, 4, 5, 9),
    });
  }

  get timers(): number {
    return this.#timers.length;
  }

  [Symbol.dispose](): void {
    globalThis.setTimeout = this.#real.set;
    globalThis.clearTimeout = this.#real.clear;
  }
}

function ask(time: Time, read: ReturnType<Time["read"]>, path = "/mutate") {
  const reader = read({ method: "POST", target: `${path}?timeout=30s`, since: time.now })!;
  reader.asked(bytes(REQUEST));
  return {
    ...reader,
    left: () => reader.left(),
    ended: (end?: { note: string; isFault: boolean }) => reader.ended(end),
    answer(body = ALLOWED, status = 200) {
      reader.answers(status);
      reader.answered(bytes(body));
      reader.ended();
    },
  };
}

const SUBJECT = "CREATE pods/web in dev by alice";

Deno.test("with -v each review is a line with its outcome", () => {
  using time = new Time();
  const read = time.read([served("Mutating", "/mutate"), served("Validating", "/validate")], { verbose: true });
  const patch = btoa(JSON.stringify([{ op: "add", path: "/a" }, { op: "remove", path: "/b" }]));
  const first = ask(time, read);
  time.until(6.9);
  first.answer(answer({ uid: "u1", allowed: true, patchType: "JSONPatch", patch, warnings: ["x"] }));
  ask(time, read, "/validate").answer(answer({ uid: "u1", allowed: false, status: { message: "no\nway" } }));
  ask(time, read).ended({ note: "caller left", isFault: false });
  assert.deepEqual(time.lines, [
    `04:05:09 ${SUBJECT} -> allowed, 2 patches, 1 warning, 6.9 ms`,
    `04:05:09 ${SUBJECT} -> denied: no, 0.0 ms`,
    `04:05:09 ${SUBJECT} -> caller left, 0.0 ms`,
  ]);
  assert.equal(time.traffic.requests, 3);
  assert.equal(read({ method: "GET", target: "/healthz", since: 0 }), undefined);
});

Deno.test("in a pipe a waiting review is a line after 2 s, 10 s, 20 s, and a late answer says what it missed", () => {
  using time = new Time();
  const read = time.read([served("Mutating", "/mutate"), served("Mutating", "/ignored", "Ignore")]);
  const quick = ask(time, read);
  const slow = ask(time, read);
  time.until(1_000);
  quick.answer();
  const other = ask(time, read, "/ignored");
  time.until(30_000);
  slow.left();
  time.until(47_000);
  slow.answer();
  other.answer();
  assert.deepEqual(time.lines, [
    `waiting 2 s of 30: ${SUBJECT}`,
    `waiting 2 s of 30: ${SUBJECT}`,
    `waiting 10 s of 30: ${SUBJECT}`,
    `waiting 10 s of 30: ${SUBJECT}`,
    `waiting 20 s of 30: ${SUBJECT}`,
    `waiting 20 s of 30: ${SUBJECT}`,
    `the API server gave up after 30 s: ${SUBJECT} was refused; the program is still at it`,
    `answered after 47 s, but the API server gave up after 30 s: ${SUBJECT} was refused`,
    `answered after 46 s, but the API server gave up after 30 s: ${SUBJECT} was allowed`,
  ]);
  assert.equal(time.timers, 0);
});

Deno.test("in a terminal the status line counts the seconds of the oldest review", () => {
  using time = new Time();
  const read = time.read([served("Mutating", "/mutate")], { isLive: true });
  const [first, second] = [ask(time, read), ask(time, read)];
  time.until(1_900);
  assert.equal(time.traffic.waiting, undefined);
  time.until(12_300);
  assert.equal(time.traffic.waiting, `waiting 12 s of 30: ${SUBJECT} (and 1 more)`);
  first.answer();
  assert.equal(time.traffic.waiting, `waiting 12 s of 30: ${SUBJECT}`);
  second.answer();
  assert.equal(time.traffic.waiting, undefined);
  assert.deepEqual([time.lines, time.timers], [[], 0]);
});

Deno.test("each kind of invalid answer is said once, and then counted", () => {
  using time = new Time();
  const read = time.read([served("Mutating", "/mutate"), served("Validating", "/mutate", "Ignore")]);
  for (let i = 0; i < 10; i++) ask(time, read).answer("404 page not found", 404);
  ask(time, read).ended({ note: "closed without an answer", isFault: true });
  const sentence = `invalid answer to ${SUBJECT} (refused or allowed): the HTTP status is 404, not 200: 404 page not found`;
  assert.deepEqual(time.lines, [
    sentence,
    `${sentence}; this was the 10th time`,
    `no answer to ${SUBJECT} (refused or allowed): closed without an answer`,
  ]);
  assert.equal(time.traffic.errors, 11);
});

Deno.test("conversions are followed too, even if their objects are too many to be kept", () => {
  using time = new Time();
  const service = { name: "s", namespace: "n", path: "/convert" };
  const conversion = { strategy: "Webhook", webhook: { clientConfig: { service } } };
  const definition = { spec: { names: { plural: "guestbooks" }, conversion } };
  const read = time.read([], { verbose: true }, [{ definition } as unknown as ServedConversion]);
  const convert = (objects: unknown[], answered: unknown[]) => {
    const reader = read({ method: "POST", target: "/convert", since: time.now })!;
    reader.asked(bytes(JSON.stringify({
      kind: "ConversionReview",
      apiVersion: "apiextensions.k8s.io/v1",
      request: { uid: "u", desiredAPIVersion: "x/v2", objects },
    })));
    reader.answers(200);
    const response = { uid: "u", result: { status: "Success" }, convertedObjects: answered };
    reader.answered(bytes(JSON.stringify({ kind: "ConversionReview", apiVersion: "apiextensions.k8s.io/v1", response })));
    reader.ended();
  };
  const book = (version: string) => ({ apiVersion: `x/${version}`, kind: "Guestbook", metadata: { name: "a" } });
  convert([book("v1"), book("v1"), book("v1")], [book("v2"), book("v2"), book("v2")]);
  convert([book("v1")], []);
  convert(["x".repeat(4e6)], []);
  assert.deepEqual(time.lines, [
    "04:05:09 convert 3 guestbooks to v2 -> converted, 0.0 ms",
    "04:05:09 convert 1 guestbook to v2 -> not a valid answer, 0.0 ms",
    "invalid answer to convert 1 guestbook to v2 (failed): response.convertedObjects has 0 objects, but 1 were to be converted",
    "04:05:09 convert guestbooks -> status 200, 0.0 ms",
  ]);
});
