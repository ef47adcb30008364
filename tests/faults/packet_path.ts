import { runCommand } from "../cluster/commands.ts";

/** What happens to the packets. */
export type PacketRule = "pass" | "drop" | "reject";

/**
 * A port of this machine that the kernel forwards to the API server, and whose packets can be dropped or rejected: those of new and existing
 * connections, in both directions. No process stands in between, so each side notices as in a real network, through its own TCP.
 */
export class PacketPath implements AsyncDisposable {
  #rule: string[] | undefined;

  private constructor(readonly port: number, readonly translation: string[]) {}

  /** @param server the API server's URL, an address of this machine */
  static async open(server: URL): Promise<PacketPath> {
    const port = freePort();
    const match = ["OUTPUT", "-p", "tcp", "-d", server.hostname, "--dport", String(port)];
    const translation = [...match, "-j", "DNAT", "--to-destination", `${server.hostname}:${server.port}`];
    await iptables("nat", "-I", translation);
    return new PacketPath(port, translation);
  }

  /** Applies a rule from now on. */
  async set(rule: PacketRule): Promise<void> {
    const before = this.#rule;
    const match = ["OUTPUT", "-p", "tcp", "-m", "conntrack", "--ctorigdstport", String(this.port)];
    const jump = rule === "drop" ? ["DROP"] : ["REJECT", "--reject-with", "tcp-reset"];
    this.#rule = rule === "pass" ? undefined : [...match, "-j", ...jump];
    if (this.#rule) await iptables("filter", "-I", this.#rule);
    if (before) await iptables("filter", "-D", before);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.set("pass");
    await iptables("nat", "-D", this.translation);
  }
}

async function iptables(table: string, action: "-I" | "-D", rule: readonly string[]): Promise<void> {
  const { code, said } = await runCommand(["iptables", "-w", "20", "-t", table, action, ...rule]);
  if (code !== 0) throw new Error(`iptables -t ${table} ${action} ${rule.join(" ")}: ${said}`);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
