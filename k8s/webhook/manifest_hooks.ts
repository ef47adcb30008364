/** The webhook configurations of manifests, and their CustomResourceDefinitions with conversion webhooks. Pure. */

import type { DefinitionSpec } from "../api/kubernetes_objects.ts";
import { isObject } from "../api/exact_json.ts";
import type { ManifestProblem } from "../manifests/apply_plan.ts";
import { groupOf } from "../manifests/discovery.ts";
import { ManifestError } from "../manifests/manifest_error.ts";
import { type ManifestObject, nameOf, readObjects } from "../manifests/manifest_objects.ts";
import { readManifest } from "../manifests/manifest_text.ts";
import { HOOK_KINDS, type HookConfiguration, type HookKind } from "./hook_configuration.ts";

/** A manifest's text. */
export interface HookManifest {
  /** As the user named it. */
  readonly name: string;
  readonly text: string;
}

/** A CustomResourceDefinition, from a file or from the cluster. */
export interface ConvertedDefinition {
  readonly metadata: { readonly name: string };
  readonly spec: DefinitionSpec;
}

/** What manifests configure, with the names of the files. */
export interface ManifestHooks {
  readonly configurations: readonly { readonly configuration: HookConfiguration; readonly file: string }[];
  readonly definitions: readonly { readonly definition: ConvertedDefinition; readonly file: string }[];
}

const GROUPS: Readonly<Record<string, string>> = {
  MutatingWebhookConfiguration: "admissionregistration.k8s.io",
  ValidatingWebhookConfiguration: "admissionregistration.k8s.io",
  CustomResourceDefinition: "apiextensions.k8s.io",
};

/** Reads what the manifests say about webhooks, and skips everything else. @throws ManifestError with all problems */
export function readHooks(files: readonly HookManifest[]): ManifestHooks {
  const problems: ManifestProblem[] = [];
  const configurations: ManifestHooks["configurations"][number][] = [];
  const definitions: ManifestHooks["definitions"][number][] = [];
  const places = new Map<string, string>();
  for (const { name: file, text } of files) {
    const manifest = readManifest(text);
    const read = readObjects(manifest, isAboutWebhooks);
    problems.push(...[...manifest.problems, ...read.problems].map((problem) => ({ ...problem, file })));
    for (const object of read.objects) {
      const { kind, name, apiVersion, line } = object;
      const before = places.get(`${kind}/${name}`);
      places.set(`${kind}/${name}`, `${file}:${line}`);
      const found = before === undefined ? problemOf(object) : { field: "metadata.name", what: `this ${kind} is at ${before} too` };
      if (found) problems.push({ file, ...object.place(found.field), what: found.what });
      else if (kind === "CustomResourceDefinition") {
        const { metadata, spec } = object.body as unknown as ConvertedDefinition;
        // A schema may have a null that means something, such as a default.
        const conversion = withoutNulls(spec.conversion) as NonNullable<DefinitionSpec["conversion"]>;
        definitions.push({ definition: { metadata, spec: { ...spec, conversion } }, file });
      } else {
        const { metadata, webhooks = [] } = withoutNulls(object.body) as unknown as HookConfiguration;
        configurations.push({ configuration: { apiVersion, kind: kind as HookKind, metadata, webhooks }, file });
      }
    }
  }
  if (problems.length > 0) throw new ManifestError(problems);
  return { configurations, definitions };
}

function isAboutWebhooks(body: unknown): boolean {
  if (!isObject(body) || typeof body.kind !== "string") return false;
  // Without apiVersion the object is reported.
  const group = typeof body.apiVersion === "string" && body.apiVersion !== "" ? groupOf(body.apiVersion) : GROUPS[body.kind];
  if (group === undefined || GROUPS[body.kind] !== group) return false;
  if (HOOK_KINDS.some((kind) => kind === body.kind)) return true;
  // v1beta1 had webhookClientConfig next to the strategy, so the strategy is at the same place in both.
  return isObject(body.spec) && isObject(body.spec.conversion) && body.spec.conversion.strategy === "Webhook";
}

/** A wrong field and what is wrong with it. */
interface Wrong {
  readonly field: string;
  readonly what: string;
}

function problemOf({ apiVersion, kind, body }: ManifestObject): Wrong | undefined {
  if (!apiVersion.endsWith("/v1")) {
    const what = `Kubernetes 1.22 removed ${apiVersion}: write this ${kind} for ${GROUPS[kind]}/v1, ` +
      "which also requires sideEffects and admissionReviewVersions";
    return { field: "apiVersion", what: kind === "CustomResourceDefinition" ? what.replace(/, which.*/, "") : what };
  }
  if (kind === "CustomResourceDefinition") return wrongIn((body.spec as Record<string, unknown>).conversion, "spec.conversion", CONVERSION);
  const { webhooks } = body;
  if (webhooks === undefined || webhooks === null) return undefined;
  if (!Array.isArray(webhooks)) return { field: "webhooks", what: `webhooks must be a list, not ${nameOf(webhooks)}` };
  for (const [index, hook] of webhooks.entries()) {
    const at = `webhooks[${index}]`;
    const wrong = wrongIn(hook, at, HOOK);
    if (wrong) return wrong;
    const { service, url } = hook.clientConfig;
    if (!service && !url) return { field: `${at}.clientConfig`, what: `${at}.clientConfig has neither service nor url` };
  }
  return undefined;
}

/** What a value must be: a type, a list of such, or a map with these fields, of which `!` marks those that must be there. */
type Shape = "text" | "number" | "map" | readonly [Shape] | { readonly [field: string]: Shape };

const SERVICE: Shape = { "name!": "text", "namespace!": "text", path: "text", port: "number" };
const CLIENT: Shape = { service: SERVICE, url: "text" };
/** The fields that kurun itself reads. The API server checks the rest when the copies are created. */
const HOOK: Shape = {
  "name!": "text",
  "clientConfig!": CLIENT,
  rules: [{ apiGroups: ["text"], apiVersions: ["text"], operations: ["text"], resources: ["text"], scope: "text" }],
  matchConditions: [{ "name!": "text", "expression!": "text" }],
  admissionReviewVersions: ["text"],
  namespaceSelector: "map",
  objectSelector: "map",
  failurePolicy: "text",
  timeoutSeconds: "number",
};
const CONVERSION: Shape = { "webhook!": { "clientConfig!": CLIENT, conversionReviewVersions: ["text"] } };

function wrongIn(value: unknown, field: string, shape: Shape): Wrong | undefined {
  const wrong = (what: string) => ({ field, what: `${field} must be ${what}, not ${nameOf(value)}` });
  if (shape === "text") return typeof value === "string" ? undefined : wrong("text");
  if (shape === "number") return typeof value === "number" ? undefined : wrong("a number");
  if (shape instanceof Array) {
    if (!Array.isArray(value)) return wrong("a list");
    return value.map((item, index) => wrongIn(item, `${field}[${index}]`, shape[0])).find((wrong) => wrong);
  }
  if (!isObject(value)) return wrong("a map");
  for (const [key, inner] of Object.entries(shape === "map" ? {} : shape)) {
    const name = key.replace("!", "");
    const found = value[name];
    if (found === undefined || found === null || found === "") {
      if (key.endsWith("!")) return { field, what: `${field} has no ${name}` };
      continue;
    }
    const wrong = wrongIn(found, `${field}.${name}`, inner);
    if (wrong) return wrong;
  }
  return undefined;
}

/** Null is the same as a field that is left out, for the API server too. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, inner]) => inner === null ? [] : [[key, withoutNulls(inner)]]));
}
