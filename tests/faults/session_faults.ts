/** Faults that people cause: other clients, removed rights, deleted objects. */
import { parseAllDocuments, stringify } from "yaml";
import { certificateAuthority } from "../certificate_authority.ts";
import { KurunProcess } from "../e2e/kurun_process.ts";
import { kubectl } from "../e2e/kubernetes.ts";
import type { Fault } from "./fault.ts";
import { WHILE_IT_GOES } from "./flow_records.ts";
import { pause, type Stage } from "./stage.ts";

const ROLE = new URL("../../docs/rbac-port-forward.yaml", import.meta.url);
const SESSION_LOST = 4;
const REFUSED = 3;
const CLEAN_UP_MS = 15_000;
const ROTATED_MS = 100_000;

/** @see Fault */
export const sessionFaults: readonly Fault[] = [
  {
    name: "the Secret of --tlssecret is rotated",
    says: "nothing; new connections get the new certificate",
    maySee: [],
    holdMs: 3_000,
    run: rotate,
  },
  {
    name: "a second client starts without --takeover",
    says: "nothing; the second is refused",
    maySee: [],
    holdMs: 3_000,
    run: async (stage) => {
      await stage.start();
      const faultAt = performance.now();
      const second = await KurunProcess.run(stage.portForward(stage.anotherUpstream()));
      stage.check(second.code === REFUSED, `the second client ended with exit code ${second.code}: ${second.stderr}`);
      stage.check(await stage.exit(0) === undefined, "the first client ended");
      return { faultAt };
    },
  },
  {
    name: "a second client starts with --takeover",
    says: "503 for requests in flight at the first; the second answers all others, and the first ends",
    maySee: ["503 lost"],
    holdMs: 3_000,
    run: async (stage) => {
      await stage.start();
      const first = stage.kurun;
      const faultAt = performance.now();
      stage.kurun = KurunProcess.startOn("desk-8", stage.portForward(stage.anotherUpstream(), "--takeover"));
      await stage.kurun.ready();
      const readyAt = performance.now();
      const code = await stage.exit(5_000, first);
      stage.check(code === SESSION_LOST, `the first client ended with exit code ${code ?? "nothing within 5 s"}: ${first.stderr}`);
      await stage.flow.untilAnswered(5_000);
      return { faultAt, again: { since: readyAt, withinMs: 1_000 }, figures: { "until the second forwards": readyAt - faultAt } };
    },
  },
  {
    name: "the client's rights are removed",
    says: "nothing until the client gives up, then 503 until the session ends; nothing is left after its ttl plus 15 s",
    maySee: WHILE_IT_GOES,
    holdMs: 3_000,
    run: removeRights,
  },
  {
    name: "the session's Job is deleted by hand",
    says: "answers, or no connection while the Service is removed; the client ends and says why; nothing is left after 15 s",
    maySee: WHILE_IT_GOES,
    holdMs: 3_000,
    run: async (stage) => {
      await stage.start();
      const faultAt = performance.now();
      await kubectl(["delete", "jobs", "--all", "-n", stage.namespace.name, "--cascade=background", "--wait=false"]);
      return await ends(stage, faultAt, /session \S+ has ended: it was deleted in the cluster, for instance by kurun stop$/m);
    },
  },
  {
    name: "the namespace is deleted",
    says:
      "answers until the Pod's grace period is over, or no connection while the Service is removed; the client ends and says why; nothing " +
      "is left after 20 s",
    // The Service leads to the last Pod until that ends; the kernel then resets the connections that it had not accepted.
    maySee: [...WHILE_IT_GOES, "reset"],
    holdMs: 3_000,
    run: async (stage) => {
      await stage.start();
      const faultAt = performance.now();
      await kubectl(["delete", "namespace", stage.namespace.name, "--wait=false"]);
      // Which of them the client looks at first after it is gone depends on the moment.
      return await ends(stage, faultAt, /session \S+ has ended: |^error: (Service|ConfigMap|Secret) \S+ was deleted\. /m, 20_000);
    },
  },
];

