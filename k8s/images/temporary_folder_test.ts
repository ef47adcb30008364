import assert from "node:assert/strict";

/** Runs in a process with a TMPDIR of its own: other test files run in this process at the same time. */
const PROGRAM = `
  import { FolderError, temporaryFolder } from ${JSON.stringify(new URL("temporary_folder.ts", import.meta.url).href)};
  await temporaryFolder("kurun-").catch((error) => console.log(error instanceof FolderError ? error.message : "not a FolderError"));
`;

Deno.test({
  name: "a TMPDIR that cannot be used is named, with the reason and what to do",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const file = await Deno.makeTempFile();
    try {
      for (const [folder, why] of [["/nowhere/at/all", "No such file or directory"], [file, "Not a directory"]] as const) {
        const args = ["eval", "-q", PROGRAM];
        const { stdout } = await new Deno.Command(Deno.execPath(), { args, env: { TMPDIR: folder }, stderr: "inherit" }).output();
        const said = new TextDecoder().decode(stdout);
        assert.match(said, new RegExp(`^a temporary folder cannot be created in TMPDIR=${folder}: ${why} .*Set TMPDIR to`));
      }
    } finally {
      await Deno.remove(file);
    }
  },
});
