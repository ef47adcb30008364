import { VERSION } from "../../cli/command/version.ts";
import { runCommand } from "../cluster/commands.ts";
import { kubectl } from "../e2e/kubernetes.ts";

/** The programs that make and take the benchmarks' load, and the flag that prints each one's version. */
const LOAD_PROGRAMS = [["nginx", "-v"], ["wrk", "-v"], ["redis-server", "--version"]] as const;

/** A paragraph that says when, where and with which versions it was measured. @param programs further programs, and the flag that prints each one's version */
export async function machineText(now: Date, programs: readonly (readonly [string, string])[] = LOAD_PROGRAMS): Promise<string> {
  const memory = `${Math.round(Deno.systemMemoryInfo().total / 1e9)} GB`;
  const machine =
    `${navigator.hardwareConcurrency} cores (${await processorName()}), ${memory}, ${await systemName()}, Linux ${Deno.osRelease()}`;
  const kubernetes = JSON.parse(await kubectl(["version", "-o", "json"])).serverVersion.gitVersion;
  const versions = [
    `kurun ${VERSION} ${await commit()}`,
    `Deno ${Deno.version.deno}`,
    `Kubernetes ${kubernetes}`,
    ...await Promise.all(programs.map(([program, flag]) => version(program, flag))),
  ];
  const load = `load average ${Deno.loadavg()[0]?.toFixed(1)} before`;
  return `${now.toISOString().slice(0, 10)}, ${machine}, ${load}. ${versions.join(", ")}.`;
}

async function processorName(): Promise<string> {
  return /^model name\s*: (.*)$/m.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
}

async function systemName(): Promise<string> {
  const release = await Deno.readTextFile("/etc/os-release").catch(() => "");
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(release)?.[1] ?? "Linux";
}

/** The commit that is measured, and whether files have changed since. */
export async function commit(): Promise<string> {
  const cwd = new URL(".", import.meta.url).pathname;
  const described = runCommand(["git", "-C", cwd, "describe", "--always", "--dirty=, changed since"]);
  const { code, stdout } = await described.catch(() => ({ code: 1, stdout: "" }));
  return code === 0 ? `(${stdout.trim()})` : "(of no known commit)";
}

async function version(program: string, flag: string): Promise<string> {
  return `${program} ${/\d+\.\d+[\d.]*/.exec(await output(program, [flag]))?.[0] ?? "of an unknown version"}`;
}

/** Everything a program prints, whatever its exit code; empty if it is not installed. */
async function output(program: string, args: string[]): Promise<string> {
  return await runCommand([program, ...args]).then(({ said }) => said, () => "");
}
