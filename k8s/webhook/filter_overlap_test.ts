import assert from "node:assert/strict";
import { type AskedRequest, globMatches, onlyMatches, randomGlob, randomOnly, type Vocabulary } from "../../tests/filter_reference.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { type CommonRequest, compareFilters } from "./filter_overlap.ts";
import { commonString } from "./glob_intersection.ts";
import { HookFilterError, parseFilter } from "./only_filter.ts";

const SEED = Number(Deno.env.get("KURUN_SEED") ?? Date.now() % 1e9);

/** Few strings, so that many pairs of filters have some in common. */
const NAMES = ["a", "b", "ab", "ba", "a-b", "b-a", "aab", "abb", "ab-ab"];
const KINDS = [
  "Pod",
  "Namespace",
  "Deployment.apps",
  "Event",
  "Event.events.k8s.io",
  "pods",
  "pods/exec",
  "namespaces",
  "events.events.k8s.io",
];
const VOCABULARY: Vocabulary = {
  namespace: NAMES,
  name: NAMES,
  user: NAMES,
  kind: KINDS,
  label: ["a", "b"].flatMap((key) => ["", ...NAMES].map((value) => `${key}=${value}`)),
};

const TYPES: readonly Pick<AskedRequest, "kind" | "resource" | "subResource">[] = [
  { kind: { group: "", kind: "Pod" }, resource: { group: "", resource: "pods" } },
  { kind: { group: "", kind: "PodExecOptions" }, resource: { group: "", resource: "pods" }, subResource: "exec" },
  { kind: { group: "", kind: "Namespace" }, resource: { group: "", resource: "namespaces" } },
  { kind: { group: "apps", kind: "Deployment" }, resource: { group: "apps", resource: "deployments" } },
  { kind: { group: "", kind: "Event" }, resource: { group: "", resource: "events" } },
  { kind: { group: "events.k8s.io", kind: "Event" }, resource: { group: "events.k8s.io", resource: "events" } },
];

function randomRequest(random: SeededRandom): AskedRequest {
  const type = random.pick(TYPES);
  const name = random.pick(NAMES);
  const labels = Object.fromEntries(["a", "b"].filter(() => random.chance(0.7)).map((key) => [key, random.pick(["", ...NAMES])]));
  const namespace = type.kind.kind === "Namespace" ? name : random.pick(NAMES);
  return { ...type, name, namespace, userInfo: { username: random.pick(NAMES) }, object: { metadata: { name, labels } } };
}

function asked({ kind = "", group, resource, subresource, name, namespace, labels, user }: CommonRequest): AskedRequest {
  return {
    kind: { group, kind },
    resource: { group, resource },
    userInfo: user === undefined ? {} : { username: user },
    object: { metadata: { labels: { ...labels } } },
    ...(subresource === undefined ? {} : { subResource: subresource }),
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

Deno.test("filters that are disjoint have no request in common, and the example of an overlap matches both", () => {
  const random = new SeededRandom(SEED);
  const requests = Array.from({ length: 400 }, () => randomRequest(random));
  const found = { disjoint: 0, overlap: 0, unknown: 0 };
  while (found.disjoint + found.overlap + found.unknown < 1_500) {
    const [a, b] = [randomOnly(random, VOCABULARY), randomOnly(random, VOCABULARY)];
    let comparison;
    try {
      comparison = compareFilters(parseFilter(a), parseFilter(b));
    } catch (error) {
      if (error instanceof HookFilterError) continue;
      throw error;
    }
    found[comparison.is]++;
    const what = `seed ${SEED}: ${a.join(" ")} | ${b.join(" ")}: ${JSON.stringify(comparison)}`;
    if (comparison.is === "disjoint") {
      const both = requests.find((request) => onlyMatches(a, request) && onlyMatches(b, request));
      assert.equal(both, undefined, `${what}, but both match ${JSON.stringify(both)}`);
    }
    if (comparison.is === "overlap") {
      assert.ok(onlyMatches(a, asked(comparison.request)) && onlyMatches(b, asked(comparison.request)), what);
    }
  }
  assert.ok(found.disjoint > 200 && found.overlap > 200 && found.unknown < 400, JSON.stringify(found));
});

Deno.test("two globs have a string in common exactly if one of all short strings matches both", () => {
  const random = new SeededRandom(SEED);
  let texts = [""];
  const all = Array.from({ length: 5 }, () => texts = texts.flatMap((text) => ["a", "b", "-", "x"].map((letter) => text + letter))).flat();
  for (let round = 0; round < 300; round++) {
    const lists = [0, 1].map(() => Array.from({ length: 1 + random.below(2) }, () => randomGlob(random, random.pick(NAMES))));
    const rules = { minLength: 1, maxLength: 5, ...(random.chance(0.5) ? { edge: /[a-z]/ } : {}) };
    const brute = all.find((text) =>
      lists.every((globs) => globs.some((glob) => globMatches(glob, text))) && (!rules.edge || /^[a-z](.*[a-z])?$/.test(text))
    );
    const found = commonString(lists, rules);
    const what = `seed ${SEED}: ${lists.join(" | ")}: ${JSON.stringify(found)}, ${brute}`;
    assert.equal((found as { text: string } | undefined)?.text.length, brute?.length, what);
    if (brute !== undefined) {
      assert.ok(lists.every((globs) => globs.some((glob) => globMatches(glob, (found as { text: string }).text))), what);
    }
  }
});

Deno.test("an overlap is told by an example, and what cannot be decided is unknown", () => {
  const compare = (a: string[], b: string[], match?: string) => {
    const comparison = compareFilters(parseFilter(a, match), parseFilter(b));
    return comparison.is === "overlap" ? comparison.example : comparison.is;
  };
  assert.equal(compare(["namespace=dev-*"], ["namespace=*-alice", "name=web-*"]), "a Pod named web-x in dev-alice");
  assert.equal(compare(["label=app=web", "user=alice"], ["label=tier", "kind=ingresses"]), "ingresses with app=web,tier= by alice");
  assert.equal(compare(["kind=Ingress"], ["kind=ingresses.networking.k8s.io"]), "an Ingress.networking.k8s.io");
  assert.equal(compare(["kind=pods/exec"], ["kind=pods"]), "pods/exec");
  assert.equal(compare(["kind=Namespace", "namespace=dev-*"], ["name=*-b"]), "a Namespace named dev-b");
  assert.equal(compare([], []), "a Pod");
  assert.equal(compare(["kind=Pod"], ["kind=Service", "kind=Secret"]), "disjoint");
  assert.equal(compare(["kind=pods/exec"], ["kind=pods/log"]), "disjoint");
  assert.equal(compare(["kind=Deployment.apps"], ["kind=Deployment.x.io"]), "disjoint");
  assert.equal(compare(["label=app=a*"], ["label=app=b*"]), "disjoint");
  assert.equal(compare([`namespace=${"a".repeat(40)}*`], [`namespace=*${"b".repeat(40)}`]), "disjoint");
  assert.equal(compare(["kind=Scale"], ["kind=deployments"]), "unknown");
  assert.equal(compare([], [], "object != null"), "unknown");
  assert.equal(compare(["user=alice"], ["user=bob"], "object != null"), "disjoint");
  const product = compare([`user=${"*ab".repeat(200)}`], [`user=${"*ba*a".repeat(200)}`, `user=${"*bb*a".repeat(200)}`]);
  assert.equal(product, "unknown");
});
