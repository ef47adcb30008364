import { deepStrictEqual as same } from "node:assert/strict";
import { removeEarlier } from "./image_record.ts";

Deno.test("earlier layers of a source are removed, except new ones that another kurun may be about to send", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3600 * 1000);
    const layers = { used: 40 * 24, fresh: 0, old: 2 };
    for (const [name, hours] of Object.entries(layers)) {
      const path = `${folder}/key.${name}.tar.gz`;
      await Deno.writeTextFile(path, "");
      await Deno.utime(path, hoursAgo(hours), hoursAgo(hours));
    }
    await Deno.writeTextFile(`${folder}/key.json`, "");
    await Deno.writeTextFile(`${folder}/other.x.tar.gz`, "");
    await removeEarlier(`${folder}/key`, [{ path: `${folder}/key.used.tar.gz`, digest: "", diffId: "", bytes: 0 }]);
    const left = (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
    same(left, ["key.fresh.tar.gz", "key.json", "key.used.tar.gz", "other.x.tar.gz"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
