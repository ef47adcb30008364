import assert from "node:assert/strict";
import { isWatched } from "../builders/watched_paths.ts";
import { sourcePaths } from "./apply_watch.ts";

Deno.test("every file in a Dockerfile's context is watched, new ones too, whether the reference names the file or its folder", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await Deno.mkdir(`${folder}/site/.git`, { recursive: true });
    await Deno.mkdir(`${folder}/site/pages`);
    await Deno.writeTextFile(`${folder}/site/Dockerfile`, "FROM scratch\n");
    for (const path of [`${folder}/site`, `${folder}/site/Dockerfile`]) {
      const paths = await sourcePaths(path, new AbortController().signal);
      const matter = ["Dockerfile", "new.html", "pages/new.html", "folder"];
      const not = [".git/index", "pages/deep/new.html", "../other"];
      assert.deepEqual([...matter, ...not].filter((name) => isWatched(`${folder}/site/${name}`, paths)), matter, path);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
