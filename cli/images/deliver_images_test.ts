import { deepStrictEqual as same } from "node:assert/strict";
import { chosenArchitecture } from "./deliver_images.ts";

Deno.test("images are built for --arch, else for the architecture of most nodes, and the other architectures are returned", () => {
  const chosen = (architecture: "amd64" | "arm64" | undefined, ...nodes: (string | undefined)[]) =>
    chosenArchitecture({ architecture }, nodes.map((architecture) => ({ architecture, schedulable: true })));
  same(chosen(undefined, "arm64", "arm64", "amd64"), { architecture: "arm64", others: ["amd64"] });
  same(chosen(undefined, "arm64", "amd64"), { architecture: "amd64", others: ["arm64"] });
  same(chosen("arm64", "arm64", "amd64", "s390x"), { architecture: "arm64", others: ["amd64", "s390x"] });
  same(chosen(undefined, "arm64"), { architecture: "arm64", others: [] });
  same(chosen(undefined), { architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64", others: [] });
});
