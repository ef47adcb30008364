import { createHash } from "node:crypto";
import { type ImageContents, writeImageArchive } from "../../k8s/images/image_archive.ts";
import { isFile } from "./commands.ts";
import { goArchitecture } from "./go.ts";
import type { Program } from "./programs.ts";

/**
 * The only image that the test cluster starts with: a static program for the Pods of tests (programs/toolbox), which is also the pause
 * container of every Pod. Nothing can be pulled, so Pods of tests use this image or one that `load` brought.
 */
export const TOOLBOX_IMAGE = "kurun.test/toolbox:1";

/** The image's contents. @param program the path of the built toolbox */
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

/** The path of the image's archive. The name contains a hash of everything that it is built from. */
export function toolboxArchive(toolbox: Program): string {
  const key = createHash("sha256").update(JSON.stringify(contents(toolbox.path))).digest("hex").slice(0, 8);
  return `${toolbox.path}-${key}.tar`;
}

/** Creates the archive unless it exists. The toolbox must be built, and the caller holds the lock. */
export async function packToolbox(toolbox: Program): Promise<string> {
  const path = toolboxArchive(toolbox);
  if (!await isFile(path)) await writeImageArchive(path, contents(toolbox.path));
  return path;
}