/** The session's objects are being removed. Requests flow until then; the client must end by itself, at its next renewal (30 s) at the latest. */
async function ends(stage: Stage, faultAt: number, says: RegExp, goneMs = CLEAN_UP_MS) {
  await stage.flowUntilServiceGone(goneMs);
  const left = await stage.untilGone(goneMs - (performance.now() - faultAt));
  stage.check(left.length === 0, `left after ${goneMs / 1000} s: ${left.join(", ")}`);
  const goneAt = performance.now();
  const code = await stage.exit(35_000);
  stage.check(code === SESSION_LOST, `the client ended with exit code ${code ?? "nothing within 35 s"}`);
  stage.check(says.test(stage.kurun.stderr), `the client did not say ${says}`);
  return { faultAt, figures: { "until nothing was left": goneAt - faultAt, "until the client ended": performance.now() - faultAt } };
}

async function rotate(stage: Stage) {
  const name = `kurun.${stage.namespace.name}.svc`;
  const authorities = await Promise.all(
    ["before", "after"].map((commonName) => certificateAuthority({ commonName, days: 1, now: new Date() })),
  );
  const [before, after] = authorities as [typeof authorities[0], typeof authorities[0]];
  await putCertificate(stage, name, before!);
  const args = ["--tlssecret", "mine", "--serviceport", "443"];
  const ca = authorities.map(({ certPem }) => certPem);
  await stage.start({ args, to: (host) => ({ host, port: 443, tls: { name, ca } }) });
  const faultAt = performance.now();
  await putCertificate(stage, name, after!);
  const pod = (await kubectl(["get", "pods", "-n", stage.namespace.name, "-o", "name"])).trim();
  // A changed annotation makes the kubelet sync the Pod's volumes immediately instead of within a minute.
  await kubectl(["annotate", pod, "-n", stage.namespace.name, "hasten=1"]);
  using renewed = Deno.createHttpClient({ caCerts: [after!.certPem], poolMaxIdlePerHost: 0 });
  for (;;) {
    const served = await fetch(`https://${name}/renewed-${crypto.randomUUID()}`, { client: renewed })
      .then(async (answer) => (await answer.text(), true), () => false);
    if (served) break;
    if (performance.now() - faultAt > ROTATED_MS) throw new Error(`the new certificate was not served within ${ROTATED_MS / 1000} s`);
    await pause(250);
  }
  return { faultAt, figures: { "until the new certificate was served": performance.now() - faultAt } };
}

async function putCertificate(stage: Stage, name: string, authority: Awaited<ReturnType<typeof certificateAuthority>>): Promise<void> {
  const { certPem, keyPem } = await authority.issue({ names: [name], days: 1, now: new Date() });
  const secret = { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", metadata: { name: "mine" } };
  const stringData = { "tls.crt": certPem, "tls.key": keyPem };
  await kubectl(["apply", "-n", stage.namespace.name, "-f", "-"], JSON.stringify({ ...secret, stringData }));
}

async function removeRights(stage: Stage) {
  const ttlSeconds = 20;
  const namespace = stage.namespace.name;
  const objects = parseAllDocuments(await Deno.readTextFile(ROLE)).map((document) => stringify(document.toJS()));
  await kubectl(["create", "serviceaccount", "kurun", "-n", namespace]);
  await kubectl(["create", "-n", namespace, "-f", "-"], objects.join("---\n"));
  const token = (await kubectl(["create", "token", "kurun", "-n", namespace])).trim();
  const kubeconfig = await stage.kubeconfig((kubeconfig) => {
    kubeconfig.users = [{ name: "least", user: { token } }];
    Object.assign(kubeconfig.contexts[0]!.context, { user: "least" });
  });
  await stage.start({ args: ["--kubeconfig", kubeconfig, "--ttl", `${ttlSeconds}s`] });
  const faultAt = performance.now();
  await kubectl(["delete", "rolebinding", "kurun", "-n", namespace]);
  const limit = ttlSeconds * 1000 + CLEAN_UP_MS;
  await stage.flowUntilServiceGone(limit);
  const left = await stage.untilGone(limit - (performance.now() - faultAt));
  stage.check(left.length === 0, `left ${limit / 1000} s after the rights were removed: ${left.join(", ")}`);
  const code = await stage.exit(Math.max(0, limit - (performance.now() - faultAt)));
  const endedAt = performance.now();
  stage.check(code === SESSION_LOST, `the client ended with exit code ${code ?? `nothing within ${limit / 1000} s`}`);
  stage.check(
    /^error: .*(cannot|may not|forbidden|not allowed|lacks)/m.test(stage.kurun.stderr),
    "the client did not say which right it lacks",
  );
  return { faultAt, figures: { "until the client had ended and nothing was left": endedAt - faultAt } };
}
