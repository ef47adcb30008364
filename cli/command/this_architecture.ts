/** The architecture of this machine, as Go and OCI name it. */
export const THIS_ARCHITECTURE = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
