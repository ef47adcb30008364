import { findProgram, isFile, runCommand } from "./commands.ts";
import { ClusterError, ClusterUnavailableError } from "./errors.ts";
import type { Progress } from "./progress.ts";

/** The programs that the node needs besides those we build, and their Debian packages. */
const NEEDED: readonly (readonly [program: string, debianPackage: string])[] = [
  ["containerd", "containerd"],
  ["ctr", "containerd"],
  ["containerd-shim-runc-v2", "containerd"],
  ["runc", "runc"],
  ["iptables", "iptables"],
  ["iptables-restore", "iptables"],
  ["ip", "iproute2"],
];
/** The programs that only tests need: a real terminal, real shells, and what images like denoland/deno's are made of. */
const NEEDED_BY_TESTS: typeof NEEDED = [
  ["tmux", "tmux"],
  ["zsh", "zsh"],
  ["fish", "fish"],
  ["tini", "tini"],
  ["busybox", "busybox-static"],
  ["patchelf", "patchelf"],
];
/** Where distributions install the CNI plugins. */
const CNI_DIRECTORIES = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];
const CNI_PLUGINS = ["ptp", "portmap", "host-local", "loopback"];
const CNI_PACKAGE = "containernetworking-plugins";
/** Older package lists name versions that the archive may have dropped. */
const LISTS_FRESH_MS = 24 * 3600 * 1000;

/** The Debian packages that are missing on this machine. @param forTests whether to include what only tests need */
export async function missingPackages(forTests: boolean): Promise<string[]> {
  const missing = new Set<string>();
  for (const [program, debianPackage] of [...NEEDED, ...forTests ? NEEDED_BY_TESTS : []]) {
    if (!await findProgram(program)) missing.add(debianPackage);
  }
  if (!await findCniDirectory()) missing.add(CNI_PACKAGE);
  return [...missing].sort();
}

/** Finds the directory of the CNI plugins. */
export async function findCniDirectory(): Promise<string | undefined> {
  for (const directory of CNI_DIRECTORIES) {
    const found = await Promise.all(CNI_PLUGINS.map((plugin) => isFile(`${directory}/${plugin}`)));
    if (found.every(Boolean)) return directory;
  }
  return undefined;
}

/**
 * Checks whether packages can be installed here.
 * @returns why they cannot, or undefined
 */
export async function whyNotInstallable(packages: readonly string[]): Promise<string | undefined> {
  if (packages.length === 0 || await findProgram("apt-get")) return undefined;
  return `This machine lacks programs that Debian has in ${
    packages.join(", ")
  }, and has no apt-get. Install them with your distribution's package manager: ` +
    `${NEEDED.map(([program]) => program).join(", ")} in PATH, and the CNI plugins ${CNI_PLUGINS.join(", ")} in ${
      CNI_DIRECTORIES.join(" or ")
    }.`;
}

/** Installs Debian packages. */
export async function installPackages(packages: readonly string[], progress: Progress): Promise<void> {
  if (packages.length === 0) return;
  const reason = await whyNotInstallable(packages);
  if (reason) throw new ClusterUnavailableError(reason);
  progress.say(`apt-get installs missing packages: ${packages.join(" ")}`);
  await progress.during("apt-get", async (detail) => {
    let updated = false;
    const update = async () => {
      detail("update");
      await aptGet(["update"]);
      updated = true;
    };
    const install = () => {
      detail("install");
      return aptGet(["install", "--yes", "--no-install-recommends", ...packages]);
    };
    if (!await listsAreFresh()) await update();
    try {
      await install();
    } catch (error) {
      if (updated) throw error;
      await update();
      await install();
    }
  });
  if (packages.includes("containerd") && await isDirectory("/run/systemd/system")) {
    // Debian starts the service at once. The node runs its own containerd, and nobody asked for another.
    await runCommand(["systemctl", "disable", "--now", "containerd.service"]);
    progress.say("the service containerd that came with the package is stopped and disabled; the test cluster runs its own");
  }
}

async function aptGet(args: readonly string[]): Promise<void> {
  const argv: [string, ...string[]] = ["apt-get", "-o", "DPkg::Lock::Timeout=120", ...args];
  const { code, said } = await runCommand(argv, { env: { DEBIAN_FRONTEND: "noninteractive" } });
  if (code !== 0) {
    throw new ClusterError(`apt-get ${args.join(" ")} ended with exit code ${code}:\n${said}\nInstall the packages by hand and try again.`);
  }
}

async function listsAreFresh(): Promise<boolean> {
  try {
    for await (const entry of Deno.readDir("/var/lib/apt/lists")) {
      if (!entry.name.endsWith("Release")) continue;
      const { mtime } = await Deno.stat("/var/lib/apt/lists");
      return mtime !== null && Date.now() - mtime.getTime() < LISTS_FRESH_MS;
    }
  } catch {
    // There are no lists.
  }
  return false;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}
