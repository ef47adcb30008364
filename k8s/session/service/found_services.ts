import type { Api } from "../../api/api.ts";
import { onStatus } from "../../api/api_error.ts";
import type { EndpointSlice, Job, Service } from "../../api/kubernetes_objects.ts";
import { controlServiceName, objectPath } from "../objects/session_plan.ts";
import { askClient, type ClientAnswer } from "../owner/client_presence.ts";
import { isOurs, sessionOf } from "../owner/session_owner.ts";
import { mayWriteSlices, serviceSlices } from "./endpoint_slices.ts";

/** Everything that a start needs to know about the Services under its names. */
export interface FoundServices {
  /** The Service of the name that the user wants. */
  readonly service: Service | undefined;
  /** The Service of the control port's name. */
  readonly control: Service | undefined;
  /** All Services of the namespace, in which the Pod's labels may match other selectors; undefined if they may not be listed. */
  readonly all: readonly Service[] | undefined;
  /** The Jobs of the sessions that the first two belong to, by name. */
  readonly jobs: ReadonlyMap<string, Job>;
  /** What is behind the Service, if it exists and is not kurun's. */
  readonly slices: readonly EndpointSlice[];
  /** Whether the user may join such a Service by EndpointSlices; undefined if nobody has asked. */
  readonly maySlice: boolean | undefined;
  /** The answer of the Pod behind kurun's control Service; undefined if it could not be asked. */
  readonly client: ClientAnswer | undefined;
  /** When this was found, by the cluster's clock if an answer has it. */
  readonly now: Date;
}

/** Looks at both names. @param recent an earlier look, whose list of all Services is taken over @throws as {@linkcode Api.get} does */
export async function findServices(
  api: Api,
  namespace: string,
  name: string,
  signal: AbortSignal,
  recent?: FoundServices,
): Promise<FoundServices> {
  // Awaited last: a start waits for the other requests anyway, and a long list takes longer than each of them.
  const listing = recent
    ? Promise.resolve(recent.all)
    : api.list<Service>(objectPath("Service", namespace), { signal }).then(({ items }) => items, onStatus([403], undefined));
  listing.catch(() => {});
  const names = [name, controlServiceName(name)];
  const [service, control] = await Promise.all(names.map((name) => api.find<Service>(objectPath("Service", namespace, name), { signal })));
  const sessions = [service, control].flatMap((found) => found && isOurs(found.body.metadata) ? [sessionOf(found.body.metadata)] : []);
  const hasServer = control && isOurs(control.body.metadata) && !control.body.metadata.deletionTimestamp;
  const isForeign = service && !isOurs(service.body.metadata);
  const [all, slices, maySlice, client, ...jobs] = await Promise.all([
    listing,
    isForeign ? serviceSlices(api, namespace, name, signal) : [],
    recent?.maySlice ?? (isForeign ? mayWriteSlices(api, namespace, signal) : undefined),
    hasServer ? askClient(api, namespace, name, signal) : undefined,
    ...[...new Set(sessions)].map((session) => api.find<Job>(objectPath("Job", namespace, session), { signal })),
  ]);
  return {
    service: service?.body,
    control: control?.body,
    all,
    jobs: new Map(jobs.flatMap((job) => job ? [[job.body.metadata.name, job.body]] : [])),
    slices,
    maySlice,
    client,
    now: jobs.find((job) => job?.date)?.date ?? new Date(),
  };
}
