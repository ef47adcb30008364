/**
 * Which webhooks to serve: those in manifests, those with given names in the cluster, or those that call the Service of a namespace.
 *
 * @module
 */
import type { Api } from "../api/api.ts";
import { ApiError, onStatus } from "../api/api_error.ts";
import type { Definition, MutatingWebhooks, ValidatingWebhooks } from "../api/kubernetes_objects.ts";
import { SESSION_LABEL } from "../session/objects/session_plan.ts";
import { conversionRecord, definitionPath } from "./conversion.ts";
import {
  type Hook,
  HOOK_KINDS,
  type HookConfiguration,
  type HookKind,
  hookPath,
  type LiveHookConfiguration,
  type ServedConfiguration,
} from "./hook_configuration.ts";
import { type ConvertedDefinition, type HookManifest, type ManifestHooks, readHooks } from "./manifest_hooks.ts";

/** Where to look. Without manifests and names, everything that calls the Service of the namespace is meant. */
export interface HookSearch {
  /** The manifests that the user named, already read. */
  readonly files: readonly HookManifest[];
  /** Names of configurations of either kind, or of CustomResourceDefinitions, in the cluster. */
  readonly names: readonly string[];
  readonly namespace: string;
  /** The session's Service, for which a missing right is asked. */
  readonly service: string;
  readonly signal: AbortSignal;
}

/** A CustomResourceDefinition whose conversion webhook the program here answers. */
export interface ServedConversion {
  /** As it is in the file, or in the cluster: its strategy is Webhook, and it names a Service. */
  readonly definition: ConvertedDefinition;
  /** The file it is from, as the user named it; undefined if it is from the cluster. */
  readonly file?: string;
  /** The one in the cluster. Its conversion may be another, or none. */
  readonly original: Definition;
}

/** What {@linkcode findServed} found; never nothing. */
export interface FoundHooks {
  /** Each with the webhooks that are to be served, and no other. */
  readonly configurations: readonly ServedConfiguration[];
  readonly conversions: readonly ServedConversion[];
  /** What is left out and why, for people: sentences without a full stop. */
  readonly notes: readonly string[];
}

/** Nothing can be served. The message says what was looked for, what was seen and what to do. */
export class NotServedError extends Error {
  override readonly name = "NotServedError";
}

type ServiceName = { readonly namespace: string; readonly name: string };

/**
 * Finds what to serve. Only webhooks that call a Service count, because only these are answered in the cluster. A file's configuration may
 * name any Service, because kustomize renames them. A configuration of the cluster with several Services is served for those of the namespace.
 * @throws NotServedError or ManifestError; also as {@linkcode Api.list} does
 */
export async function findServed(api: Api, search: HookSearch): Promise<FoundHooks> {
  const manifests = readHooks(search.files);
  const [all, definitions] = await Promise.all([
    listConfigurations(api, search.signal).catch((error) => denied(error, search)),
    readDefinitions(api, [...search.names, ...manifests.definitions.map(({ definition }) => definition.metadata.name)], search),
  ]);
  const live = all.filter(isNotOurs);
  const notes: string[] = [];
  for (const name of search.names) {
    if (!live.some(({ metadata }) => metadata.name === name) && !definitions.found.has(name)) throw unknownName(name, live, definitions);
  }
  const configurations = chooseConfigurations(manifests, live, search, notes);
  const conversions = chooseConversions(manifests, definitions, search, notes);
  if (configurations.length === 0 && conversions.length === 0) throw nothingFound(search, live, notes);
  if (isAll(search)) refuseSeveralServices(configurations, conversions, search.namespace);
  return { configurations, conversions, notes };
}

/** Whether nothing was named. */
function isAll({ files, names }: HookSearch): boolean {
  return files.length === 0 && names.length === 0;
}

