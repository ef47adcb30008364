/**
 * Each command once, the way kurun is started in this run: from source, on an older Deno, or compiled.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { answeredBy, answeringHere, OriginalWebhook } from "./answering_webhook.ts";
import { Files, kurun } from "./apply_runs.ts";
import { callFromPod, clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { KurunProcess } from "./kurun_process.ts";
import { programFolder } from "./run_process.ts";
import { serveHttp, type Upstream } from "./upstreams.ts";

const HELLO = programFolder("examples/hello");

/** A Job whose image is the source in examples/hello. */
const JOB = `apiVersion: batch/v1
kind: Job
metadata: {name: hello}
spec:
  template:
    spec:
      restartPolicy: Never
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - {name: hello, image: "kurun://${HELLO}", securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
`;

/** Runs a command to its end. @returns what it printed @throws if it fails */
async function output(namespace: TestNamespace, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await kurun(namespace, ...words);
  assert.equal(code, 0, `${words.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

/** Runs a command that has no namespace. */
async function outputOf(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await KurunProcess.run(words);
  assert.equal(code, 0, `${words.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

/** Starts forwarding the Service `laptop`. */
function forwarding({ url }: Upstream, { name }: TestNamespace): KurunProcess {
  return KurunProcess.start(["port-forward", url, "-n", name, "--servicename", "laptop"]);
}

const COMMANDS: Readonly<Record<string, (namespace: TestNamespace, job: string) => Promise<void>>> = {
  "port-forward": async (namespace) => {
    await using program = serveHttp(() => new Response("from this machine"));
    await using forward = await forwarding(program, namespace).ready();
    assert.match(await callFromPod(namespace, `http://laptop.${namespace.name}.svc`), /from this machine/);
    assert.match(await output(namespace, "ls"), /laptop/);
    forward.signal("SIGINT");
    assert.equal(await forward.ended(), 0);
  },
  webhook: async (namespace) => {
    await using original = await OriginalWebhook.start(namespace);
    await original.configure(namespace.name, [namespace.name]);
    await using program = answeringHere("here");
    await using webhook = KurunProcess.start(["webhook", program.url, "--config", namespace.name, "-n", namespace.name]);
    await webhook.answering();
    assert.equal(await answeredBy(namespace.name), "here");
    webhook.signal("SIGINT");
    assert.equal(await webhook.ended(), 0);
    assert.equal(await answeredBy(namespace.name), "original");
  },
  run: async (namespace) => {
    assert.match((await KurunProcess.run(["run", "-n", namespace.name, HELLO])).stdout, /^Hello, /);
    await using files = await Files.of({ "main.ts": 'console.log("from TypeScript");' });
    // A compiled kurun takes the deno in PATH.
    const env = { PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}` };
    assert.match((await KurunProcess.run(["run", "-n", namespace.name, files.path("main.ts")], env)).stdout, /^from TypeScript$/m);
  },
  apply: async (namespace, job) => {
    assert.equal(await output(namespace, "apply", "-f", job, "--wait"), "job.batch/hello serverside-applied\n");
    assert.match(await kubectl(["logs", "job/hello", "-n", namespace.name]), /^Hello, /);
  },
  resolve: async (namespace, job) => assert.match(await output(namespace, "resolve", "-f", job), /image: .*\/hello@sha256:/),
  build: async () => assert.match(await outputOf("build", HELLO), /\/hello@sha256:/),
  delete: async (namespace, job) => assert.match(await output(namespace, "delete", "-f", job), /^job\.batch "hello" deleted/),
  ls: async (namespace) => assert.equal(await output(namespace, "ls"), ""),
  stop: async (namespace) => {
    await using program = serveHttp(() => new Response());
    await using forward = await forwarding(program, namespace).ready();
    assert.match(await output(namespace, "stop", "laptop"), /laptop/);
    assert.notEqual(await forward.ended(), 0);
  },
  cleanup: async (namespace) => void await output(namespace, "cleanup"),
  doctor: async (namespace) => assert.match(await output(namespace, "doctor", "--request-timeout", "20s"), /^Nothing is missing/m),
  image: async () => {
    const file = await Deno.makeTempFile({ suffix: ".tar" });
    assert.match(await outputOf("image", "--output", file), /contains/);
    await Deno.remove(file);
  },
  version: async () => assert.match(await outputOf("version", "--client=false"), /^Kubernetes /m),
  completion: async () => assert.match(await outputOf("completion", "bash"), /complete -F/),
};

clusterTest("each command works", async (namespace) => {
  const listed = [...(await outputOf("--help")).matchAll(/^ {2}([a-z-]+) [<[].*/gm)].flatMap(([, name]) => name === "help" ? [] : name);
  assert.deepEqual(listed, Object.keys(COMMANDS));
  await using files = await Files.of({ "job.yaml": JOB });
  for (const [name, works] of Object.entries(COMMANDS)) {
    await works(namespace, files.path("job.yaml")).catch((error) => {
      throw new Error(`kurun ${name}: ${error.message}`, { cause: error });
    });
  }
});
