/** The kinds of the API server and their paths. */

import type { DefinitionSpec, GroupList, ResourceList } from "../api/kubernetes_objects.ts";
import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";

/** A kind in one version, as the API server serves it. */
export interface ApiResource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** The name in paths, such as `deployments`. */
  readonly plural: string;
  readonly namespaced: boolean;
}

/** The kinds of a cluster. */
export class ApiResources {
  /**
   * @param all the preferred version of a kind first
   * @param silentGroups groups whose aggregated API server does not answer, so that their kinds may be missing
   */
  constructor(readonly all: readonly ApiResource[], readonly silentGroups: readonly string[] = []) {}

  /** The kind of an object's `apiVersion` and `kind`. */
  find(apiVersion: string, kind: string): ApiResource | undefined {
    return this.all.find((one) => one.kind === kind && apiVersionOf(one) === apiVersion);
  }

  /** A kind by its group, in the version that the cluster prefers. */
  findGroupKind(group: string, kind: string): ApiResource | undefined {
    return this.all.find((one) => one.kind === kind && one.group === group);
  }
}

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf({ group, version }: Pick<ApiResource, "group" | "version">): string {
  return group === "" ? version : `${group}/${version}`;
}

/** The group of an `apiVersion`; empty for the core group. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}

/** The path of a kind's objects, in one namespace if the kind is namespaced. */
export function collectionPath(
  { group, version, plural }: Pick<ApiResource, "group" | "version" | "plural">,
  namespace: string | undefined,
): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  return `${root}${namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`}/${plural}`;
}

const AGGREGATED = ["v2", "v2beta1"].map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`);
const ACCEPT = [...AGGREGATED, "application/json"].join(",");

/**
 * Asks for all kinds in two requests, one for the core and one for all groups (Kubernetes 1.27 or newer). An older cluster is asked for every
 * version separately. It must be every one: a kind that is missing here counts as deleted, and its objects would be forgotten.
 * @throws as {@linkcode Api.request} does
 */
export async function discover(api: Api, signal?: AbortSignal): Promise<ApiResources> {
  const options = { accept: ACCEPT, signal };
  const [core, groups] = await Promise.all(["/api", "/apis"].map(async (path) => (await api.get(path, options)).body));
  const found = [core, groups].map((body) => readAggregated(body));
  if (found.every((list) => list !== undefined)) {
    return new ApiResources(found.flatMap(({ resources }) => resources), found.flatMap(({ silent }) => silent));
  }
  // Of each group the preferred version first.
  const all = (groups as Partial<GroupList>).groups ?? [];
  const named = all.flatMap((group) => [group.preferredVersion, ...group.versions]).flatMap((one) => one?.groupVersion ?? []);
  const versions = [...new Set([...(core as { versions?: readonly string[] }).versions ?? [], ...named])];
  const lists = await Promise.all(versions.map((apiVersion) => readVersion(api, apiVersion, signal)));
  const silent = versions.filter((_, at) => lists[at] === undefined).map(groupOf);
  return new ApiResources(lists.flatMap((list) => list ?? []), silent);
}

interface GroupDiscovery {
  readonly metadata?: { readonly name?: string };
  readonly versions?: readonly {
    readonly version: string;
    readonly freshness?: string;
    readonly resources?: readonly {
      readonly resource: string;
      readonly scope: string;
      readonly responseKind?: { readonly kind?: string };
    }[];
  }[];
}

/** Reads an APIGroupDiscoveryList; undefined if an older API server answered something else. */
export function readAggregated(body: unknown): { resources: ApiResource[]; silent: string[] } | undefined {
  const { kind, items } = body as { kind?: string; items?: readonly GroupDiscovery[] };
  if (kind !== "APIGroupDiscoveryList") return undefined;
  const served = (items ?? []).flatMap(({ metadata, versions = [] }) => versions.map((one) => ({ ...one, group: metadata?.name ?? "" })));
  const resources = served.flatMap(({ group, version, resources = [] }) =>
    resources.flatMap(({ resource: plural, scope, responseKind }) =>
      responseKind?.kind ? [{ group, version, kind: responseKind.kind, plural, namespaced: scope === "Namespaced" }] : []
    )
  );
  return { resources, silent: served.filter(({ freshness }) => freshness === "Stale").map(({ group }) => group) };
}

/** The kinds of one version, from the request that every cluster supports; undefined if its API server does not answer. */
async function readVersion(api: Api, apiVersion: string, signal?: AbortSignal): Promise<ApiResource[] | undefined> {
  const group = groupOf(apiVersion);
  try {
    const { body } = await api.get<Partial<ResourceList>>(`/${group === "" ? "api" : "apis"}/${apiVersion}`, { signal });
    const version = apiVersion.slice(apiVersion.indexOf("/") + 1);
    // Names with a slash are subresources.
    return (body.resources ?? []).filter(({ name }) => !name.includes("/"))
      .map(({ name: plural, kind, namespaced }) => ({ group, version, kind, plural, namespaced }));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    if (error instanceof ApiError && error.status >= 500) return undefined;
    throw error;
  }
}

/** The kinds that a CustomResourceDefinition adds once it is established. */
export function kindsOfDefinition(definition: object): ApiResource[] {
  const { group, scope, names, versions } = (definition as { spec?: Partial<DefinitionSpec> }).spec ?? {};
  if (!group || !names?.kind || !names.plural || !Array.isArray(versions)) return [];
  const { kind, plural } = names;
  return versions.filter(({ name, served }) => name && served !== false)
    .map(({ name: version }) => ({ group, version, kind, plural, namespaced: scope !== "Cluster" }));
}
