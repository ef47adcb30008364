/**
 * Which kinds the API server has and where they are.
 *
 * @module
 */

import type { DefinitionSpec } from "../api/kubernetes_objects.ts";
import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";

/** A kind in one version, as the API server serves it. */
export interface ApiResource {
  /** Empty is the core. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** The name in paths, such as `deployments`. */
  readonly plural: string;
  readonly namespaced: boolean;
}

/** The kinds of a cluster. */
export class ApiResources {
  readonly #byKind = new Map<string, ApiResource>();
  readonly #byGroupKind = new Map<string, ApiResource>();
  /** Groups whose own API server does not answer, so that their kinds may be missing. */
  readonly silentGroups: readonly string[];

  /** @param resources the preferred version of a kind first */
  constructor(resources: readonly ApiResource[], silentGroups: readonly string[] = []) {
    this.silentGroups = silentGroups;
    for (const resource of resources) this.#add(resource);
  }

  /** The kind of an object's `apiVersion` and `kind`. */
  find(apiVersion: string, kind: string): ApiResource | undefined {
    return this.#byKind.get(`${apiVersion} ${kind}`);
  }

  /** A kind by its group, in the version that the cluster prefers. */
  findGroupKind(group: string, kind: string): ApiResource | undefined {
    return this.#byGroupKind.get(`${group} ${kind}`);
  }

  /** The same with kinds that are about to be there; what the cluster has comes first. */
  with(resources: readonly ApiResource[]): ApiResources {
    return new ApiResources([...this.#byKind.values(), ...resources], this.silentGroups);
  }

  #add(resource: ApiResource): void {
    const kind = `${apiVersionOf(resource)} ${resource.kind}`;
    const groupKind = `${resource.group} ${resource.kind}`;
    if (!this.#byKind.has(kind)) this.#byKind.set(kind, resource);
    if (!this.#byGroupKind.has(groupKind)) this.#byGroupKind.set(groupKind, resource);
  }
}

/** `apps/v1`, or `v1` in the core. */
export function apiVersionOf({ group, version }: Pick<ApiResource, "group" | "version">): string {
  return group === "" ? version : `${group}/${version}`;
}

/** The group of an `apiVersion`; empty is the core. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}

/** The path of a kind's objects, in one namespace where it has them. */
export function collectionPath(resource: ApiResource, namespace: string | undefined): string {
  const { group, version, plural } = resource;
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  return `${root}${namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`}/${plural}`;
}

const AGGREGATED = ["v2", "v2beta1"].map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`);
const ACCEPT = [...AGGREGATED, "application/json"].join(",");

/**
 * Asks for all kinds in two requests, the core's and all groups' (Kubernetes 1.27 or newer); an older cluster is asked version by version,
 * for all of them too: a kind that was not asked for would be taken for one that is gone, and its objects be forgotten.
 *
 * @throws as {@linkcode Api.request} does
 */
export async function discover(api: Api, signal?: AbortSignal): Promise<ApiResources> {
  const options = { accept: ACCEPT, ...(signal ? { signal } : {}) };
  const [core, groups] = await Promise.all(["/api", "/apis"].map(async (path) => (await api.get(path, options)).body));
  const found = [core, groups].map((body) => readAggregated(body));
  if (found.every((list) => list !== undefined)) {
    return new ApiResources(found.flatMap(({ resources }) => resources), found.flatMap(({ silent }) => silent));
  }
  const versions = servedVersions(core, groups);
  const lists = await Promise.all(versions.map((apiVersion) => readVersion(api, apiVersion, signal)));
  const silent = versions.filter((_, at) => lists[at] === undefined).map(groupOf);
  return new ApiResources(lists.flatMap((list) => list ?? []), silent);
}

/** What an APIVersions and an APIGroupList name, of each group the preferred version first. */
function servedVersions(core: unknown, groups: unknown): string[] {
  const { versions = [] } = core as { versions?: readonly string[] };
  const { groups: all = [] } = groups as { groups?: readonly { preferredVersion?: GroupVersion; versions?: readonly GroupVersion[] }[] };
  const named = all.flatMap((group) => [group.preferredVersion, ...group.versions ?? []]).flatMap((one) => one?.groupVersion ?? []);
  return [...new Set([...versions, ...named])];
}

interface GroupVersion {
  readonly groupVersion: string;
}

interface GroupDiscovery {
  readonly metadata?: { readonly name?: string };
  readonly versions?: readonly {
    readonly version: string;
    readonly freshness?: string;
    readonly resources?: readonly {
      readonly resource: string;
      readonly scope: string;
      readonly responseKind?: { readonly group?: string; readonly version?: string; readonly kind?: string };
    }[];
  }[];
}

/** Reads an APIGroupDiscoveryList; undefined where the answer is of an older API server. */
export function readAggregated(body: unknown): { resources: ApiResource[]; silent: string[] } | undefined {
  const { kind, items } = body as { kind?: string; items?: readonly GroupDiscovery[] };
  if (kind !== "APIGroupDiscoveryList") return undefined;
  const resources: ApiResource[] = [];
  const silent = new Set<string>();
  for (const { metadata, versions = [] } of items ?? []) {
    const group = metadata?.name ?? "";
    for (const { version, freshness, resources: served = [] } of versions) {
      if (freshness === "Stale") silent.add(group);
      for (const { resource: plural, scope, responseKind } of served) {
        if (responseKind?.kind) resources.push({ group, version, kind: responseKind.kind, plural, namespaced: scope === "Namespaced" });
      }
    }
  }
  return { resources, silent: [...silent] };
}

/** One version's kinds, as every cluster tells them; undefined where what serves it does not answer. */
async function readVersion(api: Api, apiVersion: string, signal?: AbortSignal): Promise<ApiResource[] | undefined> {
  const group = groupOf(apiVersion);
  try {
    const { body } = await api.get(group === "" ? `/api/${apiVersion}` : `/apis/${apiVersion}`, signal ? { signal } : {});
    const { resources = [] } = body as { resources?: readonly { name: string; kind: string; namespaced: boolean }[] };
    // A subresource has a slash in its name.
    return resources.filter(({ name }) => !name.includes("/")).map(({ name, kind, namespaced }) => ({
      group,
      version: apiVersion.slice(apiVersion.indexOf("/") + 1),
      kind,
      plural: name,
      namespaced,
    }));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    if (error instanceof ApiError && error.status >= 500) return undefined;
    throw error;
  }
}

/** The kinds that a CustomResourceDefinition makes, once it is established. */
export function kindsOfDefinition(definition: object): ApiResource[] {
  const { group, scope, names, versions } = (definition as { spec?: Partial<DefinitionSpec> }).spec ?? {};
  if (!group || !names?.kind || !names.plural || !Array.isArray(versions)) return [];
  const { kind, plural } = names;
  return versions.filter(({ name, served }) => name && served !== false).map(({ name }) => ({
    group,
    version: name!,
    kind,
    plural,
    namespaced: scope !== "Cluster",
  }));
}
