import assert from "node:assert/strict";
import { parseAllDocuments, stringify } from "yaml";
import { KubeconfigFile } from "./kubeconfig_file.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { inShell, programFolder } from "./run_process.ts";

const BEHAVE = programFolder("tests/programs/behave");

/** Runs a command line with a mistake, and asserts that nothing is left behind. */
async function mistake(
  namespace: TestNamespace,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stderr: string }> {
  const { code, stdout, stderr } = await KurunProcess.run(["run", "-n", namespace.name, ...args], env);
  assert.equal(stdout, "");
  assert.deepEqual(await namespace.left(), []);
  return { code, stderr };
}

clusterTest("a missing file, a missing go, a broken program and a broken module give one sentence each", async (namespace) => {
  const nothing = await mistake(namespace, ["nothing.go"]);
  assert.deepEqual(nothing, { code: 2, stderr: "error: there is no file or folder nothing.go\n" });
  const [deno] = [Deno.execPath()];
  const path = await Deno.makeTempDir();
  await Deno.symlink(deno, `${path}/deno`);
  const noGo = await mistake(namespace, [BEHAVE, "exit", "0"], { PATH: path });
  assert.equal(noGo.code, 125);
  assert.match(noGo.stderr, /^error: go was not found in PATH[^\n]*\n$/);
  await Deno.writeTextFile(`${path}/main.go`, "package main\nfunc main() { x }\n");
  const broken = await mistake(namespace, [`${path}/main.go`]);
  assert.equal(broken.code, 125);
  assert.match(broken.stderr, /main\.go:2:15: undefined: x\nerror: go build failed with exit code 1: see above\n$/);
  await Deno.writeTextFile(`${path}/go.mod`, "modul x\n");
  const module = await mistake(namespace, [`${path}/main.go`]);
  assert.equal(module.code, 125);
  assert.match(module.stderr, /go\.mod:1: unknown directive: modul\n[^]*error: [^\n]*\n$/);
  await Deno.remove(path, { recursive: true });
});

clusterTest(
  "an unknown ServiceAccount, a quota, a refused admission and an unknown namespace give the cluster's own sentence",
  async (namespace) => {
    const account = await mistake(namespace, ["--serviceaccount", "nobody", BEHAVE, "exit", "0"]);
    assert.equal(account.code, 125);
    assert.match(account.stderr, /^Error from server \(Forbidden\): [^\n]* serviceaccount "nobody" not found\n$/);
    const refused = await mistake(namespace, ["--overrides", "spec: {hostNetwork: true}", BEHAVE, "exit", "0"]);
    assert.equal(refused.code, 125);
    assert.match(
      refused.stderr,
      /^Error from server \(Forbidden\): [^\n]* violates PodSecurity "restricted:latest": host namespaces [^\n]*\n$/,
    );
    const unknown = await KurunProcess.run(["run", "-n", "no-such-namespace", BEHAVE, "exit", "0"]);
    assert.deepEqual([unknown.code, unknown.stdout], [125, ""]);
    assert.match(unknown.stderr, /^error: namespace no-such-namespace does not exist: [^\n]*\n$/);
    await kubectl(["create", "quota", "small", "--hard=pods=5,limits.memory=256Mi", "-n", namespace.name]);
    const untold = await mistake(namespace, [BEHAVE, "exit", "0"]);
    assert.equal(untold.code, 125);
    assert.match(
      untold.stderr,
      /^Error from server \(Forbidden\): [^\n]* must specify limits\.memory [^\n]*\n {2}Set the Pod's resources with --requests and --limits\.\n$/,
    );
    const over = await mistake(namespace, ["--limits", "memory=1Gi", BEHAVE, "exit", "0"]);
    assert.match(over.stderr, /^Error from server \(Forbidden\): [^\n]* exceeded quota: small[^\n]*\n$/);
    const { code } = await KurunProcess.run(["run", "-n", namespace.name, "--limits", "memory=200Mi", BEHAVE, "exit", "0"]);
    assert.equal(code, 0);
    const limits = [{ type: "Container", maxLimitRequestRatio: { memory: "4" } }];
    const range = { apiVersion: "v1", kind: "LimitRange", metadata: { name: "ratio" }, spec: { limits } };
    await kubectl(["create", "-n", namespace.name, "-f", "-"], JSON.stringify(range));
    const unequal = await mistake(namespace, ["--limits", "memory=200Mi", "--requests", "memory=10Mi", BEHAVE, "exit", "0"]);
    assert.match(
      unequal.stderr,
      /^[^\n]* memory max limit to request ratio [^\n]*\n {2}Set the Pod's resources with --requests and --limits\.\n$/,
    );
  },
);

