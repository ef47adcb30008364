/**
 * Runs the measurements inside the cluster's network and prints the table in Markdown, with when, where and how. If a part cannot be
 * measured, its row says so and the exit code is 1.
 *
 * @module
 */
import { type CertificateAuthority, certificateAuthority } from "../certificate_authority.ts";
import { kubectl, TestNamespace } from "../e2e/kubernetes.ts";
import { admissionNames, admissionRow } from "./admission.ts";
import { applyRows } from "./apply.ts";
import { bulkRow } from "./bulk.ts";
import { delayedRows } from "./delayed_path.ts";
import { type Effort, effortText, FULL, QUICK } from "./effort.ts";
import { type BenchFlags, benchFlags, isWanted } from "./flags.ts";
import { Forwarded } from "./forwarded.ts";
import { machineText } from "./machine.ts";
import { MEMORY_PART, memoryRows, peaksText } from "./memory.ts";
import { COMPARED_PORT, Nginx } from "./nginx.ts";
import { assertAnswers, comparedBodies, comparedRequests, type Tunnels } from "./others.ts";
import { freePort, ProgramHere } from "./program_here.ts";
import { redisRow, startRedis } from "./redis.ts";
import { requests } from "./requests.ts";
import { runRows } from "./run.ts";
import { helpRow, startRows } from "./starts.ts";
import { COLUMNS, headText, lineText, type Row, rowText } from "./table.ts";
import { verboseRow } from "./verbose.ts";

const TLS_SECRET = "bench-tls";
const CONNECTIONS = [1, 50, 500];

/** What the parts use. */
interface Bench {
  readonly namespace: TestNamespace;
  readonly ca: CertificateAuthority;
  readonly nginx: Nginx;
  readonly effort: Effort;
  /** Sessions that several parts share: started on first use, ended with the benchmark. */
  readonly plain: () => Promise<Forwarded>;
  readonly tls: () => Promise<Forwarded>;
  /** What {@link COMPARISON} compares. */
  readonly tunnels: () => Promise<Tunnels>;
}

/** A part of the benchmark: the name that chooses it, and what yields its rows or their cells. */
type Part = readonly [name: string, measure: (bench: Bench) => AsyncIterable<Row | readonly string[]>];

const PARTS: readonly Part[] = [
  ...CONNECTIONS.map((connections): Part => [`requests plain ${connections}`, async function* ({ nginx, plain, effort }) {
    const ways = { direct: nginx.url, through: `http://${(await plain()).host}` };
    yield await requests("requests", ways, { connections, pairs: effort.times, seconds: effort.seconds });
  }]),
  ...CONNECTIONS.map((connections): Part => [`requests tlssecret ${connections}`, async function* ({ nginx, tls, effort }) {
    const ways = { direct: nginx.tlsUrl, through: `https://${(await tls()).host}` };
    yield await requests("requests, --tlssecret", ways, { connections, pairs: effort.tlsTimes, seconds: effort.seconds });
  }]),
  ["redis tcp", async function* ({ namespace, effort }) {
    await using redis = await startRedis();
    await using forwarded = await Forwarded.start(namespace, "redis", `tcp://127.0.0.1:${redis.port}`);
    yield await redisRow(redis.port, forwarded.address, effort);
  }],
  ["50 MB down and up", async function* ({ nginx, plain, effort }) {
    const direct = { hostname: "127.0.0.1", port: nginx.port };
    const through = { hostname: (await plain()).address, port: 80 };
    for (const direction of ["down", "up"] as const) {
      yield await bulkRow(`50 MB ${direction}`, { direction, direct, through, times: effort.bodies, unit: "MB/s" });
    }
  }],
  ["kubelet", async function* ({ namespace, nginx, effort }) {
    await using forwarded = await Forwarded.start(namespace, "kubelet", nginx.url, "--transport", "pod");
    const ways = { direct: nginx.url, through: `http://${forwarded.host}` };
    yield await requests("requests, --transport pod", ways, { connections: 50, pairs: effort.tlsTimes, seconds: effort.seconds });
    const direct = { hostname: "127.0.0.1", port: nginx.port };
    const through = { hostname: forwarded.address, port: 80 };
    for (const direction of ["down", "up"] as const) {
      yield await bulkRow(`50 MB ${direction}, --transport pod`, { direction, direct, through, times: effort.bodies, unit: "MB/s" });
    }
  }],
  ["admission webhook", admission],
  ["verbose", async function* ({ namespace, nginx, plain, effort }) {
    yield await verboseRow(namespace, nginx.url, `http://${(await plain()).host}`, effort);
  }],
  ["delayed relay", ({ namespace, nginx, effort }) => delayedRows(namespace, nginx, effort)],
  ["start and exit", async function* ({ namespace, nginx, effort }) {
    yield* await startRows(namespace, nginx.url, effort.starts);
  }],
  ["apply", async function* ({ namespace, effort }) {
    yield* await applyRows(namespace, effort.times);
  }],
  ["run", ({ namespace, effort }) => runRows(namespace, effort)],
  ["help", async function* ({ effort }) {
    yield await helpRow(effort.times);
  }],
  [MEMORY_PART, ({ namespace, nginx, effort }) => memoryRows(namespace, nginx, effort)],
  ["memory after all", async function* ({ plain, tls }) {
    yield { what: "peak memory after all, laptop / Pod", through: peaksText(await (await plain()).peaks()) };
    yield { what: "peak memory after all, laptop / Pod, --tlssecret", through: peaksText(await (await tls()).peaks()) };
  }],
];

