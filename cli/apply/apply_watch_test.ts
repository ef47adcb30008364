import assert from "node:assert/strict";
import { isWatched, type WatchedPaths } from "../builders/watched_paths.ts";
import { sourcePaths } from "./apply_watch.ts";

Deno.test("every file in a Dockerfile's context is watched, new ones too, whether the reference names the file or its folder", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await Deno.mkdir(`${folder}/site/.git`, { recursive: true });
    await Deno.mkdir(`${folder}/site/pages`);
    await Deno.writeTextFile(`${folder}/site/Dockerfile`, "FROM scratch\n");
    for (const path of [`${folder}/site`, `${folder}/site/Dockerfile`]) {
      const [paths] = await sourcePaths(path, new AbortController().signal) as [WatchedPaths];
      const matter = ["Dockerfile", "new.html", "pages/new.html", "folder"];
      const not = [".git/index", "pages/deep/new.html", "../other"];
      assert.deepEqual([...matter, ...not].filter((name) => isWatched(`${folder}/site/${name}`, paths)), matter, path);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("packages that a Go program imports on one architecture alone are watched, whatever this machine is", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await Deno.writeTextFile(`${folder}/go.mod`, "module example.test/server\n\ngo 1.21\n");
    await Deno.writeTextFile(`${folder}/main.go`, "package main\n\nfunc main() {}\n");
    for (const architecture of ["amd64", "arm64"]) {
      await Deno.mkdir(`${folder}/${architecture}`);
      await Deno.writeTextFile(`${folder}/${architecture}/fast.go`, "package fast\n");
      const imports = `package main\n\nimport _ "example.test/server/${architecture}"\n`;
      await Deno.writeTextFile(`${folder}/more_${architecture}.go`, imports);
    }
    const paths = await sourcePaths(folder, new AbortController().signal);
    for (const file of ["amd64/fast.go", "arm64/fast.go"]) {
      assert.ok(paths.some((one) => isWatched(`${folder}/${file}`, one)), file);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