clusterTest("without --requests and --limits the Pod gets the defaults of a LimitRange", async (namespace) => {
  const limits = [{ type: "Container", default: { memory: "210Mi" }, defaultRequest: { memory: "70Mi" } }];
  const range = { apiVersion: "v1", kind: "LimitRange", metadata: { name: "range" }, spec: { limits } };
  await kubectl(["create", "-n", namespace.name, "-f", "-"], JSON.stringify(range));
  await using kurun = KurunProcess.start(["run", "-n", namespace.name, "--name", "ranged", BEHAVE, "graceful"]);
  await kurun.waitFor(/ready/);
  const path = "jsonpath={.spec.containers[0].resources}";
  const resources = JSON.parse(await kubectl(["get", "pod", "ranged", "-n", namespace.name, "-o", path]));
  assert.deepEqual(resources, { limits: { memory: "210Mi" }, requests: { memory: "70Mi" } });
});

clusterTest("a full emptyDir and a missing working folder are reported with exit code 125", async (namespace) => {
  const volume = { name: "program", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } };
  const full = await mistake(namespace, ["--overrides", JSON.stringify({ spec: { volumes: [volume] } }), BEHAVE, "exit", "0"]);
  assert.equal(full.code, 125);
  assert.match(full.stderr, /^error: the program could not be started: the Pod cannot store it: No space left on device[^\n]*\n$/);
  const folder = await mistake(namespace, ["--workdir", "/nowhere", BEHAVE, "exit", "0"]);
  assert.deepEqual(folder, { code: 125, stderr: "error: the program could not be started: there is no folder /nowhere in the Pod\n" });
});

clusterTest("fields that --overrides cannot change are reported, and the others are applied", async (namespace) => {
  const overrides = {
    apiVersion: "v1",
    metadata: { name: "mine", labels: { team: "a" } },
    spec: { restartPolicy: "Always", containers: [{ name: "with", image: "other", env: [{ name: "SHOWN", value: "by overrides" }] }] },
  };
  const flags = ["--name", "with", "--overrides", JSON.stringify(overrides)];
  const { code, stdout, stderr } = await KurunProcess.run(["run", "-n", namespace.name, ...flags, BEHAVE, "show"]);
  assert.deepEqual([code, stdout], [0, '[]\n"by overrides"\n/tmp\n']);
  assert.deepEqual(stderr.trim().split("\n"), [
    "Warning: --overrides: metadata.name: use --name: ignored",
    "Warning: --overrides: spec.restartPolicy: a program runs once: ignored",
    "Warning: --overrides: spec.containers[name=program].image: use --server-image: ignored",
  ]);
});

clusterTest("a local port that is taken is reported before anything is created", async (namespace) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, stderr } = await mistake(namespace, ["-p", `${listener.addr.port}:8080`, BEHAVE, "exit", "0"]);
  assert.equal(code, 125);
  assert.match(stderr, /^error: -p: cannot listen on port \d+ of this machine \(127\.0\.0\.1\): [^\n]*in use[^\n]*\n$/);
});

