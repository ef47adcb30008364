/**
 * What glibc loads by name when it is needed: older versions look up host names with these, and Go programs built with cgo need the last.
 * They are copied if they are there.
 */
const LOADED_LATER = new Set(["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]);

/**
 * Copies the server, its Deno and their libraries into a folder, so that they run in any other image, with any C library or none, by
 * their own dynamic loader: `FOLDER/ld.so --library-path FOLDER/lib FOLDER/deno`. This image may have them anywhere: what this process
 * has loaded is copied.
 */
export async function copyBase(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/lib`, { recursive: true });
  for (const [name, path] of await libraries(await Deno.readTextFile("/proc/self/maps"))) {
    await Deno.copyFile(path, `${folder}/lib/${name}`);
    if (name.startsWith("ld-linux")) await Deno.copyFile(path, `${folder}/ld.so`);
  }
  await Deno.copyFile(Deno.execPath(), `${folder}/deno`);
  await Deno.copyFile(new URL(Deno.mainModule), `${folder}/server.js`);
}

/**
 * The libraries of a process, and those that it may load later, by their names. A name may be a link to a file with a longer one.
 * @param maps the process's memory map (proc_pid_maps(5))
 */
export async function libraries(maps: string): Promise<Map<string, string>> {
  const loaded = new Set(maps.match(/\/\S*\.so(\.\d+)*$/gm) ?? []);
  const found = new Map<string, string>();
  for (const folder of new Set([...loaded].map((path) => path.replace(/\/[^/]*$/, "")))) {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const path = isDirectory ? undefined : await Deno.realPath(`${folder}/${name}`).catch(() => undefined);
      if (path !== undefined && (loaded.has(path) || LOADED_LATER.has(name))) found.set(name, path);
    }
  }
  return found;
}
