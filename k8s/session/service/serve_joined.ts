import type { Api } from "../../api/api.ts";
import { ApiError, mayPass } from "../../api/api_error.ts";
import type { NewEndpointSlice, Pod } from "../../api/kubernetes_objects.ts";
import { sleep } from "../../api/sleep.ts";
import { isReady } from "../../workloads/pod_status.ts";
import { type ForwardPlan, objectPath, SESSION_LABEL } from "../objects/session_plan.ts";
import { resumedWatch } from "../pod/resumed_watch.ts";
import { endpointSlices, serviceSlices } from "./endpoint_slices.ts";
import { livePods } from "./service_decision.ts";

/** How often the Service's endpoints are looked at: watching them would take another right. */
const LOOK_MS = 5_000;
/** The pause after an EndpointSlice could not be written. */
const RETRY_MS = 1_000;

/**
 * Keeps the callers of a joined Service on the session's Pod until aborted: its EndpointSlices follow the Pod from the moment that it is
 * ready, and are made again if somebody deletes them.
 * @param onOthers is told which Pods besides kurun's answer some of the callers, when that changes; none when kurun's is alone again
 * @throws {ApiError} if the first EndpointSlice is refused; also as {@linkcode resumedWatch} does
 */
export async function serveJoined(
  api: Api,
  plan: ForwardPlan,
  onOthers: (pods: readonly string[]) => void,
  signal: AbortSignal,
  everyMs = LOOK_MS,
): Promise<void> {
  const { namespace, service, name: session } = plan;
  const written = new Map<string, NewEndpointSlice>();
  const known = new Set<string>();
  const follow = async () => {
    const query = { labelSelector: `${SESSION_LABEL}=${session}` };
    for await (const { type, object: pod } of resumedWatch<Pod>(api, objectPath("Pod", namespace), query, signal, () => written.clear())) {
      for (const slice of endpointSlices(plan, pod)) {
        const { name } = slice.metadata;
        const before = written.get(name);
        // A Pod that is gone takes its slices along.
        if (type === "DELETED") written.delete(name);
        else if (before ? JSON.stringify(before) !== JSON.stringify(slice) : isReady(pod) || known.has(name)) {
          await write(api, slice, known.size > 0, signal);
          known.add(name);
          written.set(name, slice);
        }
      }
    }
  };
  const look = async () => {
    for (let told = "";;) {
      await sleep(everyMs, signal);
      const slices = await serviceSlices(api, namespace, service, signal).catch(() => undefined);
      if (!slices) continue;
      const names = slices.map(({ metadata }) => metadata.name);
      for (const [name, slice] of written) if (!names.includes(name)) await write(api, slice, true, signal);
      const others = livePods(slices, ({ conditions }) => conditions?.ready !== false).filter((pod) => !pod.startsWith(`${session}-`));
      if (others.join() !== told) onOthers(others);
      told = others.join();
    }
  };
  await Promise.all(["families" in (plan.joined ?? {}) ? follow() : undefined, look()]);
}

/** Writes a slice, however long the network takes. @param begun whether a refusal may be a starting API server's, which has no roles yet */
async function write(api: Api, slice: NewEndpointSlice, begun: boolean, signal: AbortSignal): Promise<void> {
  const { namespace, name } = slice.metadata;
  for (;; await sleep(RETRY_MS, signal)) {
    try {
      return void await api.apply(objectPath("EndpointSlice", namespace, name), slice, { force: true, signal });
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error) && !(begun && error instanceof ApiError)) throw error;
    }
  }
}