clusterTest("--dry-run prints the objects and creates nothing", async (namespace) => {
  const line = `"$@" run -n ${namespace.name} --dry-run=client --name dry --limits memory=1Gi ${BEHAVE} exit 0`;
  const { code, stdout, stderr } = await inShell(line);
  assert.deepEqual([code, stderr], [0, ""]);
  const objects = parseAllDocuments(stdout).map((document) => document.toJS());
  assert.deepEqual(objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`), [
    "Job/dry",
    "Service/dry-kurun",
    "Secret/dry",
    "ConfigMap/dry",
    "Pod/dry",
  ]);
  assert.deepEqual(objects[4].spec.containers[0].resources, { limits: { memory: "1Gi" } });
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("the Role of docs/rbac-run.yaml is enough to run programs, and a missing right is named", async (namespace) => {
  const text = await Deno.readTextFile(new URL("../../docs/rbac-run.yaml", import.meta.url));
  const [role, binding] = parseAllDocuments(text).map((document) => document.toJS());
  await kubectl(["create", "serviceaccount", "kurun", "-n", namespace.name]);
  await kubectl(["create", "-n", namespace.name, "-f", "-"], `${stringify(role)}---\n${stringify(binding)}`);
  const token = (await kubectl(["create", "token", "kurun", "-n", namespace.name])).trim();
  await using kubeconfig = await KubeconfigFile.create((kubeconfig) => {
    kubeconfig.users = [{ name: "least", user: { token } }];
    Object.assign(kubeconfig.contexts[0]!.context, { user: "least" });
  });
  const args = ["run", "-n", namespace.name, "--kubeconfig", kubeconfig.path, BEHAVE, "exit", "6"];
  assert.deepEqual(await KurunProcess.run(args), { code: 6, stdout: "", stderr: "" });
  assert.deepEqual(await namespace.left(), []);
  const pods = role.rules.find(({ resources, verbs }: { resources: string[]; verbs: string[] }) =>
    resources[0] === "pods" && verbs[0] === "create"
  );
  pods.verbs = ["watch"];
  await kubectl(["replace", "-n", namespace.name, "-f", "-"], stringify(role));
  const { code, stderr } = await mistake(namespace, args.slice(3));
  assert.equal(code, 125);
  assert.match(
    stderr,
    /^error: user least lacks rights that this command needs; nothing was created:\n {2}cannot create pods in namespace \S+\n/,
  );
});

clusterTest("a Pod that exceeds the size of its /tmp is evicted, with the cluster's reason", async (namespace) => {
  const folder = await Deno.makeTempDir();
  const source =
    `package main\nimport ("os"; "time")\nfunc main() { os.WriteFile("/tmp/x", make([]byte, 8<<20), 0o600); time.Sleep(time.Hour) }\n`;
  await Deno.writeTextFile(`${folder}/fill.go`, source);
  const overrides = JSON.stringify({ spec: { volumes: [{ name: "tmp", emptyDir: { sizeLimit: "1Mi" } }] } });
  const { code, stderr } = await mistake(namespace, ["--overrides", overrides, `${folder}/fill.go`]);
  await Deno.remove(folder, { recursive: true });
  assert.equal(code, 4);
  assert.match(stderr, /error: the cluster ended Pod \S+: Evicted: Usage of EmptyDir volume "tmp" exceeds the limit "1Mi"[^\n]*\n$/);
});

clusterTest(
  "output that is lost to a full disk is an error with its reason, and never exit code 0",
  async (namespace) => {
    const run = `"$@" run -n ${namespace.name} ${BEHAVE}`;
    const lost = (output: string) =>
      `error: the program's ${output} could not be written: No space left on device (os error 28). The rest of it is lost.\n`;
    assert.deepEqual(await inShell(`${run} lines 10 2>&1 > /dev/full | grep -v '^err 0'; exit \${PIPESTATUS[0]}`), {
      code: 1,
      stdout: lost("stdout"),
      stderr: "",
    });
    assert.deepEqual(await inShell(`${run} lines 10 2> /dev/full | wc -l; exit \${PIPESTATUS[0]}`), {
      code: 1,
      stdout: "10\n",
      stderr: "",
    });
    const endless = await inShell(`${run} tick > /dev/full`);
    assert.deepEqual(endless, { code: 141, stdout: "", stderr: lost("stdout") });
    const small = await Deno.makeTempDir();
    const disk =
      `mount -t tmpfs -o size=100k none ${small}; ${run} lines 100000 2> /dev/null > ${small}/out; echo $?; wc -c < ${small}/out`;
    assert.deepEqual(await inShell(`unshare -m bash -c '${disk}' bash "$@"`), { code: 0, stdout: "141\n102400\n", stderr: "" });
    assert.deepEqual(await namespace.left(), []);
  },
);

clusterTest(
  "what works on this machine but not in the Pod is explained: cgo, files next to the program, flags behind it",
  async (namespace) => {
    const folder = await Deno.makeTempDir();
    const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text);
    await write("cgo.go", 'package main\n\n// #include <stdlib.h>\nimport "C"\n\nfunc main() { println(int(C.abs(-3))) }\n');
    const cgo = await mistake(namespace, [`${folder}/cgo.go`]);
    assert.equal(cgo.code, 125);
    assert.match(
      cgo.stderr,
      /error: \S+cgo\.go needs cgo \([^\n]*cgo\.go\), and kurun builds Go programs with CGO_ENABLED=0\.\n {2}[^\n]*Dockerfile[^\n]*\n$/,
    );
    await write("data.txt", "data");
    await write(
      "read.go",
      'package main\n\nimport (\n\t"log"\n\t"os"\n)\n\nfunc main() {\n\t_, err := os.ReadFile("data.txt")\n\tlog.Fatal(err)\n}\n',
    );
    const missing = await mistake(namespace, [`${folder}/read.go`]);
    assert.equal(missing.code, 1);
    assert.match(
      missing.stderr,
      /no such file or directory\ndata\.txt is on this machine, but only the program itself runs in the Pod[^\n]*\n {2}Embed it/,
    );
    await write("read.ts", 'console.log(Deno.readTextFileSync(new URL("./data.txt", import.meta.url)));\n');
    const script = await mistake(namespace, [`${folder}/read.ts`, "-n", "other"]);
    assert.equal(script.code, 1);
    assert.match(
      script.stderr,
      /^Warning: -n follows the program[^]*Warning: \S+data\.txt is not sent to the cluster[^]*\ndata\.txt is on this machine/,
    );
    await Deno.remove(folder, { recursive: true });
  },
);

clusterTest("a missing right names the user of --as and the Role of kurun run", async (namespace) => {
  const { code, stderr } = await mistake(namespace, ["--as", "bob", BEHAVE, "exit", "0"]);
  assert.equal(code, 125);
  assert.match(
    stderr,
    /^error: user bob lacks rights [^]*\nAsk the cluster's administrator to apply the Role that this prints: kurun doctor --rbac --for run -n /,
  );
});
