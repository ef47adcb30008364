import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import { ConnectionError } from "../api/connection_error.ts";
import { runPod } from "./objects/run_objects.ts";
import { sessionGone } from "./owner/remove_session.ts";
import {
  Annotation,
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
} from "./objects/session_objects.ts";
import {
  isEnding,
  isExpired,
  isOurs,
  type ObjectMetadata,
  type SessionJob,
  sessionOf,
  type SessionOwner,
  sessionOwner,
} from "./owner/session_owner.ts";

/** The session has ended in the cluster: its deadline passed, or somebody deleted it. */
export class SessionGoneError extends Error {
  override readonly name = "SessionGoneError";
  /** Whether its time was over, with nobody's doing. */
  readonly expired: boolean;

  constructor(message: string, expired: boolean, options?: ErrorOptions) {
    super(message, options);
    this.expired = expired;
  }
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

/** Another start has adopted the session first. */
export class SessionTakenError extends Error {
  override readonly name = "SessionTakenError";
  readonly session: SessionOwner;

  constructor(session: SessionOwner) {
    super(`session ${session.name} has been adopted by ${session.who} on ${session.from}`);
    this.session = session;
  }
}

/** How often a Job that changes in between is tried: its controller writes its status. */
const MAX_TRIES = 5;
/** A deadline set by a clock that was so far behind is set anew: the Date header has whole seconds, and an answer takes its time. */
const LATE_MS = 5_000;
/** How long {@link ClusterSession.delete} watches the cluster take everything away. */
const GONE_WITHIN_MS = 1_500;
/** How long a session that was deleted looks who has its Service now. */
const SUCCESSOR_WITHIN_MS = 2_000;
const SUCCESSOR_POLL_MS = 200;

/** A session in the cluster: a Job without pods, and what it owns. */
export class ClusterSession {
  readonly plan: SessionPlan;
  readonly #api: Api;
  readonly #owner: Owner;
  /** The Job's start by the cluster's clock, in ms; its creation until the controller has set it, which is a few milliseconds later. */
  #startedAt: number;
  /**
   * What to add to the clock given to get the cluster's, in ms; as of the last answer, whose Date header has whole seconds. Not the time of
   * day: set back by 50 minutes in between, that put the deadline into the past, and the session was gone.
   */
  #clockOffset = 0;
  /** When its time is over if nothing moves that, by the cluster's clock, in ms. */
  #deadline = Infinity;
  readonly #now: () => number;
  /** The Job's version when it was last seen to be ours. */
  #version: string | undefined;

  private constructor(api: Api, plan: SessionPlan, job: SessionJob, now: () => number) {
    this.plan = plan;
    this.#api = api;
    this.#owner = { name: job.metadata.name, uid: job.metadata.uid };
    this.#startedAt = Date.parse(job.status?.startTime ?? job.metadata.creationTimestamp ?? "");
    this.#now = now;
    this.#version = job.metadata.resourceVersion;
  }

  /**
   * Makes the Job first, then all the rest at once; what was made is removed again where something could not be.
   * @param now milliseconds of a clock that never goes back; it may stand still while this machine sleeps
   * @throws ObjectExistsError for a Service that exists, else what the API says
   */
  static async create(api: Api, plan: SessionPlan, secrets: SessionSecrets, now: () => number): Promise<ClusterSession> {
    const answer = await api.create(jobsPath(plan), sessionJob(plan)).catch(async (error) => {
      // Without an answer it may have been made all the same; its name is nobody else's.
      if (error instanceof ConnectionError) await api.delete(`${jobsPath(plan)}/${plan.name}`, {}).catch(() => {});
      throw error;
    });
    const session = new ClusterSession(api, plan, answer.body as SessionJob, now);
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

  /**
   * Goes on as a session that is there: it is this user's from now on, and its deadline moves at once. Nothing else of it changes.
   * @param plan the plan that its objects were made of, under its name, with the new user's annotations
   * @param found its Job, and when it was read by the cluster's clock
   * @throws SessionTakenError where another start was first, SessionGoneError where its time was over first, or what the API says
   */
  static async adopt(api: Api, plan: SessionPlan, found: { job: SessionJob; now: Date }, now: () => number): Promise<ClusterSession> {
    const session = new ClusterSession(api, plan, found.job, now);
    session.#noteClock(found.now);
    let { job } = found;
    for (let tries = 1;; tries++) {
      const { uid, resourceVersion } = job.metadata;
      try {
        await session.#move({ uid, ...(resourceVersion ? { resourceVersion } : {}), annotations: plan.annotations });
        return session;
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 409) throw error;
        job = await session.#stillTheSame(found.job);
        if (tries === MAX_TRIES) throw error;
      }
    }
  }

