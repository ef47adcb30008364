import { goTarget } from "../../cli/builders/go_command.ts";
import { KurunProcess } from "../e2e/kurun_process.ts";
import { kubectl, type TestNamespace } from "../e2e/kubernetes.ts";
import { anyPointOfASecond } from "./any_point.ts";
import type { Effort } from "./effort.ts";
import { barePodStarts } from "./bare_pod.ts";
import { runSending } from "./run_sending.ts";
import { median, type Row, seconds } from "./table.ts";

const HELLO = new URL("../../examples/hello", import.meta.url).pathname;
const LARGE_BYTES = 60_000_000;
/** Prints the size of its data, because the linker drops unused data. */
const LARGE = `package main

import (
	_ "embed"
	"fmt"
)

//go:embed data
var data string

func main() { fmt.Println("it has", len(data)) }
`;

/**
 * `kurun run`: from Enter to the first output of a small Go program, and kurun's own share of that; with `--watch` from saving a file to the
 * new program's output; and how fast a large program is sent. The first build is not measured: it depends on the compiler's cache only.
 *
 * @throws if kurun fails, or the output is not the program's
 */
export async function* runRows(namespace: TestNamespace, { times, starts }: Effort): AsyncGenerator<Row> {
  const folder = await Deno.makeTempDir({ prefix: "kurun-bench-" });
  try {
    const hello = `${folder}/hello`;
    const { success } = await new Deno.Command("cp", { args: ["-r", HELLO, hello] }).output();
    if (!success) throw new Error("the example cannot be copied");
    yield await firstOutputRow(namespace, hello, starts);
    yield await watchRow(namespace, hello, times);
    yield await sendingRow(namespace, `${folder}/large`, times);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function firstOutputRow(namespace: TestNamespace, hello: string, times: number): Promise<Row> {
  const architecture = await kubectl(["get", "nodes", "-o", "jsonpath={.items[0].status.nodeInfo.architecture}"]);
  await firstOutput(namespace, hello);
  const pods = await barePodStarts(namespace, times);
  const [totals, compiler]: [number[], number[]] = [[], []];
  for (let i = 0; i < times; i++) {
    totals.push(await firstOutput(namespace, hello));
    compiler.push(await compile(hello, architecture));
  }
  const [total, build] = [median(totals), median(compiler)];
  const [output, address] = [median(pods.map((pod) => pod.output)), median(pods.map((pod) => pod.address))];
  return {
    what: "run: Enter to the first output of hello in Go, warm",
    direct: `go build ${seconds(build)}; a bare Pod: first output ${seconds(output)}, its address known ${seconds(address)}`,
    through: seconds(total),
    share: `ours ${seconds(total - Math.max(build, address))}`,
  };
}

/** Milliseconds from the start of kurun to the program's first output. */
async function firstOutput(namespace: TestNamespace, hello: string): Promise<number> {
  await anyPointOfASecond();
  const began = performance.now();
  await using kurun = KurunProcess.start(["run", "-n", namespace.name, hello]);
  await kurun.waitFor(/Hello, world/);
  const ms = performance.now() - began;
  if (await kurun.exit !== 0) throw new Error(kurun.stderr);
  return ms;
}

/** Milliseconds of `go build` with kurun's flags. */
async function compile(folder: string, architecture: string): Promise<number> {
  const began = performance.now();
  const { success, stderr } = await new Deno.Command("go", {
    args: ["build", "-buildvcs=false", "-ldflags=-s -w", "-o", `${await Deno.makeTempDir({ dir: folder })}/program`, "."],
    cwd: folder,
    env: goTarget(architecture),
    stdin: "null",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return performance.now() - began;
}

async function watchRow(namespace: TestNamespace, hello: string, times: number): Promise<Row> {
  const path = `${hello}/greeting/greeting.go`;
  const source = await Deno.readTextFile(path);
  await using kurun = KurunProcess.start(["run", "-n", namespace.name, "--watch", hello]);
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    // By then it watches the files.
    await kurun.waitFor(new RegExp(`(?:waiting for a change[^]*){${i + 1}}`));
    // A new word each time, so that no cache has it.
    const word = crypto.randomUUID();
    const saved = performance.now();
    await Deno.writeTextFile(path, source.replace("Hello", word));
    await kurun.waitFor(new RegExp(`^${word}, world`, "m"));
    taken.push(performance.now() - saved);
  }
  return { what: "run --watch: a Go file saved, to the new program's output", through: seconds(median(taken)) };
}

async function sendingRow(namespace: TestNamespace, folder: string, times: number): Promise<Row> {
  await Deno.mkdir(folder);
  await Deno.writeTextFile(`${folder}/go.mod`, "module kurun.example/large\n\ngo 1.24.0\n");
  await Deno.writeTextFile(`${folder}/main.go`, LARGE);
  const data = new Uint8Array(LARGE_BYTES);
  for (let at = 0; at < LARGE_BYTES; at += 65_536) crypto.getRandomValues(data.subarray(at, at + 65_536));
  await Deno.writeFile(`${folder}/data`, data);
  const speeds: number[] = [];
  for (let i = 0; i < times; i++) speeds.push(await runSending(namespace, folder, `it has ${LARGE_BYTES}`));
  return {
    what: 'run: a 60 MB program, from the first "Sending the program" to its first output',
    through: `${Math.round(median(speeds) / 1e6)} MB/s`,
  };
}
