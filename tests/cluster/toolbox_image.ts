import { createHash } from "node:crypto";
import { type ImageContents, writeImageArchive } from "../../k8s/images/image_archive.ts";
import { isFile } from "./commands.ts";
import { goArchitecture } from "./go.ts";
import type { Program } from "./programs.ts";

/**
 * The one image that the test cluster brings: a static program that does what Pods of tests do (programs/toolbox), and the
 * first container of every Pod. Nothing can be pulled, so Pods of tests start from this or from what `load` brought.
 */
export const TOOLBOX_IMAGE = "kurun.test/toolbox:1";

/** What the image is. @param program the toolbox, built */
function contents(program: string): ImageContents {
  return {
    reference: TOOLBOX_IMAGE,
    platform: { os: "linux", architecture: goArchitecture() },
    config: { entrypoint: ["/toolbox"], cmd: ["pause"], user: "65532:65532", env: { PATH: "/" }, workingDir: "/tmp" },
    layers: [[
      { type: "directory", path: "tmp", mode: 0o1777 },
      { type: "file", path: "toolbox", mode: 0o755, contents: { copyOf: program } },
    ]],
  };
}

/** Where the image's archive lies once it is made. The name holds a hash of all that it is made from. */
export function toolboxArchive(toolbox: Program): string {
  const key = createHash("sha256").update(JSON.stringify(contents(toolbox.path))).digest("hex").slice(0, 8);
  return `${toolbox.path}-${key}.tar`;
}

/** Makes the archive unless it is there. The toolbox is built, and the caller holds the lock. */
export async function packToolbox(toolbox: Program): Promise<string> {
  const path = toolboxArchive(toolbox);
  if (!await isFile(path)) await writeImageArchive(path, contents(toolbox.path));
  return path;
}
