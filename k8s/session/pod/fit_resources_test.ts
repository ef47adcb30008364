import assert from "node:assert/strict";
import { SeededRandom } from "../../../tests/seeded_random.ts";
import { milliOf } from "../../api/quantity.ts";
import type { LimitRange, ResourceQuota } from "../../api/kubernetes_objects.ts";
import { RESOURCES } from "../objects/forward_objects.ts";
import type { Resources } from "../objects/session_plan.ts";
import { fitResources } from "./fit_resources.ts";

type Item = NonNullable<LimitRange["spec"]>["limits"][number];

Deno.test("a quantity is read as Kubernetes reads it, in thousandths and rounded up", () => {
  const cases = {
    "20m": 20,
    "2": 2000,
    "1.5": 1500,
    "0.0001": 1,
    "1e3": 1e6,
    "4.35": 4350,
    "1k": 1e6,
    "100u": 1,
    "1Mi": 1048576000,
    "1E": 1e21,
  };
  for (const [text, milli] of Object.entries(cases)) assert.equal(milliOf(text), milli, text);
  for (const text of ["", "x", "1Q", "Mi"]) assert.ok(Number.isNaN(milliOf(text)), text);
});

/** What the API server's admission (LimitRanger, ResourceQuota) says against a Pod with one container; "" if nothing. */
function refusal(resources: Resources, items: readonly Item[], quotas: readonly ResourceQuota[]): string {
  for (const { min = {}, max = {}, maxLimitRequestRatio = {} } of items) {
    for (const resource of Object.keys({ ...min, ...max, ...maxLimitRequestRatio })) {
      const [request, limit] = [milliOf(resources.requests[resource] ?? ""), milliOf(resources.limits[resource] ?? "")];
      const [least, most, ratio] = [min, max, maxLimitRequestRatio].map((rule) => milliOf(rule[resource] ?? ""));
      // No comparison with NaN holds: a rule that is not there is kept.
      if (least! > 0 && !(request >= least! && limit >= least!)) return `minimum ${resource}`;
      if (most! >= 0 && !(request <= most! && limit <= most!)) return `maximum ${resource}`;
      if (ratio! > 0 && !(request > 0 && limit / request * 1000 <= ratio!)) return `ratio ${resource}`;
    }
  }
  for (const { spec, status } of quotas) {
    for (const [name, hard] of Object.entries(spec?.hard ?? {})) {
      const [, of = "requests", resource = ""] = /^(?:(requests|limits)\.)?(.*)$/.exec(name)!;
      const asked = milliOf(resources[of as "requests"][resource] ?? "");
      if (!(asked + milliOf(status?.used?.[name] ?? "0") <= milliOf(hard))) return `quota ${name}`;
    }
  }
  return "";
}

const AMOUNTS = {
  cpu: ["10m", "50m", "200m", "1", "4"],
  memory: ["64Mi", "100Mi", "256Mi", "512M", "2Gi"],
  "ephemeral-storage": ["1Gi", "20M"],
};

function randomRules(random: SeededRandom): { items: Item[]; quotas: ResourceQuota[] } {
  const names = ["cpu", "memory", "ephemeral-storage"] as const;
  const some = <T>(chance: number, value: (name: typeof names[number]) => T) =>
    Object.fromEntries(names.filter(() => random.chance(chance)).map((name) => [name, value(name)]));
  const amounts = (chance: number) => some(chance, (name) => random.pick(AMOUNTS[name]));
  const items = Array.from({ length: random.below(3) }, () => ({
    type: random.pick(["Container", "Pod", "PersistentVolumeClaim"]),
    min: random.chance(0.5) ? {} : amounts(0.3),
    max: amounts(0.4),
    maxLimitRequestRatio: some(0.3, () => random.pick(["1", "1500m", "3", "4", "10", "100"])),
  }));
  const quotas = Array.from({ length: random.below(3) }, (): ResourceQuota => {
    const hard = Object.fromEntries(
      ["requests.", "limits.", ""].flatMap((prefix) => Object.entries(amounts(0.2)).map(([name, amount]) => [`${prefix}${name}`, amount])),
    );
    const used = Object.fromEntries(Object.entries(hard).filter(() => random.chance(0.3)).map(([name]) => [name, "5m"]));
    return { metadata: { name: "q", uid: "q" }, spec: { hard }, status: { hard, used } };
  });
  return { items, quotas };
}

