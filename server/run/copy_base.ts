/** Where the image has what the server needs. */
const DENO = "/usr/bin/deno";
const LIBRARIES = "/usr/lib";
const SERVER = "/kurun/server.js";

/**
 * Copies the server, its Deno and their libraries into a folder, so that they run in any other image, with any C library or none, by
 * their own dynamic loader: `FOLDER/ld.so --library-path FOLDER/lib FOLDER/deno`.
 */
export async function copyBase(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/lib`, { recursive: true });
  for await (const { name, isFile } of Deno.readDir(LIBRARIES)) {
    if (!isFile) continue;
    await Deno.copyFile(`${LIBRARIES}/${name}`, `${folder}/lib/${name}`);
    if (name.startsWith("ld-linux")) await Deno.copyFile(`${LIBRARIES}/${name}`, `${folder}/ld.so`);
  }
  await Deno.copyFile(DENO, `${folder}/deno`);
  await Deno.copyFile(SERVER, `${folder}/server.js`);
}