/** Those of files with their originals, and those of the cluster that are meant, each with the webhooks that are served. */
function chooseConfigurations(
  manifests: ManifestHooks,
  live: readonly LiveHookConfiguration[],
  search: HookSearch,
  notes: string[],
): ServedConfiguration[] {
  const { names, namespace } = search;
  const fromFiles = manifests.configurations.map(({ configuration, file }): ServedConfiguration => {
    const original = findOriginal(configuration, live, search, notes);
    return { configuration, file, ...(original ? { original } : {}) };
  });
  const isMeant = (one: LiveHookConfiguration) => isAll(search) ? callsNamespace(one, namespace) : names.includes(one.metadata.name);
  const others = live.filter((one) => isMeant(one) && !fromFiles.some(({ original }) => original === one));
  return [...fromFiles, ...others.map((one): ServedConfiguration => ({ configuration: one, original: one }))].flatMap((one) => {
    const webhooks = servedHooks(one.configuration, one.file === undefined ? namespace : undefined, notes);
    return webhooks.length === 0 ? [] : [{ ...one, configuration: { ...one.configuration, webhooks } }];
  });
}

function chooseConversions(
  manifests: ManifestHooks,
  { found, isDenied }: Definitions,
  search: HookSearch,
  notes: string[],
): ServedConversion[] {
  if (isDenied) notes.push("CustomResourceDefinitions are left out: you may not read them");
  const fromFiles = manifests.definitions.flatMap(({ definition, file }): ServedConversion[] => {
    const { name } = definition.metadata;
    const original = found.get(name);
    if (original) return [{ definition, file, original }];
    if (!isDenied) notes.push(`CustomResourceDefinition ${name} in ${file} is left out: it is not in the cluster; apply it first`);
    return [];
  });
  const others = [...found.values()].filter((one) =>
    (isAll(search) || search.names.includes(one.metadata.name)) && !fromFiles.some(({ original }) => original === one)
  );
  return [...fromFiles, ...others.map((one): ServedConversion => ({ definition: asConfigured(one), original: one }))]
    .filter(({ definition }) => callsService(definition, isAll(search) ? search.namespace : undefined, notes));
}

/** All configurations of the cluster, kurun's own copies included, in the order of their kinds and names. @throws as {@linkcode Api.list} does */
async function listConfigurations(api: Api, signal: AbortSignal): Promise<LiveHookConfiguration[]> {
  return (await Promise.all(HOOK_KINDS.map((kind) => listKind(api, kind, signal)))).flat();
}

/** All configurations of a kind. The items of a list have no kind. @throws as {@linkcode Api.list} does */
export async function listKind(api: Api, kind: HookKind, signal?: AbortSignal): Promise<LiveHookConfiguration[]> {
  const { items } = await api.list<MutatingWebhooks & ValidatingWebhooks>(hookPath(kind), { signal });
  return items.map(({ metadata, webhooks = [] }) => ({ apiVersion: "admissionregistration.k8s.io/v1", kind, metadata, webhooks }));
}

/** CustomResourceDefinitions by name, and whether the user may not read one. */
interface Definitions {
  readonly found: ReadonlyMap<string, Definition>;
  readonly isDenied: boolean;
}

/** Reads definitions: all of the cluster if nothing was named. */
async function readDefinitions(api: Api, names: readonly string[], search: HookSearch): Promise<Definitions> {
  const { signal } = search;
  // Only a CustomResourceDefinition must have a dot in its name.
  const paths = [...new Set(names)].filter((name) => /^[a-z0-9-]+\.[a-z0-9.-]+$/.test(name)).map(definitionPath);
  const reads = isAll(search)
    ? [api.list<Definition>(definitionPath(), { signal }).then(({ items }) => items)]
    : paths.map((path) => api.find<Definition>(path, { signal }).then((answer) => answer ? [answer.body] : []));
  const answers = await Promise.all(reads.map((read) => read.catch(onStatus([403], undefined))));
  return {
    found: new Map(answers.flatMap((answer) => answer ?? []).map((one) => [one.metadata.name, one])),
    isDenied: answers.includes(undefined),
  };
}

