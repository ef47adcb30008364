import assert from "node:assert/strict";
import { joinedPorts, unservedPorts } from "./service_decision.ts";

Deno.test("a Service's ports are served at their target: a number, the port itself, or a name that gets a number", () => {
  const ports = [{ name: "a", port: 80, targetPort: 8080 }, { name: "b", port: 81 }, { name: "c", port: 443, targetPort: "webhook" }];
  assert.deepEqual(joinedPorts(ports, false), [
    { name: "a", port: 80, targetPort: 8080 },
    { name: "b", port: 81, targetPort: 81 },
    { name: "c", port: 443, targetPort: 8444, targetName: "webhook" },
  ]);
});

Deno.test("a name's number is neither another port's nor the control port, and two ports with the same target name share it", () => {
  const ports = [
    { name: "a", port: 1, targetPort: 8444 },
    { name: "b", port: 2, targetPort: "x" },
    { name: "c", port: 3, targetPort: "y" },
    { name: "d", port: 4, targetPort: "x" },
  ];
  assert.deepEqual(joinedPorts(ports, false).map(({ targetPort }) => targetPort), [8444, 8445, 8446, 8445]);
  assert.deepEqual(joinedPorts(ports, false, 8080).map(({ targetPort }) => targetPort), [8444, 8080, 8081, 8080]);
});

Deno.test("a headless Service is served at the port numbers that its callers use", () => {
  const ports = [{ name: "a", port: 80, targetPort: 8080 }, { name: "b", port: 443, targetPort: "webhook" }];
  assert.deepEqual(joinedPorts(ports, true), [
    { name: "a", port: 8080, targetPort: 8080 },
    { name: "b", port: 443, targetPort: 443, targetName: "webhook" },
  ]);
});

Deno.test("protocols other than TCP are not served, but named", () => {
  const ports = [{ port: 53, protocol: "UDP" }, { port: 53, protocol: "TCP" }];
  assert.deepEqual(joinedPorts(ports, false), [{ port: 53, targetPort: 53 }]);
  assert.deepEqual(unservedPorts(ports), ["53/UDP"]);
});
