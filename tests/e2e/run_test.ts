import assert from "node:assert/strict";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { inShell, programFolder } from "./run_process.ts";

const BEHAVE = programFolder("tests/programs/behave");

/** A command line for the test program, which behaves as its arguments say. */
function behave(namespace: TestNamespace, flags: string[], ...args: string[]): string[] {
  return ["run", "-n", namespace.name, ...flags, BEHAVE, ...args];
}

clusterTest("a Go program with modules runs in the Pod and leaves nothing behind", async (namespace) => {
  const { code, stdout, stderr } = await KurunProcess.run(["run", "-n", namespace.name, programFolder("examples/hello")]);
  assert.match(stdout, /^Hello, world, from hello-[a-z0-9]{5}\n$/);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("kurun has the program's exit code, and a panic is printed on stderr", async (namespace) => {
  for (const expected of [0, 3, 137]) {
    const { code, stdout, stderr } = await KurunProcess.run(behave(namespace, [], "exit", String(expected)));
    assert.deepEqual({ code, stdout, stderr }, { code: expected, stdout: "", stderr: "" });
  }
  const { code, stdout, stderr } = await KurunProcess.run(behave(namespace, [], "panic"));
  assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
  assert.match(stderr, /^panic: it panics\n\ngoroutine 1 /);
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("arguments and environment variables arrive exactly as typed", async (namespace) => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, `# a comment\nSHOWN=from the file\nOTHER=1\n`);
  const args = ["a b", "", "$(POD_NAME)", '"quoted"', "--", "-n", "$HOME", "é"];
  const flags = ["--env-file", file, "-e", "SHOWN=$(POD_NAME) 'x' \"y\" ", "--workdir", "/kurun"];
  const { code, stdout } = await KurunProcess.run(behave(namespace, flags, "show", ...args));
  await Deno.remove(file);
  const quoted = args.map((arg) => JSON.stringify(arg)).join(" ");
  assert.deepEqual({ code, stdout }, { code: 0, stdout: `[${quoted}]\n"$(POD_NAME) 'x' \\"y\\" "\n/kurun\n` });
});

clusterTest("standard input is piped: one line, 5 MB, and no bytes", async (namespace) => {
  const cat = `"$@" run -n ${namespace.name} ${programFolder("examples/cat/cat.go")}`;
  const line = await inShell(`echo hi | ${cat}`);
  assert.deepEqual(line, { code: 0, stdout: "hi\n", stderr: "3 bytes\n" });
  const large = await inShell(`head -c 5000000 /dev/urandom > in; ${cat} < in | cmp - in && rm in`, { cwd: await Deno.makeTempDir() });
  assert.deepEqual(large, { code: 0, stdout: "", stderr: "5000000 bytes\n" });
  assert.deepEqual(await inShell(`${cat} < /dev/null`), { code: 0, stdout: "", stderr: "0 bytes\n" });
});

clusterTest(
  "stdout and stderr are separate and complete, 10 MB each, and the program ends when the reader closes the pipe",
  async (namespace) => {
    const { code, stdout, stderr } = await KurunProcess.run(behave(namespace, [], "lines", "200000"));
    assert.equal(code, 0);
    const expected = Array.from({ length: 200_000 }, (_, i) => ` ${String(i).padStart(45, "0")}\n`);
    assert.equal(stdout.length, 10_000_000);
    assert.ok(stdout === expected.map((line) => `out${line}`).join(""), "standard output is not what was written");
    assert.ok(stderr === expected.map((line) => `err${line}`).join(""), "standard error is not what was written");
    const head = await inShell(`"$@" run -n ${namespace.name} ${BEHAVE} tick | head -n 2; echo \${PIPESTATUS[0]}`);
    assert.deepEqual(head, { code: 0, stdout: "tick 0\ntick 1\n141\n", stderr: "" });
    assert.deepEqual(await namespace.left(), []);
  },
);

clusterTest("Ctrl+C sends SIGINT to the program, a second one kills it, and other signals arrive unchanged", async (namespace) => {
  for (const [signal, word] of [["SIGINT", "interrupt"], ["SIGTERM", "terminated"], ["SIGHUP", "hangup"], ["SIGQUIT", "quit"]] as const) {
    const kurun = KurunProcess.start(behave(namespace, [], "graceful"));
    await kurun.waitFor(/ready\n/);
    kurun.signal(signal);
    assert.equal(await kurun.exit, 7);
    assert.equal(kurun.stdout, `ready\ngot ${word}\n`);
  }
  const kurun = KurunProcess.start(behave(namespace, [], "stubborn"));
  await kurun.waitFor(/ready\n/);
  kurun.signal("SIGINT");
  await new Promise((resolve) => setTimeout(resolve, 500));
  kurun.signal("SIGINT");
  assert.equal(await kurun.exit, 137);
  assert.equal(kurun.stderr, "");
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("Ctrl+C at any moment before the program runs leaves nothing behind", async (namespace) => {
  // With an empty build cache the build takes seconds.
  const cold = { GOCACHE: await Deno.makeTempDir() };
  const building = KurunProcess.start(behave(namespace, [], "tick"), cold);
  await waitForObject(namespace);
  building.signal("SIGINT");
  assert.deepEqual([await building.exit, building.stdout], [130, ""]);
  await Deno.remove(cold.GOCACHE, { recursive: true });
  const pending = KurunProcess.start(behave(namespace, ["--requests", "memory=900Gi"], "tick"));
  await pending.waitFor(/Waiting for the Pod: Unschedulable: .*Insufficient memory/);
  pending.signal("SIGINT");
  assert.deepEqual([await pending.exit, pending.stdout], [130, ""]);
  for (let ms = 250; ms < 1500; ms += 150) {
    const kurun = KurunProcess.start(behave(namespace, [], "tick"));
    await new Promise((resolve) => setTimeout(resolve, ms));
    kurun.signal("SIGINT");
    assert.ok([130].includes(await kurun.exit), kurun.stderr);
  }
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("after kill -9 nothing is left once --ttl is over, not even the program", async (namespace) => {
  const kurun = KurunProcess.start(behave(namespace, ["--ttl", "5s"], "tick"));
  await kurun.waitFor(/tick 5\n/);
  kurun.signal("SIGKILL");
  await kurun.exit;
  assert.notDeepEqual(await namespace.left(), []);
  const until = performance.now() + 30_000;
  while ((await namespace.left()).length > 0) {
    assert.ok(performance.now() < until, `left: ${await namespace.left()}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
});

clusterTest("exit code 137 is explained if the Pod ran out of memory", async (namespace) => {
  const { code, stderr } = await KurunProcess.run(behave(namespace, ["--limits", "memory=100Mi"], "eat"));
  assert.equal(code, 137);
  assert.match(stderr, /^The program was killed \(exit code 137\): the Pod's memory ran out\. Give it more with --limits memory=…\n$/);
});

clusterTest("a deleted Pod is reported with exit code 4", async (namespace) => {
  const kurun = KurunProcess.start(behave(namespace, ["--name", "gone"], "stubborn"));
  await kurun.waitFor(/ready\n/);
  await kubectl(["delete", "pod", "gone", "-n", namespace.name, "--wait=false", "--grace-period=1"]);
  assert.equal(await kurun.exit, 4);
  // The connection may end before the API server says why.
  assert.match(kurun.stderr, /^(?:Connection lost: [^\n]*\n)?error: Pod gone was deleted, by someone or with its node\n$/);
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("the output of a program whose Pod is deleted is printed to its end", async (namespace) => {
  const kurun = KurunProcess.start(behave(namespace, ["--name", "gone"], "graceful", "3s"));
  await kurun.waitFor(/ready\n/);
  await kubectl(["delete", "pod", "gone", "-n", namespace.name, "--wait=false"]);
  assert.equal(await kurun.exit, 4);
  assert.equal(kurun.stdout, "ready\ngot terminated\nbye\n");
  assert.equal(kurun.stderr, "error: Pod gone was deleted, by someone or with its node\n");
});

clusterTest("with --rm=false the Pod stays, and its name is refused until it is removed", async (namespace) => {
  const flags = ["--name", "kept", "--rm=false"];
  const { code, stderr } = await KurunProcess.run(behave(namespace, flags, "exit", "3"));
  assert.equal(code, 3);
  assert.match(stderr, /^Pod kept stays for 120 s: kurun stop kept -n \S+ removes it\n$/);
  assert.equal(await kubectl(["get", "pod", "kept", "-n", namespace.name, "-o", "jsonpath={.status.phase}"]), "Running");
  const again = await KurunProcess.run(behave(namespace, flags, "exit", "3"));
  assert.equal(again.code, 125);
  assert.match(
    again.stderr,
    /^error: --name kept: an object of \S+ with that name already exists in namespace \S+\. Choose another name, or remove it: kurun stop /,
  );
  assert.equal((await KurunProcess.run(["stop", "kept", "-n", namespace.name])).code, 0);
  // Its Pod would wait 9 s for a client to read the last output.
  await kubectl(["delete", "pod", "kept", "-n", namespace.name, "--wait=false", "--grace-period=1", "--ignore-not-found"]);
  assert.equal((await KurunProcess.run(behave(namespace, ["--name", "kept"], "exit", "5"))).code, 5);
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("a TypeScript program with npm packages runs as the main module, with arguments and standard input", async (namespace) => {
  const words = programFolder("examples/words");
  const { code, stdout, stderr } = await inShell(`printf 'a b a c a b' | "$@" run -n ${namespace.name} ${words} -- --top 2`);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.equal(stdout, "3 a\n2 b\n");
});

clusterTest("with --image, Go and TypeScript programs run in that image", async (namespace) => {
  const run = ["run", "-n", namespace.name, "--image", "kurun.test/toolbox:1"];
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${folder}/look.go`,
    `package main\nimport ("fmt"; "os")\nfunc main() { i, e := os.Stat("/toolbox"); fmt.Println(i.Name(), e, os.Getenv("PATH")); os.Exit(3) }\n`,
  );
  await Deno.writeTextFile(
    `${folder}/look.ts`,
    `console.log(import.meta.main, Deno.statSync("/toolbox").isFile, Deno.args); Deno.exit(4);\n`,
  );
  assert.deepEqual(await KurunProcess.run([...run, `${folder}/look.go`]), { code: 3, stdout: "toolbox <nil> /\n", stderr: "" });
  assert.deepEqual(await KurunProcess.run([...run, `${folder}/look.ts`, "a"]), { code: 4, stdout: 'true true [ "a" ]\n', stderr: "" });
  await Deno.remove(folder, { recursive: true });
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("an operator in Go has the rights of its ServiceAccount, and none without it", async (namespace) => {
  await kubectl(["apply", "-n", namespace.name, "-f", programFolder("examples/operator/rbac.yaml")]);
  const operator = ["run", "-n", namespace.name, "--name", "op"];
  const program = programFolder("examples/operator");
  const allowed = await KurunProcess.run([...operator, "--serviceaccount", "pod-reader", program]);
  assert.equal(allowed.code, 0, allowed.stderr);
  assert.match(allowed.stdout, /^op /m);
  const refused = await KurunProcess.run([...operator, program]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^operator: pods is forbidden: User "system:serviceaccount:\S+:default" cannot list resource "pods"/);
});

clusterTest("a web server is reachable with -p on both addresses of localhost", async (namespace) => {
  const flags = ["-p", "18271:8080", "--name", "web"];
  const kurun = KurunProcess.start(["run", "-n", namespace.name, ...flags, programFolder("examples/web/main.go")]);
  await using _ = kurun;
  await kurun.waitFor(/localhost:18271 is forwarded to port 8080 of the program/);
  assert.equal(await (await fetch("http://127.0.0.1:18271/you")).text(), "Hello, you, from web\n");
  assert.equal(await (await fetch("http://[::1]:18271/six")).text(), "Hello, six, from web\n");
  const many = await Promise.all(
    Array.from({ length: 20 }, (_, i) => fetch(`http://localhost:18271/${i}`).then((answer) => answer.text())),
  );
  assert.deepEqual(many, many.map((_, i) => `Hello, ${i}, from web\n`));
  kurun.signal("SIGINT");
  assert.equal(await kurun.exit, 0);
  await assert.rejects(fetch("http://127.0.0.1:18271/"));
});

/** Waits until the session exists in the cluster. */
async function waitForObject(namespace: TestNamespace): Promise<void> {
  const until = performance.now() + 20_000;
  while ((await namespace.left()).length === 0) assert.ok(performance.now() < until, "nothing was made");
}

clusterTest("programs find certificate authorities and time zones, also with --image, and -e overrides them", async (namespace) => {
  const folder = await Deno.makeTempDir();
  const source = `package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"time"
)

func main() {
	_, err := time.LoadLocation("Europe/Berlin")
	pool, _ := x509.SystemCertPool()
	fmt.Println(err, !pool.Equal(x509.NewCertPool()), os.Getenv("SSL_CERT_FILE"))
}
`;
  await Deno.writeTextFile(`${folder}/main.go`, source);
  const run = (...flags: string[]) => KurunProcess.run(["run", "-n", namespace.name, ...flags, `${folder}/main.go`]);
  assert.deepEqual(await run(), { code: 0, stdout: "<nil> true /etc/ssl/certs/ca-certificates.crt\n", stderr: "" });
  const nowhere = await run("--image", "kurun.test/toolbox:1", "-e", "SSL_CERT_FILE=/nowhere");
  assert.deepEqual(nowhere, { code: 0, stdout: "<nil> false /nowhere\n", stderr: "" });
  const own = await run("--image", "kurun.test/toolbox:1");
  assert.deepEqual([own.code, own.stderr], [0, ""]);
  assert.match(own.stdout, /^<nil> true (?:\/kurun\/program\/ca-certificates\.crt)?\n$/);
  await Deno.remove(folder, { recursive: true });
});

clusterTest("a CommonJS script runs the code behind require.main === module", async (namespace) => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/guarded.cjs`, 'function main() { console.log("main ran"); }\nif (require.main === module) main();\n');
  const ran = await KurunProcess.run(["run", "-n", namespace.name, `${folder}/guarded.cjs`]);
  assert.deepEqual(ran, { code: 0, stdout: "main ran\n", stderr: "" });
  await Deno.remove(folder, { recursive: true });
});

/** Starts processes whose parents end before them, waits until all have ended, and prints how many are zombies. */
const ORPHANS = `
const leave = "new Deno.Command(Deno.execPath(), { args: ['eval', '0'] }).spawn(); Deno.exit(0)";
for (let i = 0; i < 3; i++) await new Deno.Command(Deno.execPath(), { args: ["eval", leave] }).output();
await new Promise((resolve) => setTimeout(resolve, 3_000));
let zombies = 0;
for (const { name } of Deno.readDirSync("/proc")) {
  if (/^\\d+$/.test(name) && /\\) Z /.test(await Deno.readTextFile("/proc/" + name + "/stat").catch(() => ""))) zombies++;
}
console.log(zombies + " zombies");
Deno.exit(7);
`;

clusterTest("processes that a program leaves behind do not stay as zombies, and its exit code is its own", async (namespace) => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/orphans.ts`, ORPHANS);
  const { code, stdout } = await KurunProcess.run(["run", "-n", namespace.name, `${folder}/orphans.ts`]);
  await Deno.remove(folder, { recursive: true });
  assert.deepEqual({ code, stdout }, { code: 7, stdout: "0 zombies\n" });
});
