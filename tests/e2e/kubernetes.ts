/** What kubectl says if it could not ask, or did not hear the answer. */
const NOT_HEARD =
  /refused|reset by peer|broken pipe|\bEOF\b|[Tt]ime(d )?out|TLS handshake|http2:|etcdserver|ServiceUnavailable|unable to handle the request|leader changed/;

/** While the cluster is disturbed on purpose (tests/chaos.ts), kubectl is run again for this long: what a test looks at is not its subject. */
const PATIENCE_MS = Number(Deno.env.get("KURUN_TEST_PATIENCE_MS") ?? 0);

/** Runs kubectl against the test cluster. @throws with its output if it fails */
export async function kubectl(args: string[], input?: string): Promise<string> {
  const until = performance.now() + PATIENCE_MS;
  for (let again = false;; again = true) {
    const { code, stdout, stderr } = await kubectlOnce(args, input);
    // What was not heard may have been done.
    if (code === 0 || (again && /\(AlreadyExists\)/.test(stderr) && args[0] === "create")) return stdout;
    if (again && /\(NotFound\)/.test(stderr) && args[0] === "delete") return stdout;
    if (!NOT_HEARD.test(stderr) || performance.now() > until) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function kubectlOnce(args: string[], input: string | undefined): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = new Deno.Command("kubectl", { args, stdin: input === undefined ? "null" : "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** The log of a Pod, or of what kubectl finds a Pod for, once it matches: a line may come later than what it is about. @throws with the log after 30 s */
export async function logOf({ name }: TestNamespace, pod: string, pattern: RegExp): Promise<string> {
  const until = performance.now() + 30_000;
  for (;;) {
    const text = await kubectl(["logs", pod, "-n", name]).catch((error) => String(error));
    if (pattern.test(text)) return text;
    if (performance.now() > until) {
      throw new Error(`${pod} never said ${pattern}:\n${text}\n${await kubectl(["describe", "pods", "-n", name])}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** What a new Pod gets from a URL. */
export async function callFromPod(namespace: TestNamespace, url: string): Promise<string> {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "caller" },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
      containers: [{
        name: "caller",
        image: "kurun.test/toolbox:1",
        imagePullPolicy: "Never",
        args: ["http", url],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      }],
    },
  };
  await kubectl(["create", "-n", namespace.name, "-f", "-"], JSON.stringify(pod));
  await kubectl(["wait", "-n", namespace.name, "--for=jsonpath={.status.phase}=Succeeded", "pod/caller", "--timeout=30s"]);
  return await kubectl(["logs", "-n", namespace.name, "caller"]);
}

/** Prints what a test has measured. */
export function printFigure(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** An object, as JSON. */
export interface ListedObject {
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    deletionTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: { uid: string }[];
  };
  // deno-lint-ignore no-explicit-any -- tests read different fields of each kind
  [field: string]: any;
}

const KINDS = "jobs,deployments,replicasets,pods,services,secrets,configmaps";

/** All objects in a namespace of the kinds that kurun creates. */
export async function objectsIn(namespace: string): Promise<ListedObject[]> {
  const list = JSON.parse(await kubectl(["get", KINDS, "-n", namespace, "-o", "json"]));
  // Every namespace has that one.
  return list.items.filter(({ metadata }: ListedObject) => metadata.name !== "kube-root-ca.crt");
}

/** The label of namespaces that are kept. */
export const KEPT_BY = "kurun.test/kept-by";
/** Namespaces are not removed when their tests end, so that what kurun left in them can be seen; they get this label value. */
const KEPT = Deno.env.get("KURUN_TEST_KEEP");

/** A test's own namespace, which admits only Pods that pass `restricted`. Removed when the test ends. */
export class TestNamespace implements AsyncDisposable {
  private constructor(readonly name: string) {}

  static async create(): Promise<TestNamespace> {
    const name = `t-${crypto.randomUUID().slice(0, 8)}`;
    const level = "pod-security.kubernetes.io";
    await kubectl(
      ["create", "-f", "-"],
      JSON.stringify({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name, labels: { [`${level}/enforce`]: "restricted", [`${level}/warn`]: "restricted", ...KEPT && { [KEPT_BY]: KEPT } } },
      }),
    );
    return new TestNamespace(name);
  }

  /** A Service's address inside the cluster, as in a URL. */
  async address(service = "kurun"): Promise<string> {
    const address = await kubectl(["get", "service", service, "-n", this.name, "-o", "jsonpath={.spec.clusterIP}"]);
    return address.includes(":") ? `[${address}]` : address;
  }

  /** Waits until a Service leads to ready Pods only: kurun's own has its first one as soon as that has an address. */
  async onlyReadyPods(service = "kurun"): Promise<void> {
    const until = performance.now() + 10_000;
    while (await kubectl(["get", "service", service, "-n", this.name, "-o", "jsonpath={.spec.publishNotReadyAddresses}"]) === "true") {
      if (performance.now() > until) throw new Error(`Service ${service} still has Pods that are not ready after 10 s`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** All objects of the kinds that kurun creates, except those marked for deletion, as `Job/NAME`. */
  async left(): Promise<string[]> {
    return named((await objectsIn(this.name)).filter(({ metadata }) => !metadata.deletionTimestamp));
  }

  /** Those of {@link left} that belong to a session. */
  async leftOfKurun(): Promise<string[]> {
    const left = (await objectsIn(this.name)).filter(({ metadata }) => !metadata.deletionTimestamp);
    return named(left.filter(({ metadata }) => metadata.labels?.["kurun.dev/session"]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (KEPT) return;
    await kubectl(["delete", "namespace", this.name, "--wait=false"]);
  }
}

function named(objects: readonly ListedObject[]): string[] {
  return objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
}

/** Why tests that need a cluster cannot run, if they cannot; they are then counted as skipped. */
const NO_CLUSTER = Deno.env.get("KURUN_NO_CLUSTER");

/** A regular expression for the names of tests to leave out: the slow ones in the runs of tests/extra_runs.ts. */
const LEFT_OUT = Deno.env.get("KURUN_LEAVE_OUT");

/** A test may take so many milliseconds: chaos may prevent what it waits for, such as a refusal. */
const LIMIT_MS = Number(Deno.env.get("KURUN_TEST_LIMIT_MS") ?? 0);

/** What is said of a test that was given up then. */
export const GIVEN_UP = "did not end within";

/** A test on the real cluster, in its own namespace. */
export function clusterTest(name: string, fn: (namespace: TestNamespace) => Promise<void>): void {
  Deno.test({
    name,
    ignore: NO_CLUSTER !== undefined || (LEFT_OUT !== undefined && new RegExp(LEFT_OUT).test(name)),
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using namespace = await TestNamespace.create();
      await withinLimit(fn(namespace));
    },
  });
}

async function withinLimit(test: Promise<void>): Promise<void> {
  if (LIMIT_MS === 0) return await test;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`the test ${GIVEN_UP} ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  // What fails later is not what the test is about.
  test.catch(() => {});
  await Promise.race([test, late.promise]).finally(() => clearTimeout(timer));
}
