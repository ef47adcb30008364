import { deepStrictEqual as same, throws } from "node:assert/strict";
import type { NodeFacts } from "../../k8s/nodes/node_facts.ts";
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
    images: new Set(),
    ...more,
  };
}

Deno.test("without a word from the user the nodes decide: kind, k3d, or containerd where the only node is this machine", () => {
  const kind = node({ name: "dev-control-plane", providerId: "kind://docker/dev/dev-control-plane", machineId: "m9" });
  same(chooseWay(nothing, [kind], here), { is: "kind", cluster: "dev" });
  const k3d = node({ name: "k3d-my-dev-server-0", providerId: "k3s://k3d-my-dev-server-0", machineId: "" });
  same(chooseWay(nothing, [k3d], here), { is: "k3d", cluster: "my-dev" });
  same(chooseWay(nothing, [node({})], here), { is: "containerd", socket });
});

Deno.test("where nothing serves it is refused with why and with what would", () => {
  const refused = (nodes: Parameters<typeof chooseWay>[1], machine: ThisMachine, why: RegExp) =>
    throws(() => chooseWay(nothing, nodes, machine), (error) => {
      const { message } = error as UserError;
      return error instanceof UserError && why.test(message) &&
        /--repo .* --deliver containerd, kind or k3d; nothing was built/.test(message);
    });
  refused([node({ machineId: "m2" })], here, /node one is elsewhere/);
  refused([node({ machineId: "m2" }), node({ machineId: "m3" })], here, /2 nodes are elsewhere/);
  refused([node({}), node({ name: "two", machineId: "m2" })], here, /of the cluster's 2 nodes only one is this machine/);
  // A container of this machine with a copied machine ID would have another boot, or the other way round.
  refused([node({ bootId: "b2" })], here, /elsewhere/);
  refused(
    [node({ runtime: "cri-o://1.34" })],
    { ...here, sockets: [] },
    /is this machine, and runs cri-o:\/\/1\.34, whose socket is not here/,
  );
  refused([node({ machineId: undefined })], { ...here, machineId: undefined }, /elsewhere/);
  refused([], here, /no nodes/);
  refused({ hidden: "the user may not list its nodes" }, here, /may not list its nodes/);
});

Deno.test("images go into the containerd that the node runs, and not into Docker's beside it", () => {
  const [k3s, microk8s] = ["/run/k3s/containerd/containerd.sock", "/var/snap/microk8s/common/run/containerd.sock"];
  const way = (runtime: string | undefined, sockets: string[], choice = nothing) =>
    chooseWay(choice, [node({ runtime })], { ...here, sockets });
  same(way("containerd://2.1.4-k3s1", [socket, k3s]), { is: "containerd", socket: k3s });
  throws(() => way("containerd://2.1.4-k3s1", [socket]), /whose socket is not here/);
  throws(() => way("containerd://1.7.27", [socket, microk8s]), (error) => {
    const { message } = error as UserError;
    return error instanceof UserError && message.includes(`${socket}, ${microk8s}`) && message.includes("--deliver containerd=SOCKET");
  });
  for (const other of ["cri-o://1.34.0", "docker://28.1.1", undefined]) {
    throws(() => way(other, [socket]), /whose socket is not here/, other);
  }
  // The word alone does not say which.
  const word = { repo: undefined, deliver: "containerd" };
  same(way("containerd://2.1.4-k3s1", [socket, k3s], word), { is: "containerd", socket: k3s });
  throws(() => way("cri-o://1.34.0", [socket], word), /no socket of the cluster's containerd/);
  throws(() => chooseWay(word, { hidden: "x" }, { ...here, sockets: [socket, k3s] }), /several containerds/);
});

Deno.test("a repository is a registry's, unless --deliver says otherwise", () => {
  const hidden = { hidden: "x" };
  const repo = "registry.example/me";
  same(chooseWay({ repo, deliver: undefined }, hidden, here), { is: "registry", repo });
  same(chooseWay({ repo, deliver: "registry" }, hidden, here), { is: "registry", repo });
  same(chooseWay({ repo, deliver: "containerd" }, hidden, here), { is: "containerd", socket });
  same(chooseWay({ repo, deliver: "kind=dev" }, hidden, here), { is: "kind", cluster: "dev" });
  throws(() => chooseWay({ repo: undefined, deliver: "registry" }, hidden, here), /needs --repo/);
});

Deno.test("--deliver names the way, and which socket or cluster", () => {
  const way = (deliver: string, nodes: Parameters<typeof chooseWay>[1] = [node({ machineId: "m2" })], machine = here) =>
    chooseWay({ repo: undefined, deliver }, nodes, machine);
  same(way("containerd=/run/k3s/containerd/containerd.sock"), { is: "containerd", socket: "/run/k3s/containerd/containerd.sock" });
  throws(() => way("containerd", [node({})], { ...here, sockets: [] }), /no socket of the cluster's containerd here .*containerd=SOCKET/);
  same(way("k3d=a"), { is: "k3d", cluster: "a" });
  throws(() => way("k3d"), /name the cluster by --deliver k3d=NAME/);
  throws(() => way("kind", { hidden: "x" }), /name the cluster by --deliver kind=NAME/);
  for (const wrong of ["", "docker", "kind=", "containerd="]) throws(() => way(wrong), /is none of registry/, wrong);
});
