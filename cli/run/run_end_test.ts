import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { describeRunEnd, failureHint } from "./run_end.ts";

Deno.test("only an end that the exit code does not explain is commented on", () => {
  const killed = { killedHere: true };
  const not = { killedHere: false };
  assert.equal(describeRunEnd({ code: 3 }, not), undefined);
  assert.equal(describeRunEnd({ code: 137 }, not), undefined);
  assert.equal(describeRunEnd({ code: 130, signal: "SIGINT" }, not), undefined);
  assert.equal(describeRunEnd({ code: 137, signal: "SIGKILL" }, killed), undefined);
  assert.match(describeRunEnd({ code: 137, signal: "SIGKILL" }, not)!, /not by kurun/);
  assert.match(describeRunEnd({ code: 137, signal: "SIGKILL", outOfMemory: true }, not)!, /exit code 137\): the Pod's memory ran out/);
  assert.match(describeRunEnd({ code: 139, signal: "SIGSEGV" }, not)!, /ended by SIGSEGV \(exit code 139\)/);
});

Deno.test("a file that only this machine has is named, whether Go, Deno or Node reports it missing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/data.txt`, "");
    const go = { language: "go", given: ".", folder, packages: ["."] } as const;
    const script = { language: "script", main: `${folder}/main.ts`, config: undefined } as const;
    for (
      const [tail, source] of [
        ["panic: open data.txt: no such file or directory\n", go],
        ["error: Uncaught (in promise) NotFound: No such file or directory (os error 2): readfile './data.txt'\n", script],
        ["Error: ENOENT: no such file or directory, open '/kurun/program/data.txt'\n    at …\n", script],
        [`Error: ENOENT: no such file or directory, open '${folder}/data.txt'\n`, script],
      ] as const
    ) {
      assert.match(
        await failureHint(tail, source) ?? "",
        /^data\.txt is on this machine, but only the program itself runs in the Pod/,
        tail,
      );
    }
    assert.equal(await failureHint("open other.txt: no such file or directory\n", go), undefined);
    assert.equal(await failureHint("data.txt", go), undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a Go program that reports missing cgo gets a hint, a script that does so gets none", async () => {
  const tail = "Binary was compiled with 'CGO_ENABLED=0', go-sqlite3 requires cgo to work. This is a stub\n";
  const go = { language: "go", given: ".", folder: "/", packages: ["."] } as const;
  assert.match(await failureHint(tail, go) ?? "", /CGO_ENABLED=0\.\n {2}Use a package in pure Go/);
  assert.equal(await failureHint(tail, { language: "script", main: "/x.ts", config: undefined }), undefined);
});

Deno.test("a failure is explained also after the current folder was removed", async () => {
  const cwd = await Deno.makeTempDir();
  // In its own process, because tests of other files share the current folder.
  const code = `import { failureHint } from "${new URL("run_end.ts", import.meta.url)}";
    Deno.removeSync(Deno.cwd());
    console.log(await failureHint("ENOENT: no such file or directory, open '/etc/hostname'", { language: "script", main: "/gone/main.ts" }));`;
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: ["eval", "--config", config, code], cwd }).output();
  assert.match(new TextDecoder().decode(stdout), /^hostname is on this machine/, new TextDecoder().decode(stderr));
});
