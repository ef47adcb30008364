import { deepStrictEqual as same, throws } from "node:assert/strict";
import type { NodeFacts } from "../../k8s/nodes/nodes.ts";
import { chooseWay, type DeliveryChoice, type ThisMachine } from "./choose_delivery.ts";
import { UserError } from "../command/errors.ts";

const nothing: DeliveryChoice = { repo: undefined, deliver: undefined };
const socket = "/run/containerd/containerd.sock";
const here: ThisMachine = { machineId: "m1", bootId: "b1", sockets: [socket] };

function node(more: Partial<NodeFacts>): NodeFacts {
  return {
    name: "one",
    providerId: undefined,
    machineId: "m1",
    bootId: "b1",
    runtime: "containerd://1.7.0",
    architecture: "amd64",
    schedulable: true,
    taints: [],
    images: new Set(),
    ...more,
  };
}

Deno.test("without flags the nodes decide: kind, k3d, or containerd where the only node is this machine", () => {
  const kind = node({ name: "dev-control-plane", providerId: "kind://docker/dev/dev-control-plane", machineId: "m9" });
  same(chooseWay(nothing, [kind], here), { is: "kind", cluster: "dev" });
  const k3d = node({ name: "k3d-my-dev-server-0", providerId: "k3s://k3d-my-dev-server-0", machineId: "" });
  same(chooseWay(nothing, [k3d], here), { is: "k3d", cluster: "my-dev" });
  same(chooseWay(nothing, [node({})], here), { is: "containerd", socket });
});

Deno.test("where there is no way to the cluster, the error says why and what to do", () => {
  const refused = (nodes: Parameters<typeof chooseWay>[1], machine: ThisMachine, why: RegExp) =>
    throws(() => chooseWay(nothing, nodes, machine), (error) => {
      const { message } = error as UserError;
      return error instanceof UserError && why.test(message) &&
        ["--repo ", "--deliver containerd", "Nothing was built."].every((part) => message.includes(part)) &&
        message.split("\n").length <= 3;
    });
  refused([node({ machineId: "m2" })], here, /node one is another machine/);
  refused([node({ machineId: "m2" }), node({ machineId: "m3" })], here, /2 nodes are other machines/);
  refused([node({}), node({ name: "two", machineId: "m2" })], here, /of the cluster's 2 nodes, only one is this machine/);
  // A container of this machine with a copied machine ID would have another boot, or the other way round.
  refused([node({ bootId: "b2" })], here, /another machine/);
  refused(
    [node({ runtime: "cri-o://1.34" })],
    { ...here, sockets: [] },
    /is this machine and runs cri-o:\/\/1\.34, but its socket was not found[^]*run kurun inside them/,
  );
  refused([node({ machineId: undefined })], { ...here, machineId: undefined }, /another machine/);
  refused([], here, /no nodes/);
  refused({ hidden: "you may not list its nodes" }, here, /may not list its nodes/);
});

Deno.test("images go into the node's containerd, and not into Docker's next to it", () => {
  const [k3s, microk8s] = ["/run/k3s/containerd/containerd.sock", "/var/snap/microk8s/common/run/containerd.sock"];
  const way = (runtime: string | undefined, sockets: string[], choice = nothing) =>
    chooseWay(choice, [node({ runtime })], { ...here, sockets });
  same(way("containerd://2.1.4-k3s1", [socket, k3s]), { is: "containerd", socket: k3s });
  throws(() => way("containerd://2.1.4-k3s1", [socket]), /its socket was not found/);
  throws(() => way("containerd://1.7.27", [socket, microk8s]), (error) => {
    const { message } = error as UserError;
    return error instanceof UserError && message.includes(`${socket}, ${microk8s}`) && message.includes("--deliver containerd=SOCKET");
  });
  for (const other of ["cri-o://1.34.0", "docker://28.1.1", undefined]) {
    throws(() => way(other, [socket]), /its socket was not found/, other);
  }
  // The word alone does not say which.
  const word = { repo: undefined, deliver: "containerd" };
  same(way("containerd://2.1.4-k3s1", [socket, k3s], word), { is: "containerd", socket: k3s });
  throws(() => way("cri-o://1.34.0", [socket], word), /socket of the cluster's containerd was not found/);
  throws(() => chooseWay(word, { hidden: "x" }, { ...here, sockets: [socket, k3s] }), /several containerd sockets were found/);
});

Deno.test("--repo means a registry, unless --deliver says otherwise", () => {
  const hidden = { hidden: "x" };
  const repo = "registry.example/me";
  const registry = { is: "registry", registry: "registry.example", path: "me" };
  same(chooseWay({ repo, deliver: undefined }, hidden, here), registry);
  same(chooseWay({ repo, deliver: "registry" }, hidden, here), registry);
  same(chooseWay({ repo: undefined, deliver: `registry=${repo}` }, hidden, here), registry);
  throws(() => chooseWay({ repo: "Not/A/Repo", deliver: undefined }, hidden, here), /--repo Not\/A\/Repo is not a repository/);
  same(chooseWay({ repo, deliver: "containerd" }, hidden, here), { is: "containerd", socket });
  same(chooseWay({ repo, deliver: "kind=dev" }, hidden, here), { is: "kind", cluster: "dev" });
  throws(() => chooseWay({ repo: undefined, deliver: "registry" }, hidden, here), /needs --repo/);
});

Deno.test("--deliver chooses the way, and the socket or cluster", () => {
  const way = (deliver: string, nodes: Parameters<typeof chooseWay>[1] = [node({ machineId: "m2" })], machine = here) =>
    chooseWay({ repo: undefined, deliver }, nodes, machine);
  same(way("containerd=/run/k3s/containerd/containerd.sock"), { is: "containerd", socket: "/run/k3s/containerd/containerd.sock" });
  throws(
    () => way("containerd", [node({})], { ...here, sockets: [] }),
    /socket of the cluster's containerd was not found .*containerd=SOCKET/,
  );
  same(way("k3d=a"), { is: "k3d", cluster: "a" });
  throws(() => way("k3d"), /name the cluster with --deliver k3d=NAME/);
  throws(() => way("kind", { hidden: "x" }), /name the cluster with --deliver kind=NAME/);
  for (const wrong of ["", "docker", "kind=", "containerd="]) throws(() => way(wrong), /must be registry/, wrong);
});
