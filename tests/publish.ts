/**
 * `deno task publish`: publishes the package to JSR, with the Pod's server bundled, so that nobody's first start has to bundle it. Flags are
 * those of `deno publish`.
 *
 * @module
 */
import { PUBLISHED } from "../k8s/images/server_source.ts";
import { bundleServer } from "../k8s/images/server_bundle.ts";

const ROOT = new URL("../", import.meta.url);

/** Writes the bundled server to where the package has it. It is in build/, so not in git. */
export async function writePublishedServer(): Promise<void> {
  const source = new TextDecoder().decode(await bundleServer(new URL("server/main.ts", ROOT)));
  await Deno.mkdir(new URL(".", PUBLISHED), { recursive: true });
  await Deno.writeTextFile(PUBLISHED, `export default ${JSON.stringify(source)};\n`);
}

if (import.meta.main) {
  await writePublishedServer();
  const { code } = await new Deno.Command(Deno.execPath(), { args: ["publish", ...Deno.args], cwd: ROOT }).spawn().status;
  Deno.exit(code);
}
