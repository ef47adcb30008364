/**
 * Generated answers to reviews, and what the API server makes of each.
 *
 *     deno run -A tests/webhook_answers.ts
 *
 * asks the API server's own code (tests/webhook_answers, in Go) and writes tests/webhook_answers/verdicts.txt. Compiling that code takes
 * minutes, so the tests read the file.
 *
 * @module
 */
import { findGo, goBuild } from "./cluster/go.ts";
import { SeededRandom } from "./seeded_random.ts";

const FOLDER = new URL("webhook_answers/", import.meta.url).pathname;
const PROGRAM = new URL("../build/webhook_answers", import.meta.url).pathname;

/** An answer, and what it answers. */
export interface GeneratedAnswer {
  readonly conversion: boolean;
  readonly uid: string;
  readonly version: "v1" | "v1beta1";
  readonly mutating: boolean;
  readonly operation: string;
  readonly objects: readonly Readonly<Record<string, unknown>>[];
  readonly status: number;
  readonly type: string;
  /** With %UID% for the uid of the request. */
  readonly body: string;
}

/** What the API server makes of an answer. */
export interface ApiVerdict {
  /** Why it does not accept it. */
  readonly error?: string;
  readonly allowed: boolean;
  readonly patches: number;
}

/** All answers: always the same. Most are right but for one or two things. */
export function generateAnswers(): GeneratedAnswer[] {
  const random = new SeededRandom(15);
  return Array.from({ length: 1_000 }, () => random.chance(0.25) ? conversion(random) : admission(random));
}

type Fields = Record<string, unknown>;

/** Leaves out a field, or gives it another value. */
function spoil(random: SeededRandom, fields: Fields, values: Readonly<Record<string, readonly unknown[]>>): Fields {
  const spoiled = { ...fields };
  for (let times = random.pick([0, 1, 1, 1, 2]); times > 0; times--) {
    const name = random.pick(Object.keys(values)) ?? "";
    const value = random.pick([undefined, null, ...values[name] ?? []]);
    if (value === undefined) delete spoiled[name];
    else spoiled[name] = value;
  }
  return spoiled;
}

const ANY = ["x", 1, true, [], {}, ""];

function patch(random: SeededRandom): unknown {
  const operations = [
    [],
    null,
    {},
    "x",
    [null],
    [1],
    [{ op: "add", path: "/b", value: 1 }],
    [{ op: "add", path: "/b", value: 1 }, { op: "replace", path: "/a", value: 2 }, { op: "test", path: "/a", value: 2 }],
    [{ op: "remove", path: "/a" }],
    [{ op: "add", value: 1 }],
    [{ op: "frob", path: "/a" }],
    [{ path: "/a" }],
    [{ op: 1, path: "/a" }],
  ];
  const json = JSON.stringify(random.pick(operations));
  return random.pick([btoa(json), btoa(json), btoa(json), btoa(json), btoa("[{"), btoa(json).slice(0, -1), JSON.parse(json), json, "", []]);
}

function admission(random: SeededRandom): GeneratedAnswer {
  const version = random.pick(["v1", "v1", "v1", "v1beta1"] as const);
  const mutating = random.pick([true, true, false]);
  const right = { uid: "%UID%", allowed: random.pick([true, true, false]) };
  const withPatch = random.pick([true, false]) ? { ...right, patch: patch(random), patchType: "JSONPatch" } : right;
  const response = spoil(random, withPatch, {
    uid: ["other", ...ANY],
    allowed: ["true", 1, {}],
    status: [{ message: "no", code: 403 }, { code: "403" }, { code: 1.5 }, { message: 1 }, "no", { reason: [] }, { status: "Success" }],
    patch: [patch(random), 1, {}],
    patchType: ["JSONPatch", "MergePatch", "", 1],
    warnings: [["careful"], "careful", [1], {}],
    auditAnnotations: [{ a: "b" }, { a: 1 }, ["a"], "a"],
  });
  const body = spoil(random, { apiVersion: `admission.k8s.io/${version}`, kind: "AdmissionReview", response }, {
    ...(random.pick([true, false, false]) ? { apiVersion: ["admission.k8s.io/v1beta1", "admission.k8s.io/v1", "v1", 1, ""] } : {}),
    ...(random.pick([true, false, false]) ? { kind: ["Status", "ConversionReview", "admissionreview", 1, ""] } : {}),
    ...(random.pick([true, false, false]) ? { response: ANY } : {}),
    request: [{ uid: "%UID%" }],
  });
  return {
    conversion: false,
    uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
    version,
    mutating,
    operation: random.pick(["CREATE", "UPDATE", "DELETE"]),
    objects: [],
    ...transport(random, body),
  };
}

