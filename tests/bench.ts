/** `deno task bench`: figures of kurun beside the direct path, on the test cluster. Nothing here passes or fails. */
import { ensureUp } from "./cluster/cluster.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const IMAGE = `${ROOT}build/kurun-server-bench.tar`;

if (import.meta.main) {
  for (const [program, debianPackage] of [["wrk", "wrk"], ["nginx", "nginx-light"]] as const) {
    const there = await new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" }).output();
    if (there.code === 0) continue;
    say(`apt-get installs what the benchmark runs: ${debianPackage}`);
    const args = ["install", "-y", "-qq", debianPackage];
    await new Deno.Command("apt-get", { args, env: { DEBIAN_FRONTEND: "noninteractive" }, stdout: "null", stderr: "null" }).output();
  }
  const cluster = await ensureUp();
  await new Deno.Command(Deno.execPath(), { args: ["run", "-A", "main.ts", "image", "--output", IMAGE], cwd: ROOT, stdout: "null" })
    .output();
  if (!cluster.foreign) await cluster.load(IMAGE);
  const { code } = await cluster.exec([Deno.execPath(), "run", "-A", "tests/bench/inside.ts"], { cwd: ROOT }).spawn().status;
  Deno.exit(code);
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}
