import assert from "node:assert/strict";

/** A process that adopts orphans, as process 1 does, and prints what it knows about its children. */
const ADOPTING = `
  import { ChildReaper } from ${JSON.stringify(new URL("child_reaper.ts", import.meta.url).href)};
  import { spawnProcess } from ${JSON.stringify(new URL("spawn_process.ts", import.meta.url).href)};
  const PR_SET_CHILD_SUBREAPER = 36;
  const { symbols } = Deno.dlopen("libc.so.6", { prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" } });
  symbols.prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n);
  const children = new ChildReaper(true);
  const start = (script) => {
    const options = { path: "/bin/bash", argv: ["bash", "-c", script], env: [["PATH", Deno.env.get("PATH")]], workdir: "/", stdin: false };
    return spawnProcess(options, children);
  };
  // Forty orphans that end before, with or after their parent, with exit codes that must not be taken for its own.
  const orphans = "for i in $(seq 40); do (bash -c \\"sleep 0.$i; exit 9\\" & exit 8); done; ";
  const ends = await Promise.all([start(orphans + "exit 3"), start(orphans + "kill -TERM $$"), start("exit 0")].map(({ ended }) => ended));
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const zombies = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    const stat = await Deno.readTextFile("/proc/" + name + "/stat").catch(() => "");
    if (new RegExp("\\\\) Z " + Deno.pid + " ").test(stat)) zombies.push(stat.slice(0, 60));
  }
  console.log(JSON.stringify({ ends, zombies }));
  Deno.exit();
`;

async function run(program: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), { args: ["run", "-A", "-q", "--no-check", "-"], stdin: "piped", stdout: "piped" })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  return new TextDecoder().decode((await child.output()).stdout);
}

Deno.test({
  name: "process 1 reaps what programs leave behind, and each program keeps its own exit status",
  // The supervisor runs only on Linux.
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const { ends, zombies } = JSON.parse(await run(ADOPTING));
    assert.deepEqual(ends, [{ code: 3 }, { code: 143, signal: "SIGTERM" }, { code: 0 }]);
    assert.deepEqual(zombies, []);
  },
});