/** Every pair of a request and a limit that is worth trying for a resource: next to each bound of the rules, and next to a ratio of one. */
function* candidates(items: readonly Item[], quotas: readonly ResourceQuota[], resource: string, least: number) {
  const bounds = items.flatMap(({ min, max }) => [min?.[resource], max?.[resource]].flatMap((text) => text ? [milliOf(text)] : []));
  const left = quotas.flatMap(({ spec, status }) =>
    Object.entries(spec?.hard ?? {}).map(([name, hard]) => milliOf(hard) - milliOf(status?.used?.[name] ?? "0"))
  );
  const unit = resource === "cpu" ? 1 : 1000;
  const limits = [least, ...bounds, ...left].flatMap((bound) => [bound, Math.floor(bound / unit) * unit]).filter((bound) => bound >= least);
  const ratios = items.flatMap(({ maxLimitRequestRatio }) => maxLimitRequestRatio?.[resource] ?? []).map((text) => milliOf(text) / 1000);
  for (const limit of limits) {
    for (const request of [limit, ...bounds, ...left, ...ratios.map((ratio) => Math.ceil(limit / ratio / unit) * unit)]) {
      if (request > 0 && request <= limit) yield { requests: { [resource]: `${request}m` }, limits: { [resource]: `${limit}m` } };
    }
  }
}

Deno.test("fitted resources are admitted, and where none are found there are none", () => {
  const random = new SeededRandom(14);
  const seen = { usual: 0, fitted: 0, none: 0 };
  for (let round = 0; round < 3000; round++) {
    const { items, quotas } = randomRules(random);
    const fitted = fitResources([{ spec: { limits: items } }], quotas, "");
    const counted = items.filter(({ type }) => type !== "PersistentVolumeClaim");
    const shown = JSON.stringify({ fitted, items, quotas });
    const idle = quotas.map((quota) => ({ ...quota, status: { used: {} } }));
    if (fitted) {
      // A quota that others use may get room.
      assert.equal(refusal(fitted, counted, idle), "", shown);
      const isUsual = JSON.stringify(fitted) === JSON.stringify(RESOURCES);
      seen[isUsual ? "usual" : "fitted"]++;
      if (!isUsual) assert.notEqual(refusal(RESOURCES, counted, quotas), "", shown);
      continue;
    }
    seen.none++;
    const least = { cpu: 100, memory: 128 * 1024 * 1024 * 1000, "ephemeral-storage": 16 * 1024 * 1024 * 1000 };
    const impossible = Object.entries(least).some(([resource, least]) => {
      const about = (name: string) => name.split(".").at(-1) === resource;
      const only = <T>(rule: Readonly<Record<string, T>> = {}) => Object.fromEntries(Object.entries(rule).filter(([name]) => about(name)));
      const item = ({ type, min, max, maxLimitRequestRatio }: Item) => ({
        type,
        min: only(min),
        max: only(max),
        maxLimitRequestRatio: only(maxLimitRequestRatio),
      });
      const mine = counted.map(item);
      const theirs = idle.map((quota) => ({ ...quota, spec: { hard: only(quota.spec?.hard) } }));
      return ![...candidates(mine, theirs, resource, least)].some((resources) => refusal(resources, mine, theirs) === "");
    });
    assert.ok(impossible, shown);
  }
  for (const [what, times] of Object.entries(seen)) assert.ok(times > 200, `${what}: ${times}`);
});

Deno.test("quota that others use is left to them if the Pod fits next to them, and ignored if it does not", () => {
  const quota = (used: string): ResourceQuota => ({
    metadata: { name: "q", uid: "q" },
    spec: { hard: { "limits.memory": "1Gi" } },
    status: { used: { "limits.memory": used } },
  });
  const memory = (used: string) => fitResources([], [quota(used)], "")?.limits.memory;
  assert.deepEqual(["0", "512Mi", "1000Mi"].map(memory), ["640Mi", "512Mi", "640Mi"]);
});

Deno.test("only quotas whose scopes the Pod is in count", () => {
  const limit = (spec: NonNullable<ResourceQuota["spec"]>, priorityClass = "") =>
    fitResources([], [{ spec: { hard: { "limits.cpu": "1" }, ...spec } }], priorityClass)?.limits.cpu;
  const selects = (operator: string, ...values: string[]) => ({
    scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator, values }] },
  });
  for (const scopes of [["NotTerminating"], ["NotBestEffort"], []]) assert.equal(limit({ scopes }), "1");
  for (const scopes of [["Terminating"], ["BestEffort"], ["PriorityClass"], ["NotBestEffort", "Terminating"]]) {
    assert.equal(limit({ scopes }), "2");
  }
  assert.equal(limit(selects("In", "high"), "high"), "1");
  assert.equal(limit(selects("In", "high")), "2");
  assert.equal(limit(selects("NotIn", "high")), "1");
  assert.equal(limit(selects("Exists"), "low"), "1");
  assert.equal(limit(selects("DoesNotExist"), "low"), "2");
});
