import assert from "node:assert/strict";
import { RunningProgram } from "./running_program.ts";
import { spawnProcess } from "./spawn_process.ts";

for (const terminal of [undefined, { columns: 80, rows: 24 }]) {
  Deno.test({
    name: `a program that ended leaves no descriptor open, ${terminal ? "in a terminal" : "its input included"}`,
    // As in tests/supervisor_client_test.ts.
    ignore: Deno.build.os !== "linux",
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const argv = ["sh", "-c", "echo whole"];
      const process = spawnProcess({ path: "/bin/sh", argv, env: [], workdir: "/", stdin: true, ...(terminal ? { terminal } : {}) });
      const links = () => [process.stdin, process.stdout, process.stderr].map((end) => end && link(end.number));
      const before = links();
      const program = new RunningProgram(process, () => 0);
      assert.deepEqual(await program.ended, { code: 0 });
      const output = new TextDecoder().decode(await program.stdout.read(0) ?? undefined);
      assert.equal(output.trimEnd(), "whole");
      // The numbers may be in use again: in the terminal's case by another terminal of the same name.
      if (!terminal) { for (const [at, now] of links().entries()) assert.notEqual(now, before[at]); }
      assert.equal(await process.stdin?.write(new Uint8Array(1)), false);
    },
  });
}

function link(number: number): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${number}`);
  } catch {
    return undefined;
  }
}
