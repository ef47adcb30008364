import assert from "node:assert/strict";
import { joinedPorts, unservedPorts } from "./joined_ports.ts";

Deno.test("a Service's ports are served where they lead: by number, by the port itself, or by a name that gets a number", () => {
  const ports = [{ name: "a", port: 80, targetPort: 8080 }, { name: "b", port: 81 }, { name: "c", port: 443, targetPort: "webhook" }];
  assert.deepEqual(joinedPorts(ports, false), [
    { name: "a", port: 80, targetPort: 8080 },
    { name: "b", port: 81, targetPort: 81 },
    { name: "c", port: 443, targetPort: 8444, targetName: "webhook" },
  ]);
});

Deno.test("a name's number is not one that another port has, nor the control port, and two ports of one name share it", () => {
  const ports = [
    { name: "a", port: 1, targetPort: 8444 },
    { name: "b", port: 2, targetPort: "x" },
    { name: "c", port: 3, targetPort: "y" },
    { name: "d", port: 4, targetPort: "x" },
  ];
  assert.deepEqual(joinedPorts(ports, false).map(({ targetPort }) => targetPort), [8444, 8445, 8446, 8445]);
});

Deno.test("a headless Service is served on the numbers that its callers dial", () => {
  const ports = [{ name: "a", port: 80, targetPort: 8080 }, { name: "b", port: 443, targetPort: "webhook" }];
  assert.deepEqual(joinedPorts(ports, true), [
    { name: "a", port: 8080, targetPort: 8080 },
    { name: "b", port: 443, targetPort: 443, targetName: "webhook" },
  ]);
});

Deno.test("other protocols than TCP are not served, and are named", () => {
  const ports = [{ port: 53, protocol: "UDP" }, { port: 53, protocol: "TCP" }];
  assert.deepEqual(joinedPorts(ports, false), [{ port: 53, targetPort: 53 }]);
  assert.deepEqual(unservedPorts(ports), ["53/UDP"]);
});
