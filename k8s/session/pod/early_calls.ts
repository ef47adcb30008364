import type { Api } from "../../api/api.ts";
import { ApiError, mayPass } from "../../api/api_error.ts";
import type { Service } from "../../api/kubernetes_objects.ts";
import { sleep } from "../../api/sleep.ts";
import { type ForwardPlan, objectPath, SESSION_LABEL } from "../objects/session_plan.ts";
import { waitForReadyPod } from "./pod_ready.ts";

/** The cluster's controllers may learn later than this client that the Pod is ready: until they have, the Service must keep it. */
const FOLLOWED_MS = 1_000;
const RETRY_MS = 5_000;

/**
 * Lets the session's Service lead to ready Pods only. Until the first Pod is ready, it led there as soon as the Pod had an address, since
 * kubelet probes once a second. Later a Pod that replaces another one must not get callers before its server listens, and one that is being
 * stopped must not get new ones.
 */
export async function endEarlyCalls(api: Api, plan: ForwardPlan, signal: AbortSignal): Promise<void> {
  try {
    await waitForReadyPod(api, plan, { waitingFor: () => {}, addressed: () => {} }, signal);
    for (let wait = FOLLOWED_MS;; wait = RETRY_MS) {
      await sleep(wait, signal);
      try {
        const path = objectPath("Service", plan.namespace, plan.service);
        const { body: { metadata, spec } } = await api.get<Service>(path, { signal });
        // After a sleep of this machine the Service may be another session's.
        if (metadata.labels?.[SESSION_LABEL] !== plan.name || !spec?.publishNotReadyAddresses) return;
        const change = { metadata: { uid: metadata.uid }, spec: { publishNotReadyAddresses: null } };
        return void await api.mergePatch(path, change, { signal });
      } catch (error) {
        if (!mayPass(error)) throw error;
      }
    }
  } catch (error) {
    // If the Service is gone, the session's own checks report it.
    if (!(error instanceof ApiError) && !signal.aborted) throw error;
  }
}
