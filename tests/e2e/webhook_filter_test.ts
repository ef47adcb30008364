import assert from "node:assert/strict";
import { filterExpression } from "../../k8s/webhook/filter_expression.ts";
import { guardExpression, mineExpression } from "../../k8s/webhook/guard.ts";
import { HookFilterError, parseFilter } from "../../k8s/webhook/only_filter.ts";
import { type AskedRequest, onlyMatches, randomOnly } from "../filter_reference.ts";
import { SeededRandom } from "../seeded_random.ts";
import { type Ask, askedObjects, type Place, randomAsks, vocabulary } from "./asked_requests.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl } from "./kubernetes.ts";

const SEED = Number(Deno.env.get("KURUN_SEED") ?? Date.now() % 1e9);
const FILTERS = 200;
/** A warning has a digit for each of so many filters. */
const PER_WARNING = 100;
const HOOKS = 40;
/** How many requests of each sort. */
const ROUNDS = 8;
const ADMISSION = "admissionregistration.k8s.io/v1";
const RULES = [{ apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*/*"] }];

/** Values of `--match`, and what they mean. */
const MATCHES: readonly [string, (request: AskedRequest) => boolean][] = [
  ["oldObject == null // created, or connected to", (request) => request.oldObject === undefined],
  ["false ? false : object == null", (request) => request.object === undefined],
  [
    "request.resource.resource == 'pods' || request.resource.resource == 'nodes'",
    ({ resource }) => /^(pods|nodes)$/.test(resource.resource),
  ],
];

/** What a webhook's patch may make of a custom resource: the API server does not check it before the next webhook's conditions. */
const ODD_OBJECTS = [
  "{}",
  "{'metadata': {}}",
  ...["null", "'app'", "{'app': null}", "{'app': 1}"].map((labels) => `{'metadata': {'labels': ${labels}}}`),
];

/** A condition that depends on labels, for each of the odd objects. */
function forOddObjects(condition: string): string {
  return `[${ODD_OBJECTS.map((object) => `[dyn(${object})].exists(object, ${condition}) ? '1' : '0'`).join(", ")}].join('')`;
}

interface TestFilter {
  readonly only: readonly string[];
  readonly match?: (typeof MATCHES)[number];
  readonly expression: string;
}

/** Filters that kurun accepts, with the expressions it makes of them. */
function randomFilters(random: SeededRandom, place: Place): TestFilter[] {
  const filters: TestFilter[] = [];
  while (filters.length < FILTERS) {
    const only = randomOnly(random, vocabulary(place));
    const match = random.chance(0.1) ? { match: random.pick(MATCHES) } : {};
    try {
      filters.push({ only, ...match, expression: filterExpression(parseFilter(only, match.match?.[0])) });
    } catch (error) {
      if (!(error instanceof HookFilterError)) throw error;
    }
  }
  return filters;
}

function matches({ only, match }: TestFilter, request: AskedRequest): boolean {
  return onlyMatches(only, request) && (match?.[1](request) ?? true);
}

/** Sends requests as any user, with warnings even if they are refused. */
class Proxy implements AsyncDisposable {
  private constructor(readonly child: Deno.ChildProcess, readonly url: string) {}

  static async start(): Promise<Proxy> {
    const args = ["proxy", "--port=0", "--disable-filter=true"];
    const child = new Deno.Command("kubectl", { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
    const { value } = await child.stdout.getReader().read();
    const address = /127\.0\.0\.1:\d+/.exec(new TextDecoder().decode(value))?.[0];
    return new Proxy(child, `http://${address}`);
  }

  async ask({ method, path, body, contentType = "application/json", user }: Ask, marks: string[]) {
    const headers = new Headers({ "content-type": contentType });
    headers.set("impersonate-user", String.fromCharCode(...new TextEncoder().encode(user)));
    headers.set("impersonate-group", "system:masters");
    // Not as groups: fetch would send them in one header.
    for (const mark of marks) headers.set(`impersonate-extra-${mark}`, "yes");
    const answer = await fetch(this.url + path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
    return { text: await answer.text(), warnings: answer.headers.get("warning") ?? "" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill();
    await this.child.status;
    await this.child.stdout.cancel().catch(() => {});
  }
}

/** Asks until a configuration has taken effect. @throws after 30 s */
async function until(ask: () => Promise<{ text: string; warnings: string }>, done: RegExp): Promise<void> {
  for (const end = performance.now() + 30_000;;) {
    const { text, warnings } = await ask();
    if (done.test(text) || done.test(warnings)) return;
    assert.ok(performance.now() < end, `the configuration has no effect after 30 s: ${text} ${warnings}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

clusterTest("the API server decides as a plain reading of --only does, in policies and in webhooks' matchConditions", async (namespace) => {
  const random = new SeededRandom(SEED);
  const [{ metadata: { name: node } }] = JSON.parse(await kubectl(["get", "nodes", "-o", "json"])).items;
  const place = { namespace: namespace.name, node };
  const filters = randomFilters(random, place);
  const chunks = Array.from({ length: FILTERS / PER_WARNING }, (_, index) => filters.slice(index * PER_WARNING, (index + 1) * PER_WARNING));
  const asks = Array.from({ length: ROUNDS }, () => randomAsks(random, place)).flat();
  const [first] = asks as [Ask];
  const metadata = { name: namespace.name };
  const marks = { policy: `${namespace.name}-policy`, hooks: `${namespace.name}-hooks` };
  const only = (mark: string) => ({ name: mark, expression: `has(request.userInfo.extra) && '${mark}' in request.userInfo.extra` });
  const odd = ["app", "app=*e*", "app=web"].map((label) => filterExpression(parseFilter([`label=${label}`])));
  // A --match that fails does not count where --only is false.
  odd.push(filterExpression(parseFilter(["kind=Nothing"], "object.nothing.at == 'all'")));
  const session = { namespace: namespace.name, name: "none" };
  const notOwn = mineExpression(session, "true").replace(guardExpression(session), "true");
  const policy = {
    ...{ apiVersion: ADMISSION, kind: "ValidatingAdmissionPolicy", metadata },
    spec: {
      matchConstraints: { resourceRules: RULES },
      matchConditions: [only(marks.policy)],
      // To compile them all in one expression takes four times as long.
      variables: filters.map(({ expression }, index) => ({ name: `f${index}`, expression })),
      validations: [
        ...chunks.map((chunk, index) => ({
          messageExpression: `'part ${index}: ' + [${
            chunk.map((_, at) => `variables.f${index * PER_WARNING + at}`).join(",")
          }].map(b, b ? '1' : '0').join('')`,
        })),
        { messageExpression: `'odd: ' + ${[...odd, notOwn].map(forOddObjects).join(" + ' ' + ")}` },
      ]
        .map((validation) => ({ expression: "false", message: "an expression failed", ...validation })),
    },
  };
  const binding = {
    ...{ apiVersion: ADMISSION, kind: "ValidatingAdmissionPolicyBinding", metadata },
    spec: { policyName: namespace.name, validationActions: ["Warn"] },
  };
  const hook = (name: string, conditions: { name: string; expression: string }[]) => ({
    ...{ name: `${name}.kurun.test`, clientConfig: { url: "https://127.0.0.1:1/" }, sideEffects: "None", rules: RULES },
    ...{ admissionReviewVersions: ["v1"], matchConditions: [only(marks.hooks), ...conditions] },
  });
  // Nobody answers them, so that the error names the first that is called.
  const hooks = filters.slice(0, HOOKS).map(({ expression }, index) =>
    hook(`f${index}`, [only(`f${index}`), { name: "filter", expression }])
  );
  const configuration = { apiVersion: ADMISSION, kind: "MutatingWebhookConfiguration", metadata, webhooks: [...hooks, hook("rest", [])] };

  await using proxy = await Proxy.start();
  try {
    const items = [...askedObjects(place), policy, binding, configuration];
    await kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    // The policy takes effect later: the API server compiles it for some seconds.
    await until(() => proxy.ask(first, [marks.hooks]), /rest\.kurun\.test/);
    for (const ask of asks) {
      const index = random.below(HOOKS);
      const filter = filters[index] as TestFilter;
      const { text } = await proxy.ask(ask, [marks.hooks, `f${index}`]);
      // Of the objects of a collection, which are asked about at the same time, one that is refused ends the request.
      const expected = ask.requests().map((request) => matches(filter, request) ? `f${index}` : "rest");
      const called = /failed calling webhook \\"(\w+)\.kurun\.test\\"/.exec(text)?.[1];
      const what = `seed ${SEED}: ${JSON.stringify(ask)}: ${text}\n${filter.only.join(" ")} ${filter.match?.[0]}`;
      assert.ok(called !== undefined && expected.includes(called), what);
    }

    await until(() => proxy.ask(first, [marks.policy]), /odd: 000011 000000 000000 000000 111111"/);
    let found = 0;
    for (const ask of asks) {
      const { text, warnings } = await proxy.ask(ask, [marks.policy]);
      const created = JSON.parse(text).metadata?.name;
      const requests = ask.requests(created);
      for (const [index, chunk] of chunks.entries()) {
        const expected = requests.map((request) => chunk.map((filter) => matches(filter, request) ? "1" : "0").join("")).sort();
        const seen = [
          ...new Set(Array.from(warnings.matchAll(/part (\d+): ([01]+)/g), ([, part, bits]) => Number(part) === index ? bits : "")),
        ]
          .filter(Boolean).sort();
        const wrong = chunk.filter((_, at) => expected.some((bits, request) => bits[at] !== seen[request]?.[at])).slice(0, 3);
        const what = wrong.map(({ only, match, expression }) => `${only.join(" ")} ${match?.[0] ?? ""}\n${expression}`).join("\n");
        assert.deepEqual(seen, [...new Set(expected)], `seed ${SEED}: ${JSON.stringify(ask)}: ${text}\n${warnings.slice(0, 300)}\n${what}`);
        found += expected.join("").replaceAll("0", "").length;
      }
    }
    assert.ok(found > asks.length * FILTERS / 50, `only ${found} matches`);
  } finally {
    const kinds = "mutatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings";
    await kubectl(["delete", kinds, namespace.name, "--ignore-not-found"]);
  }
});

clusterTest("kurun webhook warns of filters that do not do what they seem to", async (namespace) => {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  const hook = { ...{ name: "a.kurun.test", clientConfig: { service: { name: "hook", namespace: namespace.name } } } };
  const configuration = {
    ...{ apiVersion: ADMISSION, kind: "ValidatingWebhookConfiguration", metadata: { name: namespace.name } },
    webhooks: [{ ...hook, rules: [{ ...RULES[0], resources: ["pods"] }], sideEffects: "None", admissionReviewVersions: ["v1"] }],
  };
  try {
    await Deno.writeTextFile(file, JSON.stringify(configuration));
    const filter = ["--only", "user=alice", "--only", "kind=services", "--only", "kind=Pod", "--match", "object.metadata.name != 'a'"];
    await using kurun = KurunProcess.start(["webhook", "-f", file, "-n", namespace.name, "--dry-run=client", ...filter]);
    assert.equal(await kurun.exit, 0, kurun.stderr);
    assert.match(
      kurun.stderr,
      /^Warning: --only kind=services matches nothing: .*\nWarning: --only user= leaves out .*: Pods of workloads; .*\nWarning: --match fails for DELETE/m,
    );
  } finally {
    await Deno.remove(file);
  }
});
