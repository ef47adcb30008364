import assert from "node:assert/strict";
import { readObjects } from "./manifest_objects.ts";
import { readManifest } from "./manifest_text.ts";

const MANIFEST = `apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - name: c
        env:
        - {name: MODE, value: qa}
        - {name: MODE, value: qa}
        ports: [{containerPort: 80}, {containerPort: 81, protocol: UDP}]
`;

Deno.test("a field is found at its key, an item at its start, and a missing one at the nearest field above", () => {
  const [object] = readObjects(readManifest(MANIFEST)).objects;
  const container = '.spec.template.spec.containers[name="c"]';
  const places = {
    "spec.template": "5:3",
    [`${container}.env[name="MODE"]`]: "11:11",
    [`${container}.ports[containerPort=81,protocol="UDP"]`]: "12:38",
    "spec.template.spec.containers[0].ports[1].protocol": "12:58",
    "spec.template.spec.containers[0].ports[7].name": "12:9",
    "spec.nothing.here": "4:1",
    "": "1:1",
  };
  for (const [field, place] of Object.entries(places)) {
    const { line, column } = object!.place(field);
    assert.equal(`${line}:${column}`, place, field);
  }
});