function conversion(random: SeededRandom): GeneratedAnswer {
  const version = random.pick(["v1", "v1", "v1beta1"] as const);
  const objects = Array.from({ length: 1 + random.below(3) }, (_, index) => ({
    apiVersion: "x.io/v1",
    kind: "Book",
    metadata: { name: `b${index}`, namespace: "shop", uid: `${index}` },
  }));
  const convertedObjects = objects.map((object) =>
    spoil(
      random,
      { ...object, apiVersion: "x.io/v2" },
      random.pick([true, false, false]) ? {} : {
        apiVersion: ["x.io/v1", ""],
        kind: ["book"],
        metadata: [{}, { ...object.metadata, name: "z" }, { ...object.metadata, labels: { a: "b" } }, { ...object.metadata, uid: "9" }],
        spec: [{ a: 1 }],
      },
    )
  );
  const response = spoil(random, { uid: "%UID%", result: { status: "Success" }, convertedObjects }, {
    uid: ["other", ""],
    result: [{ status: "Failed", message: "no" }, { status: "Failed" }, {}, "Success", { status: 1 }],
    convertedObjects: [[], convertedObjects.slice(1), [...convertedObjects, convertedObjects[0]], {}, "x"],
  });
  const body = spoil(random, { apiVersion: `apiextensions.k8s.io/${version}`, kind: "ConversionReview", response }, {
    apiVersion: ["apiextensions.k8s.io/v1", ""],
    kind: ["AdmissionReview", ""],
    request: [{ uid: "%UID%" }],
  });
  return { conversion: true, uid: "u", version, mutating: false, operation: "", objects, ...transport(random, body) };
}

function transport(random: SeededRandom, body: Fields): Pick<GeneratedAnswer, "status" | "type" | "body"> {
  const text = JSON.stringify(body);
  const type = random.pick(["application/json", "application/json", "text/plain; charset=utf-8", ""]);
  if (random.chance(0.9)) return { status: random.pick([200, 200, 200, 201]), type, body: text };
  return random.pick([
    { status: 404, type: "text/plain", body: "404 page not found\n" },
    { status: 500, type, body: text },
    { status: 400, type, body: "bad" },
    { status: 200, type, body: "" },
    { status: 200, type, body: "ok" },
    { status: 200, type, body: "{" },
    { status: 200, type, body: "[]" },
    { status: 200, type, body: "null" },
    { status: 204, type, body: "" },
  ]);
}

/** What the API server made of each generated answer. */
export async function recordedVerdicts(): Promise<ApiVerdict[]> {
  const lines = (await Deno.readTextFile(`${FOLDER}verdicts.txt`)).trimEnd().split("\n");
  if (lines[0] !== await digest()) throw new Error("the answers have changed: deno run -A tests/webhook_answers.ts");
  return lines.slice(1).map((line) => {
    const [, allowed, patches = "0", error] = /^(allowed|denied) ?(\d*)$|^(.*)$/.exec(line) ?? [];
    return { allowed: allowed === "allowed", patches: Number(patches), ...(error ? { error } : {}) };
  });
}

async function digest(): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(generateAnswers()));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function shortened(error: string): string {
  return error.replaceAll("\n", " ").replace(/^conversion webhook for \S+ Kind=BookList /, "").slice(0, 100);
}

async function askApiServer(answers: readonly GeneratedAnswer[]): Promise<ApiVerdict[]> {
  await goBuild(await findGo(), FOLDER, ["-mod=readonly"], PROGRAM, () => {});
  const child = new Deno.Command(PROGRAM, { stdin: "piped", stdout: "piped" }).spawn();
  const written = new Response(answers.map((answer) => `${JSON.stringify(answer)}\n`).join("")).body!.pipeTo(child.stdin);
  const { code, stdout } = await child.output();
  await written;
  if (code !== 0) throw new Error(`webhook_answers ended with exit code ${code}`);
  return new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => JSON.parse(line));
}

if (import.meta.main) {
  const lines = (await askApiServer(generateAnswers())).map(({ error, allowed, patches }) =>
    error === undefined ? allowed ? `allowed ${patches}` : "denied" : shortened(error)
  );
  await Deno.writeTextFile(`${FOLDER}verdicts.txt`, `${await digest()}\n${lines.join("\n")}\n`);
}
