import assert from "node:assert/strict";
import { TcpRelay } from "../faults/tcp_relay.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl } from "./kubernetes.ts";
import { inShell, programFolder } from "./run_process.ts";
import { TmuxTerminal } from "./tmux_terminal.ts";

const BEHAVE = programFolder("tests/programs/behave");
/** Longer than the longest pause between two dials. */
const DOWN_MS = 5_000;

/** A path to the API server that can be cut, and the flags that make kurun use it. */
async function relayed(): Promise<{ relay: TcpRelay; flags: string[] }> {
  const server = JSON.parse(await kubectl(["config", "view", "--minify", "-o", "json"])).clusters[0].cluster.server;
  const relay = new TcpRelay(new URL(server));
  return { relay, flags: ["--server", `https://127.0.0.1:${relay.port}`, "--tls-server-name", new URL(server).hostname] };
}

async function downForSeconds(relay: TcpRelay): Promise<void> {
  relay.down();
  await pause(DOWN_MS);
  relay.up();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

clusterTest("no line of output is lost or repeated if the connection is lost for seconds", async (namespace) => {
  const { relay, flags } = await relayed();
  await using _relay = relay;
  await using kurun = KurunProcess.start(["run", "-n", namespace.name, ...flags, BEHAVE, "tick"]);
  await kurun.waitFor(/tick 20\n/);
  for (const lost of [() => downForSeconds(relay), () => Promise.resolve(relay.cut())]) {
    const last = kurun.stdout.trimEnd().split("\n").length;
    await lost();
    await kurun.waitFor(new RegExp(`tick ${last + DOWN_MS / 20}\n`));
  }
  kurun.signal("SIGINT");
  assert.equal(await kurun.exit, 130);
  const ticks = kurun.stdout.trimEnd().split("\n");
  assert.deepEqual(ticks, ticks.map((_, i) => `tick ${i}`));
  assert.match(kurun.stderr, /^(Connection lost: [^\n]+; reconnecting\nReconnected after \S+( s)?\n){2}$/);
});

clusterTest("no byte of standard input is lost or repeated if the connection is lost for seconds", async (namespace) => {
  const { relay, flags } = await relayed();
  await using _relay = relay;
  const folder = await Deno.makeTempDir();
  const lines = "for i in $(seq 1 800); do echo $i; sleep 0.01; done";
  const kurun = `"$@" run -n ${namespace.name} ${flags.join(" ")} ${programFolder("examples/cat/cat.go")}`;
  const finished = inShell(`(${lines}; until [ -e enough ]; do sleep 0.1; done; echo last) | ${kurun} > out`, { cwd: folder });
  const read = () => Deno.readTextFile(`${folder}/out`).catch(() => "");
  const until = performance.now() + 60_000;
  while (!(await read()).includes("1\n")) {
    assert.ok(performance.now() < until, "no line came");
    await pause(50);
  }
  await downForSeconds(relay);
  await Deno.writeTextFile(`${folder}/enough`, "");
  const { code, stderr } = await finished;
  assert.equal(await read(), Array.from({ length: 800 }, (_, i) => `${i + 1}\n`).join("") + "last\n");
  assert.match(stderr, /^Connection lost: [^]*Reconnected after [^]*\d+ bytes\n$/);
  assert.equal(code, 0);
  await Deno.remove(folder, { recursive: true });
});

clusterTest(
  "while the connection is lost, pressing Ctrl+C twice ends kurun, also with --watch, and leaves no build behind",
  async (namespace) => {
    const { relay, flags } = await relayed();
    await using _relay = relay;
    const TMPDIR = await Deno.makeTempDir();
    const args = ["run", "-n", namespace.name, ...flags, "--ttl", "5s", "--watch", BEHAVE, "stubborn"];
    await using kurun = KurunProcess.start(args, { TMPDIR });
    await kurun.waitFor(/ready\n/);
    relay.down();
    await kurun.waitFor(/Connection lost/);
    kurun.signal("SIGINT");
    await pause(500);
    kurun.signal("SIGINT");
    assert.equal(await kurun.exit, 137);
    const left = (await Array.fromAsync(Deno.readDir(TMPDIR))).map(({ name }) => name);
    assert.deepEqual(left.filter((name) => name.startsWith("kurun-build-")), []);
    await Deno.remove(TMPDIR, { recursive: true });
  },
);

clusterTest("while the connection is lost, pressing Ctrl+C twice ends kurun with -t", async (namespace) => {
  const { relay, flags } = await relayed();
  await using _relay = relay;
  await using terminal = await TmuxTerminal.start(["run", "-it", "-n", namespace.name, ...flags, "--ttl", "5s", BEHAVE, "stubborn"]);
  await terminal.waitFor(/^ready$/m);
  relay.down();
  await terminal.waitFor(/Connection lost/);
  await terminal.type("C-c");
  await pause(500);
  await terminal.type("C-c");
  await terminal.waitFor(/^exit 137$/m);
});
