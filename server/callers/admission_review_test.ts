import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { allowedReview, parseAdmissionReview } from "./admission_review.ts";

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const review = { kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1", request: { uid: "u-1" } };

Deno.test("an AdmissionReview of either version is known by its kind, and its uid is read wherever it stands", () => {
  assert.deepEqual(parseAdmissionReview(bytes(review)), { apiVersion: "admission.k8s.io/v1", uid: "u-1" });
  const beta = {
    request: { object: { uid: "another", request: { uid: "no" } }, uid: "u-1" },
    kind: review.kind,
    apiVersion: "admission.k8s.io/v1beta1",
  };
  assert.deepEqual(parseAdmissionReview(bytes(beta)), { apiVersion: "admission.k8s.io/v1beta1", uid: "u-1" });
});

for (
  const [name, body] of Object.entries({
    "nothing": "",
    "half of one": JSON.stringify(review).slice(0, -1),
    "a list": [review],
    "null": "null",
    "another kind": { ...review, kind: "ConversionReview" },
    "another version": { ...review, apiVersion: "admission.k8s.io/v2" },
    "a list as version": { ...review, apiVersion: ["admission.k8s.io/v1"] },
    "an answer": { kind: review.kind, apiVersion: review.apiVersion, response: { uid: "u-1" } },
    "no uid": { ...review, request: {} },
    "an empty uid": { ...review, request: { uid: "" } },
    "null as request": { ...review, request: null },
    "a uid that no API server makes": { ...review, request: { uid: "u".repeat(65) } },
    "brackets without end": "[".repeat(1_000_000),
    "brackets deeper than any object": `{"a":${"[".repeat(20_000)}${"]".repeat(20_000)},${JSON.stringify(review).slice(1)}`,
  })
) {
  Deno.test(`no AdmissionReview: ${name}`, () => assert.equal(parseAdmissionReview(bytes(body)), undefined));
}

Deno.test("bytes that are no UTF-8 are no AdmissionReview", () => {
  const text = bytes(review);
  text[text.length - 4] = 0xff;
  assert.equal(parseAdmissionReview(text), undefined);
});

/** JSON as somebody could write it who wants it to be misread: in any spacing, with keys twice, escaped, and deep below. */
class Writer {
  constructor(readonly random: SeededRandom) {}

  review(): string {
    return this.#object(["kind", "apiVersion", "request", "request", "kind", "other", ""], 0);
  }

  #object(keys: readonly string[], depth: number): string {
    const members = Array.from({ length: this.random.below(depth === 0 ? 12 : 6) }, () => {
      const key = this.random.pick(keys);
      return `${this.#string(key)}${this.#space()}:${this.#valueOf(key, depth + 1)}`;
    });
    return `{${this.#space()}${members.join(`,${this.#space()}`)}}`;
  }

  #valueOf(key: string, depth: number): string {
    if (this.random.chance(0.15)) return this.#any(depth);
    if (key === "kind") return this.#string("AdmissionReview");
    if (key === "apiVersion") return this.#string("admission.k8s.io/v1");
    if (key === "request") return this.#object(["uid", "uid", "object", "request"], depth);
    return key === "uid" ? this.#string(this.random.pick(["u-1", "ü\u2028😀", '"}\\', ""])) : this.#any(depth);
  }

  #any(depth: number): string {
    const { random } = this;
    const kind = depth > 5 ? 2 + random.below(3) : random.below(5);
    if (kind === 0) return this.#object(["uid", "kind", "request", '"', "a\\"], depth);
    if (kind === 1) return `[${Array.from({ length: random.below(4) }, () => this.#any(depth + 1)).join(`${this.#space()},`)}]`;
    if (kind === 2) return this.#string(random.pick(["", '\\"', "}]", "uid", "\u0001\n", "😀"]));
    const number = random.pick(["-0", "0", "1e5", "-12.50E-3", "9".repeat(30)]);
    return kind === 3 ? number : random.pick(["true", "false", "null"]);
  }

  #string(text: string): string {
    if (!this.random.chance(0.2)) return JSON.stringify(text);
    return `"${Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, "0")}`).join("")}"`;
  }

  #space(): string {
    return this.random.pick(["", "", " ", "\n\t", "\r\n  "]);
  }
}

/** As JSON.parse has it. */
function expected(text: string): ReturnType<typeof parseAdmissionReview> {
  try {
    const { kind, apiVersion, request } = JSON.parse(text);
    const uid = request?.uid;
    const is = kind === "AdmissionReview" && apiVersion === "admission.k8s.io/v1" && typeof uid === "string" && uid !== "";
    return is ? { apiVersion, uid } : undefined;
  } catch {
    return undefined;
  }
}

Deno.test("a review is read as JSON.parse reads it, however it is written and wherever it is damaged", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new SeededRandom(seed);
  const writer = new Writer(random);
  const seen = { reviews: 0, others: 0 };
  for (let round = 0; round < 20_000; round++) {
    let text = writer.review();
    if (random.chance(0.5)) {
      const at = random.below(text.length + 1);
      text = text.slice(0, at) + random.pick(["", ",", "}", '"', "\\", "0", "-", "t", "\x01", "[", ":", ".", "é"]) +
        text.slice(at + random.below(2));
    }
    const wanted = expected(text.toWellFormed());
    assert.deepEqual(parseAdmissionReview(bytes(text)), wanted, `seed ${seed}: ${text}`);
    seen[wanted ? "reviews" : "others"]++;
  }
  assert.ok(seen.reviews > 200 && seen.others > 500, JSON.stringify(seen));
});

Deno.test("the answer allows, changes nothing, and warns in 120 characters at most, none of them cut in half", () => {
  const answer = JSON.parse(allowedReview({ apiVersion: "admission.k8s.io/v1", uid: 'u"1' }, "😀".repeat(200)));
  assert.deepEqual(answer, {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid: 'u"1', allowed: true, warnings: ["😀".repeat(120)] },
  });
});