  /**
   * Moves the deadline to `ttlSeconds` from now, by the cluster's own clock.
   * @param timeoutMs how long the answer may take, in milliseconds
   * @throws SessionGoneError, also where another has it, or what the API says
   */
  async renew(timeoutMs: number): Promise<void> {
    if (await this.#move({}, timeoutMs)) await this.#move({}, timeoutMs);
  }

  /**
   * Has the cluster remove everything, and waits a moment to see it happen. A session that is gone already is no error, and one that
   * another client has adopted meanwhile is left to that: the Job's uid stays, so the version decides.
   */
  async delete(): Promise<void> {
    const { namespace, service } = this.plan;
    for (let tries = 1; !await this.#deleteVersion(tries === MAX_TRIES); tries++) {
      const job = await this.#readByPatch();
      if (!job) break;
      if (!this.#isOurs(job)) return;
      this.#version = job.metadata.resourceVersion;
    }
    await sessionGone(this.#api, { ...this.#owner, namespace, service }, GONE_WITHIN_MS);
  }

  get #jobPath(): string {
    return `${jobsPath(this.plan)}/${this.plan.name}`;
  }

  async #createOwned(secrets: SessionSecrets): Promise<void> {
    const { plan } = this;
    const core = `/api/v1/namespaces/${plan.namespace}`;
    // A Pod that starts before its Secret is there is tried again after a second and a half (2 of 10 starts, on one node).
    const secret = this.#create(`${core}/secrets`, sessionSecret(plan, this.#owner, secrets));
    const deployments = `/apis/apps/v1/namespaces/${plan.namespace}/deployments`;
    // Of two starts at the same time the one is first that makes this; the other makes no Service then.
    const control = this.#create(`${core}/services`, controlService(plan, this.#owner));
    const { run } = plan;
    const results = await Promise.allSettled(
      run
        ? [
          control,
          secret.then(() => this.#create(`${core}/pods`, runPod(plan, run, this.#owner).pod)),
        ]
        : [
          plan.joined ? control : control.then(() => this.#create(`${core}/services`, userService(plan, this.#owner))),
          secret.then(() => this.#create(deployments, serverDeployment(plan, this.#owner))),
        ],
    );
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

  /** Deletes the Job as it was last seen. @returns whether it is gone or going @throws what the API says; a conflict where it is the last try */
  async #deleteVersion(last: boolean): Promise<boolean> {
    try {
      // Without a policy, a Job that is deleted orphans all that it owns.
      await this.#api.delete(this.#jobPath, {
        propagationPolicy: "Background",
        uid: this.#owner.uid,
        ...(this.#version ? { resourceVersion: this.#version } : {}),
      });
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) return true;
      if (error.status !== 409 || last) throw error;
      return false;
    }
  }

  /** The Job as it is, by a patch that changes nothing: to read Jobs is no right that a session must have. @returns nothing where it has gone */
  async #readByPatch(): Promise<SessionJob | undefined> {
    try {
      return (await this.#api.mergePatch(this.#jobPath, { metadata: { uid: this.#owner.uid } })).body as SessionJob;
    } catch (error) {
      if (error instanceof ApiError && (error.status === 404 || error.status === 409)) return undefined;
      throw error;
    }
  }

  #isOurs({ metadata }: SessionJob): boolean {
    return metadata.annotations?.[Annotation.since] === this.plan.annotations[Annotation.since];
  }

  /** @returns whether the deadline was late already when it was set, since the clock given stood still while the machine slept */
  async #move({ annotations, ...metadata }: Partial<ObjectMetadata>, timeoutMs?: number): Promise<boolean> {
    const { ttlSeconds } = this.plan;
    const now = this.#now() + this.#clockOffset;
    const activeDeadlineSeconds = ttlSeconds > 0 ? Math.ceil((now - this.#startedAt) / 1000) + ttlSeconds : null;
    const job = await this.#patchJob({
      metadata: { ...metadata, annotations: { ...annotations, [Annotation.seen]: new Date(now).toISOString() } },
      spec: { activeDeadlineSeconds },
    }, timeoutMs);
    // A patch that comes too late is answered 200 and changes nothing (Kubernetes 1.34): only the answer tells.
    if (isExpired(job)) throw new SessionGoneError(`session ${this.plan.name} has ended: its time was over`, true);
    if (job.metadata.deletionTimestamp) throw await this.#gone();
    if (!this.#isOurs(job)) {
      const { who, from } = sessionOwner(job);
      throw this.#replacedBy(who, from);
    }
    this.#version = job.metadata.resourceVersion;
    if (job.status?.startTime) this.#startedAt = Date.parse(job.status.startTime);
    this.#deadline = activeDeadlineSeconds === null ? Infinity : this.#startedAt + activeDeadlineSeconds * 1000;
    return this.#now() + this.#clockOffset - now > LATE_MS;
  }

