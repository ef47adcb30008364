import assert from "node:assert/strict";
import { FolderError, temporaryFolder } from "./temporary_folder.ts";

Deno.test({
  name: "a TMPDIR that cannot be used is named, with the reason and what to do",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const before = Deno.env.get("TMPDIR");
    const file = await Deno.makeTempFile();
    try {
      for (const [folder, why] of [["/nowhere/at/all", "No such file or directory"], [file, "Not a directory"]] as const) {
        Deno.env.set("TMPDIR", folder);
        await assert.rejects(temporaryFolder("kurun-"), (error) => {
          assert.ok(error instanceof FolderError);
          assert.match(error.message, new RegExp(`^a temporary folder cannot be created in TMPDIR=${folder}: ${why} .*Set TMPDIR to`));
          return true;
        });
      }
    } finally {
      if (before === undefined) Deno.env.delete("TMPDIR");
      else Deno.env.set("TMPDIR", before);
      await Deno.remove(file);
    }
  },
});
