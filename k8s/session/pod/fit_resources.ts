import type { LimitRange, LimitRangeItem, ResourceQuota } from "../../api/kubernetes_objects.ts";
import { RESOURCES } from "../objects/forward_objects.ts";
import type { Resources } from "../objects/session_plan.ts";
import { milliOf } from "../../api/quantity.ts";

type Rule<T> = Omit<T, "metadata">;
const MI = 1024 * 1024 * 1000;
/** The least limits that the server works with. Storage only where the namespace counts it: the server writes nothing but its log. */
const LEAST = { cpu: "100m", memory: "128Mi", "ephemeral-storage": "16Mi" };
const WANTED = {
  requests: { ...RESOURCES.requests, "ephemeral-storage": "16Mi" },
  limits: { ...RESOURCES.limits, "ephemeral-storage": "256Mi" },
};

/**
 * Fits the resources of a Pod with one container to a namespace: limits as high as allowed up to what the server may need, requests as low
 * as allowed down to what it usually needs. Quota that others use counts only if the Pod fits all the same: they may be about to go.
 * @returns undefined if nothing fits
 */
export function fitResources(
  limitRanges: readonly Rule<LimitRange>[],
  quotas: readonly Rule<ResourceQuota>[],
  priorityClass: string,
): Resources | undefined {
  const items = limitRanges.flatMap(({ spec }) => spec?.limits ?? []).filter(({ type }) => type === "Container" || type === "Pod");
  const hard = quotas.filter((quota) => counts(quota, priorityClass)).flatMap(({ spec, status }) =>
    Object.entries(spec?.hard ?? {}).map(([name, amount]) => ({ name, most: milliOf(amount), used: milliOf(status?.used?.[name] ?? "0") }))
  );
  return fit(items, hard.map(({ name, most, used }) => [name, most - used])) ?? fit(items, hard.map(({ name, most }) => [name, most]));
}

function fit(items: readonly LimitRangeItem[], left: readonly (readonly [name: string, milli: number])[]): Resources | undefined {
  const requests: Record<string, string> = {};
  const limits: Record<string, string> = {};
  for (const resource of Object.keys(LEAST) as (keyof typeof LEAST)[]) {
    const unit = resource === "cpu" ? 1 : 1000;
    const all = (field: "min" | "max" | "maxLimitRequestRatio") => items.flatMap((item) => milliOf(item[field]?.[resource] ?? "") || []);
    const room = (...names: string[]) => Math.min(...left.flatMap(([name, milli]) => names.includes(name) ? milli : []));
    const [min, max, ratio] = [Math.max(0, ...all("min")), Math.min(...all("max")), Math.min(...all("maxLimitRequestRatio")) / 1000];
    const [requestsLeft, limitsLeft] = [room(resource, `requests.${resource}`), room(`limits.${resource}`)];
    if (resource === "ephemeral-storage" && min === 0 && Math.min(max, ratio, requestsLeft, limitsLeft) === Infinity) continue;
    const most = Math.min(Math.max(milliOf(WANTED.limits[resource]), min), max, limitsLeft);
    const request = Math.min(Math.max(milliOf(WANTED.requests[resource]), min, Math.ceil(most / ratio / unit) * unit), most, requestsLeft);
    const limit = Math.min(most, Math.floor(request * ratio / unit) * unit);
    if (!(request > 0 && request >= min && limit >= Math.max(min, milliOf(LEAST[resource]), request))) return undefined;
    requests[resource] = written(request);
    limits[resource] = written(limit);
  }
  return { requests, limits };
}

/** Whether a quota counts the Pod, which is neither best effort nor has a deadline of its own. */
function counts({ spec: { scopes = [], scopeSelector } = {} }: Rule<ResourceQuota>, priorityClass: string): boolean {
  const selected = scopeSelector?.matchExpressions ?? [];
  return [...scopes.map((scopeName) => ({ scopeName, operator: "Exists", values: [] })), ...selected].every(
    ({ scopeName, operator, values = [] }) => {
      if (scopeName !== "PriorityClass") return scopeName.startsWith("Not");
      if (operator === "In" || operator === "NotIn") return values.includes(priorityClass) === (operator === "In");
      return (priorityClass !== "") === (operator === "Exists");
    },
  );
}

function written(milli: number): string {
  return milli % MI === 0 ? `${milli / MI}Mi` : milli % 1000 === 0 ? `${milli / 1000}` : `${milli}m`;
}