  async #patchJob(patch: Record<string, unknown>, timeoutMs?: number): Promise<SessionJob> {
    try {
      const answer = await this.#api.mergePatch(this.#jobPath, patch, timeoutMs === undefined ? {} : { timeoutMs });
      this.#noteClock(answer.date);
      return answer.body as SessionJob;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      this.#noteClock(error.date);
      throw await this.#gone(error);
    }
  }

  /** Why it has gone. Who made a session for the same Service has taken this one's place; else nobody knows who it was. */
  async #gone(cause?: ApiError): Promise<SessionGoneError> {
    const { name } = this.plan;
    // The garbage collector comes a moment after the deadline; who deletes it by hand is seldom so punctual.
    if (this.#now() + this.#clockOffset >= this.#deadline) {
      return new SessionGoneError(`session ${name} has ended: its time was over`, true, { cause });
    }
    const successor = await this.#successor();
    if (successor) return this.#replacedBy(successor[Annotation.who] ?? "", successor[Annotation.from] ?? "");
    return new SessionGoneError(`session ${name} has ended: somebody deleted it`, false, { cause });
  }

  /** The annotations of the session that has the Service now; who takes one over removes the old before the new is there. */
  async #successor(): Promise<Readonly<Record<string, string>> | undefined> {
    const { namespace, service, name } = this.plan;
    const until = performance.now() + SUCCESSOR_WITHIN_MS;
    do {
      const found = await this.#api.get(`/api/v1/namespaces/${namespace}/services/${controlServiceName(service)}`)
        .then(({ body }) => (body as { metadata: ObjectMetadata }).metadata, () => undefined);
      if (found && isOurs(found) && sessionOf(found) !== name) return found.annotations ?? {};
      await new Promise((resolve) => setTimeout(resolve, SUCCESSOR_POLL_MS));
    } while (performance.now() < until);
    return undefined;
  }

  #replacedBy(who: string, from: string): SessionGoneError {
    return new SessionGoneError(`session ${this.plan.name} has ended here: replaced by ${who} from ${from}`, false);
  }

  /** The Job as it is now. @throws SessionTakenError where it has become another user's, SessionGoneError where it has gone */
  async #stillTheSame({ metadata }: SessionJob): Promise<SessionJob> {
    const job = (await this.#api.get(this.#jobPath).catch((error) => {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }))?.body as SessionJob | undefined;
    if (!job || job.metadata.uid !== metadata.uid || isEnding(job)) {
      throw new SessionGoneError(`session ${this.plan.name} has ended: its time was over`, true);
    }
    const since = Annotation.since;
    if (job.metadata.annotations?.[since] !== metadata.annotations?.[since]) throw new SessionTakenError(sessionOwner(job));
    return job;
  }

  #noteClock(clusterDate: Date | undefined): void {
    if (clusterDate) this.#clockOffset = clusterDate.getTime() - this.#now();
  }
}

function jobsPath(plan: SessionPlan): string {
  return `/apis/batch/v1/namespaces/${plan.namespace}/jobs`;
}