/** The file's configuration as it is in the cluster: kustomize may have put a prefix before its name. */
function findOriginal(
  configuration: HookConfiguration,
  live: readonly LiveHookConfiguration[],
  { names, namespace }: HookSearch,
  notes: string[],
): LiveHookConfiguration | undefined {
  const { kind, metadata: { name }, webhooks } = configuration;
  const alike = live.filter((one) => one.kind === kind);
  const sameName = alike.find(({ metadata }) => metadata.name === name);
  // Scaffolded projects all name theirs mutating-webhook-configuration, so the same name alone may be another program's.
  if (sameName && hasInCommon(webhooks, sameName.webhooks)) return sameName;
  const key = hookNames(webhooks);
  let others = alike.filter((one) => one !== sameName && webhooks.length > 0 && hookNames(one.webhooks) === key);
  for (const narrow of [(one: LiveHookConfiguration) => names.includes(one.metadata.name), inNamespace]) {
    if (others.length > 1 && others.some(narrow)) others = others.filter(narrow);
  }
  if (others.length > 1) {
    const found = nameList(others.map(({ metadata }) => metadata.name));
    throw new NotServedError(
      `several ${kind}s have the webhooks of ${name} (${found}), and one of them must be its original\nName it: --config NAME`,
    );
  }
  if (sameName && others.length === 0) {
    notes.push(`${kind} ${name} in the cluster is left alone: it has the same name, but none of these webhooks and paths`);
  }
  return others[0];

  function inNamespace(one: LiveHookConfiguration): boolean {
    return callsNamespace(one, namespace);
  }
}

function hasInCommon(a: readonly Hook[], b: readonly Hook[]): boolean {
  const path = ({ clientConfig: { service } }: Hook) => service?.path;
  return a.some((one) => b.some((other) => one.name === other.name || path(one) !== undefined && path(one) === path(other)));
}

function hookNames(webhooks: readonly Hook[]): string {
  return webhooks.map(({ name }) => name).sort().join("\n");
}

/** @param namespace chooses if a configuration has several Services; undefined chooses all */
function servedHooks({ kind, metadata, webhooks }: HookConfiguration, namespace: string | undefined, notes: string[]): Hook[] {
  const leave = ({ name }: Hook, why: string) => notes.push(`webhook ${name} of ${kind} ${metadata.name} is left alone: ${why}`);
  const called = webhooks.filter((hook) => hook.clientConfig.service || void leave(hook, "it calls a URL and not a Service"));
  const services = new Set(called.map(({ clientConfig: { service } }) => serviceText(service as ServiceName)));
  if (namespace === undefined || services.size < 2) return called;
  const here = called.filter(({ clientConfig: { service } }) => service?.namespace === namespace);
  if (here.length === 0) {
    throw new NotServedError(
      `${kind} ${metadata.name} calls several Services (${nameList([...services])}), none of them in namespace ${namespace}` +
        "\nChoose the namespace of the one that your program replaces: -n NAMESPACE",
    );
  }
  for (const hook of called) {
    if (!here.includes(hook)) leave(hook, `it calls a Service of another namespace, ${hook.clientConfig.service?.namespace}`);
  }
  return here;
}

/** A definition as it was before a session began to answer its conversions. */
function asConfigured(original: Definition): ConvertedDefinition {
  const record = conversionRecord(original.metadata);
  return record ? { metadata: original.metadata, spec: { ...original.spec, conversion: record.before } } : original;
}

/** @param namespace of the Service; undefined for any */
function callsService({ metadata: { name }, spec }: ConvertedDefinition, namespace: string | undefined, notes: string[]): boolean {
  const { strategy, webhook } = spec.conversion ?? {};
  const service = strategy === "Webhook" ? webhook?.clientConfig?.service : undefined;
  if (namespace !== undefined) return service?.namespace === namespace;
  if (!service) {
    const why = strategy === "Webhook" ? "its conversion webhook calls a URL and not a Service" : "it has no conversion webhook";
    notes.push(`CustomResourceDefinition ${name} is left alone: ${why}`);
  }
  return service !== undefined;
}