/** What is measured with other tunnels. */
const COMPARISON: readonly Part[] = [
  ...CONNECTIONS.map((connections): Part => [`requests plain ${connections}`, async function* ({ tunnels, effort }) {
    yield await comparedRequests(await tunnels(), connections, effort);
  }]),
  ["50 MB down and up", async function* ({ tunnels, effort }) {
    for (const direction of ["down", "up"] as const) yield await comparedBodies(await tunnels(), direction, effort);
  }],
];

const encoder = new TextEncoder();
try {
  const flags = benchFlags(Deno.args);
  Deno.exit(await measureAll(flags, flags.quick ? QUICK : FULL));
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  say(error.message);
  Deno.exit(2);
}

/** @returns the exit code */
async function measureAll(flags: BenchFlags, effort: Effort): Promise<number> {
  const began = performance.now();
  const compares = flags.others.length > 0;
  let failed = 0;
  await using namespace = await TestNamespace.create();
  await using stack = new AsyncDisposableStack();
  const ca = await certificateAuthority({ commonName: "bench", days: 1, now: new Date() });
  const pair = await ca.issue({ names: ["127.0.0.1", `tls.${namespace.name}.svc`], days: 1, now: new Date() });
  const nginx = stack.use(await Nginx.start(pair, compares ? COMPARED_PORT : undefined));
  for (const other of flags.others) await assertAnswers(other);
  const plain = once(async () => stack.use(await Forwarded.start(namespace, "plain", nginx.url)));
  const tls = once(async () => {
    await putTlsSecret(namespace, TLS_SECRET, nginx.folder);
    return stack.use(await Forwarded.start(namespace, "tls", nginx.url, "--tlssecret", TLS_SECRET));
  });
  const others = flags.others.map(({ name, url }) => [name, url]);
  const tunnels = async () => ({ direct: nginx.url, kurun: `http://${(await plain()).host}`, ...Object.fromEntries(others) });
  const columns = compares ? ["what", "direct", "kurun", ...flags.others.map(({ name }) => name)] : COLUMNS;
  const command = ["deno task bench", ...Deno.args].join(" ");
  print(`${await machineText(new Date())}\n\n\`${command}\`. ${effortText(effort, compares)}\n\n${headText(columns)}`);
  for (const [name, measure] of (compares ? COMPARISON : PARTS).filter(([name]) => isWanted(name, flags))) {
    const partBegan = performance.now();
    say(`${name} …`);
    try {
      for await (const row of measure({ namespace, ca, nginx, effort, plain, tls, tunnels })) {
        print("what" in row ? rowText(row) : lineText(row));
      }
    } catch (error) {
      failed++;
      print(rowText({ what: name, through: "could not be measured" }));
      say((error as Error).stack ?? String(error));
    }
    say(`${name}: ${((performance.now() - partBegan) / 1000).toFixed(1)} s`);
  }
  say(`all: ${((performance.now() - began) / 1000).toFixed(0)} s`);
  return failed === 0 ? 0 : 1;
}

async function* admission({ namespace, ca, effort }: Bench): AsyncGenerator<Row> {
  const { service, names } = admissionNames(namespace);
  const folder = await Deno.makeTempDir({ prefix: "kurun-bench-" });
  try {
    const { certPem, keyPem } = await ca.issue({ names, days: 1, now: new Date() });
    await Deno.writeTextFile(`${folder}/tls.crt`, certPem);
    await Deno.writeTextFile(`${folder}/tls.key`, keyPem, { mode: 0o600 });
    await putTlsSecret(namespace, "hook-tls", folder);
    const port = freePort();
    const program = new URL("webhook_program.ts", import.meta.url).pathname;
    const args = ["run", "-A", program, `${port}`, `${folder}/tls.crt`, `${folder}/tls.key`];
    await using _program = await ProgramHere.start(Deno.execPath(), args, port);
    await using _kurun = await Forwarded.start(namespace, service, `https://127.0.0.1:${port}`, "--tlssecret", "hook-tls");
    yield await admissionRow(namespace, ca, port, effort.admissions);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Of `tls.crt` and `tls.key` in a folder. */
async function putTlsSecret(namespace: TestNamespace, name: string, folder: string): Promise<void> {
  const files = [`--cert=${folder}/tls.crt`, `--key=${folder}/tls.key`];
  await kubectl(["create", "secret", "tls", name, "-n", namespace.name, ...files]);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => made ??= make();
}

function print(text: string): void {
  Deno.stdout.writeSync(encoder.encode(text));
}

function say(line: string): void {
  Deno.stderr.writeSync(encoder.encode(`${line}\n`));
}
