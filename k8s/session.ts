import type { Api } from "./api.ts";
import { ApiError } from "./api_error.ts";
import { ConnectionError } from "./connection_error.ts";
import {
  controlService,
  controlServiceName,
  type KubernetesObject,
  type Owner,
  serverDeployment,
  sessionJob,
  type SessionPlan,
  sessionSecret,
  type SessionSecrets,
  userService,
} from "./session_objects.ts";

/** The session has ended in the cluster: its deadline passed, or somebody deleted it. */
export class SessionGoneError extends Error {
  override readonly name = "SessionGoneError";
}

/** An object of the session exists already and is not this session's. */
export class ObjectExistsError extends Error {
  override readonly name = "ObjectExistsError";
  readonly kind: string;
  readonly objectName: string;

  constructor(kind: string, objectName: string) {
    super(`${kind} ${objectName} exists already`);
    this.kind = kind;
    this.objectName = objectName;
  }
}

/** How long {@link ClusterSession.delete} watches the cluster take everything away. */
const GONE_WITHIN_MS = 1_500;
const GONE_POLL_MS = 50;

/** A session in the cluster: a Job without pods, and what it owns. */
export class ClusterSession {
  readonly plan: SessionPlan;
  readonly #api: Api;
  readonly #owner: Owner;
  /** The Job's start by the cluster's clock, in ms; its creation until the controller has set it, which is a few milliseconds later. */
  #startedAt: number;
  /** What to add to this machine's clock to get the cluster's, in ms; as of the last answer, whose Date header has whole seconds. */
  #clockOffset = 0;
  readonly #date: () => Date;

  private constructor(api: Api, plan: SessionPlan, job: JobObject, date: () => Date) {
    this.plan = plan;
    this.#api = api;
    this.#owner = { name: job.metadata.name, uid: job.metadata.uid };
    this.#startedAt = Date.parse(job.metadata.creationTimestamp);
    this.#date = date;
  }

  /**
   * Makes the Job first, then all the rest at once; what was made is removed again where something could not be.
   * @param date the time of day on this machine, right or wrong
   * @throws ObjectExistsError for a Service that exists, else what the API says
   */
  static async create(api: Api, plan: SessionPlan, secrets: SessionSecrets, date: () => Date): Promise<ClusterSession> {
    const answer = await api.create(jobsPath(plan), sessionJob(plan)).catch(async (error) => {
      // Without an answer it may have been made all the same; its name is nobody else's.
      if (error instanceof ConnectionError) await api.delete(`${jobsPath(plan)}/${plan.name}`, {}).catch(() => {});
      throw error;
    });
    const session = new ClusterSession(api, plan, answer.body as JobObject, date);
    session.#noteClock(answer.date);
    try {
      await session.#createOwned(secrets);
    } catch (error) {
      // What cannot be removed now goes with the deadline; what went wrong first is what the user must read.
      await session.delete().catch(() => {});
      throw error;
    }
    return session;
  }

  /** Moves the deadline to `ttlSeconds` from now, by the cluster's own clock. @throws SessionGoneError, or what the API says */
  async renew(): Promise<void> {
    const { ttlSeconds } = this.plan;
    const now = this.#date().getTime() + this.#clockOffset;
    const activeDeadlineSeconds = ttlSeconds > 0 ? Math.ceil((now - this.#startedAt) / 1000) + ttlSeconds : null;
    const job = await this.#patchJob({ spec: { activeDeadlineSeconds } });
    // A patch that comes too late is answered 200 and changes nothing (Kubernetes 1.34): only the answer tells.
    const failed = job.status?.conditions?.some(({ type, status }) => (type === "Failed" || type === "FailureTarget") && status === "True");
    if (failed || job.metadata.deletionTimestamp) throw new SessionGoneError(`session ${this.plan.name} has ended: its time was over`);
    if (job.status?.startTime) this.#startedAt = Date.parse(job.status.startTime);
  }

  /** Has the cluster remove everything, and waits a moment to see it happen. A session that is gone already is no error. */
  async delete(): Promise<void> {
    try {
      // Without a policy, a Job that is deleted orphans all that it owns.
      await this.#api.delete(this.#jobPath, { propagationPolicy: "Background", uid: this.#owner.uid });
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 409)) throw error;
    }
    await this.#waitUntilGone();
  }

  get #jobPath(): string {
    return `${jobsPath(this.plan)}/${this.plan.name}`;
  }

  async #createOwned(secrets: SessionSecrets): Promise<void> {
    const { plan } = this;
    const core = `/api/v1/namespaces/${plan.namespace}`;
    const results = await Promise.allSettled([
      ...(plan.joined ? [] : [this.#create(`${core}/services`, userService(plan, this.#owner))]),
      this.#create(`${core}/services`, controlService(plan, this.#owner)),
      this.#create(`${core}/secrets`, sessionSecret(plan, this.#owner, secrets)),
      this.#create(`/apis/apps/v1/namespaces/${plan.namespace}/deployments`, serverDeployment(plan, this.#owner)),
    ]);
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }

  async #create(path: string, object: KubernetesObject): Promise<void> {
    try {
      await this.#api.create(path, object);
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) {
        throw new ObjectExistsError(String(object.kind), String(object.metadata.name));
      }
      throw error;
    }
  }

  async #patchJob(patch: Record<string, unknown>): Promise<JobObject> {
    try {
      const answer = await this.#api.mergePatch(this.#jobPath, patch);
      this.#noteClock(answer.date);
      return answer.body as JobObject;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        throw new SessionGoneError(`session ${this.plan.name} has ended: somebody deleted it`, { cause: error });
      }
      throw error;
    }
  }

  #noteClock(clusterDate: Date | undefined): void {
    if (clusterDate) this.#clockOffset = clusterDate.getTime() - this.#date().getTime();
  }

  async #waitUntilGone(): Promise<void> {
    const { namespace, service, name } = this.plan;
    const paths = [
      `/api/v1/namespaces/${namespace}/services/${service}`,
      `/api/v1/namespaces/${namespace}/services/${controlServiceName(service)}`,
      `/api/v1/namespaces/${namespace}/secrets/${name}`,
      `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`,
    ];
    const until = performance.now() + GONE_WITHIN_MS;
    let left = paths;
    while (left.length > 0 && performance.now() < until) {
      const there = await Promise.all(left.map((path) => this.#isThere(path)));
      left = left.filter((_, index) => there[index]);
      if (left.length > 0) await new Promise((resolve) => setTimeout(resolve, GONE_POLL_MS));
    }
  }

  /** Whether an object of ours is there that nobody has marked for removal; where that cannot be seen, it counts as gone. */
  async #isThere(path: string): Promise<boolean> {
    try {
      const { metadata } = (await this.#api.get(path)).body as JobObject;
      return !metadata.deletionTimestamp && (metadata.ownerReferences ?? []).some(({ uid }) => uid === this.#owner.uid);
    } catch {
      return false;
    }
  }
}

interface JobObject {
  metadata: {
    name: string;
    uid: string;
    creationTimestamp: string;
    deletionTimestamp?: string;
    ownerReferences?: { uid: string }[];
  };
  status?: { startTime?: string; conditions?: { type: string; status: string }[] };
}

function jobsPath(plan: SessionPlan): string {
  return `/apis/batch/v1/namespaces/${plan.namespace}/jobs`;
}
