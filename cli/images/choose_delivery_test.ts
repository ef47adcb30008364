import { deepStrictEqual as same, throws } from "node:assert/strict";
import type { NodeFacts } from "../../k8s/manifests/node_facts.ts";
import { chooseWay, type DeliveryChoice, type ThisMachine } from "./choose_delivery.ts";
import { UserError } from "../errors.ts";

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
  throws(() => way("containerd", [node({})], { ...here, sockets: [] }), /no socket of containerd here .*containerd=SOCKET/);
  same(way("k3d=a"), { is: "k3d", cluster: "a" });
  throws(() => way("k3d"), /name the cluster by --deliver k3d=NAME/);
  throws(() => way("kind", { hidden: "x" }), /name the cluster by --deliver kind=NAME/);
  for (const wrong of ["", "docker", "kind=", "containerd="]) throws(() => way(wrong), /is none of registry/, wrong);
});