function callsNamespace({ webhooks }: HookConfiguration, namespace: string): boolean {
  return webhooks.some(({ clientConfig: { service } }) => service?.namespace === namespace);
}

/** One program rarely is several Services, and what it does not know it would refuse. */
function refuseSeveralServices(
  configurations: readonly ServedConfiguration[],
  conversions: readonly ServedConversion[],
  namespace: string,
): void {
  const users = new Map<string, Set<string>>();
  const note = (service: string, user: string) => users.set(service, (users.get(service) ?? new Set()).add(user));
  for (const { configuration: { metadata, webhooks } } of configurations) {
    for (const { clientConfig } of webhooks) note(clientConfig.service?.name as string, metadata.name);
  }
  for (const { definition: { metadata, spec } } of conversions) {
    note(spec.conversion?.webhook?.clientConfig?.service?.name as string, metadata.name);
  }
  if (users.size < 2) return;
  const lists = [...users].map(([service, names]) => `${service} (${nameList([...names])})`);
  throw new NotServedError(
    `webhooks call several Services of namespace ${namespace}: ${nameList(lists)}\n` +
      "Name the configurations that your program answers: --config NAME, or -f FILE",
  );
}

function isNotOurs({ metadata: { labels } }: LiveHookConfiguration): boolean {
  return labels?.[SESSION_LABEL] === undefined;
}

function denied(error: unknown, { namespace, service }: HookSearch): never {
  if (!(error instanceof ApiError) || error.status !== 403) throw error;
  throw new NotServedError(
    `webhook configurations cannot be read: ${error.message}\n` +
      "Ask the cluster's administrator to apply the Role that this prints: " +
      `kurun doctor --rbac --for webhook -n ${namespace} --servicename ${service}\n` +
      "Or let an administrator configure the webhook, and serve its Service: kurun port-forward tls://localhost:9443",
    { cause: error },
  );
}

function unknownName(name: string, live: readonly LiveHookConfiguration[], { isDenied }: Definitions): NotServedError {
  const names = nameList([...new Set(live.map(({ metadata }) => metadata.name))].sort());
  const todo = names === "" ? "The cluster has none; use manifests: -f FILE" : `The cluster has: ${names}`;
  const hidden = isDenied ? "\nYou may not read CustomResourceDefinitions, so it may be one of these" : "";
  return new NotServedError(`no webhook configuration is named ${JSON.stringify(name)}\n${todo}${hidden}`);
}

function nothingFound(
  { files, names, namespace }: HookSearch,
  live: readonly LiveHookConfiguration[],
  notes: readonly string[],
): NotServedError {
  const there = nameList(live.map(({ metadata }) => metadata.name));
  const [seen, todo] = files.length > 0
    ? [
      `${nameList(files.map(({ name }) => name))} ${files.length === 1 ? "has" : "have"} no webhook configuration that calls a Service`,
      "kubebuilder's are in config/webhook/manifests.yaml (make manifests writes it)",
    ]
    : names.length > 0
    ? [`${nameList(names)} ${names.length === 1 ? "has" : "have"} no webhook that calls a Service`, "Use manifests: -f FILE"]
    : [
      `no webhook configuration in the cluster calls a Service of namespace ${namespace}`,
      `Name manifests (-f FILE), another namespace (-n), or a configuration (--config NAME${there === "" ? "" : `: ${there}`})`,
    ];
  return new NotServedError([seen, todo, ...notes.slice(0, 1)].join("\n"));
}

function serviceText({ namespace, name }: ServiceName): string {
  return `${namespace}/${name}`;
}

/** This many names are listed. */
const MAX_NAMES = 8;

function nameList(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  return names.slice(0, MAX_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
