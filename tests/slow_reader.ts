const SCRIPT = `
import fcntl, os, subprocess, sys, time
r, w = os.pipe()
fcntl.fcntl(w, fcntl.F_SETFL, os.O_NONBLOCK)
child = subprocess.Popen(sys.argv[1:], stdout=w)
os.close(w)
time.sleep(1)
size = 0
while True:
    data = os.read(r, 65536)
    if not data: break
    size += len(data)
    time.sleep(0.05)
print(size, child.wait())
`;

/**
 * Starts a program whose standard output is a non-blocking pipe of 64 KiB, and reads it slowly to its end. Any process that shares a pipe can
 * make it non-blocking for all.
 *
 * @returns `BYTES EXITCODE\n`, and standard error
 */
export async function readSlowly(argv: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const { stdout, stderr } = await new Deno.Command("python3", { args: ["-c", SCRIPT, ...argv] }).output();
  return { stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}
