import assert from "node:assert/strict";
import { checkPodPatch, patchPod, PodOverrideError } from "./pod_overrides.ts";

const spec = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
  volumes: [{ name: "session" }],
  imagePullSecrets: [{ name: "flag" }],
  containers: [{
    name: "server",
    image: "image",
    resources: { requests: { cpu: "20m", memory: "96Mi" }, limits: { cpu: "2", memory: "640Mi" } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
  }],
};

function patched(patch: unknown) {
  checkPodPatch(patch);
  return patchPod(spec, patch);
}

Deno.test("the user decides where the Pod runs, and the rest of it stays", () => {
  const wishes = {
    nodeSelector: { disk: "ssd" },
    tolerations: [{ operator: "Exists" }],
    priorityClassName: "low",
    affinity: { nodeAffinity: {} },
  };
  assert.deepEqual(patched(wishes), { ...spec, ...wishes });
});

Deno.test("resources are those of the server's container: objects merge, null removes", () => {
  const { containers } = patched({ resources: { limits: { cpu: null, memory: "1Gi" } } }) as typeof spec;
  assert.deepEqual(containers, [{
    ...spec.containers[0],
    resources: { requests: { cpu: "20m", memory: "96Mi" }, limits: { memory: "1Gi" } },
  }]);
});

Deno.test("the container can be patched by its name too", () => {
  const { containers } = patched({
    containers: [{ name: "server", imagePullPolicy: "Never", resources: { limits: null } }],
  }) as typeof spec;
  assert.deepEqual(containers, [{
    ...spec.containers[0],
    imagePullPolicy: "Never",
    resources: { requests: { cpu: "20m", memory: "96Mi" } },
  }]);
});

Deno.test("pull secrets are added to the flag's", () => {
  assert.deepEqual(patched({ imagePullSecrets: [{ name: "mine" }] }).imagePullSecrets, [{ name: "flag" }, { name: "mine" }]);
});

Deno.test("the security context may be tightened, and keeps what it has", () => {
  const { securityContext } = patched({ securityContext: { runAsUser: 1234, fsGroup: 5, runAsNonRoot: true } });
  assert.deepEqual(securityContext, { ...spec.securityContext, runAsUser: 1234, fsGroup: 5 });
});

for (
  const [patch, sentence] of [
    [[], /must be an object with fields of a Pod's spec/],
    ["text", /must be an object/],
    [{ $patch: "replace" }, /the directive \$patch is not supported/],
    [{ volumes: [] }, /volumes cannot be overridden: they belong to the session/],
    [{ initContainers: [] }, /initContainers cannot be overridden: the Pod runs only kurun's server/],
    [{ restartPolicy: "Never" }, /restartPolicy cannot be overridden: a Deployment always restarts its Pods/],
    [{ hostNetwork: true }, /hostNetwork cannot be overridden: the Pod Security level restricted forbids it/],
    [{ automountServiceAccountToken: true }, /gets no token/],
    [{ resources: null }, /resources must be an object/],
    [{ securityContext: null }, /securityContext must be an object/],
    [{ securityContext: { runAsNonRoot: false } }, /runAsNonRoot false cannot be set/],
    [{ securityContext: { runAsUser: 0 } }, /runAsUser 0 cannot be set/],
    [{ securityContext: { runAsNonRoot: null } }, /runAsNonRoot null cannot be set/],
    [{ securityContext: { seccompProfile: { type: "Unconfined" } } }, /seccompProfile/],
    [{ securityContext: { sysctls: [] } }, /sysctls/],
    [{ containers: [{ name: "server", securityContext: { capabilities: { add: ["NET_ADMIN"] } } }] }, /capabilities/],
    [{ containers: [{ name: "server", securityContext: { privileged: true } }] }, /privileged true/],
    [{ containers: [{ name: "server", image: "other" }] }, /image of the container cannot be overridden/],
    [{ containers: [{ name: "server", command: ["sh"] }] }, /command of the container/],
    [{ containers: [{ name: "sidecar" }] }, /one container/],
    [{ containers: {} }, /must be a list/],
  ] as const
) {
  Deno.test(`${JSON.stringify(patch)} is refused with the reason`, () => {
    assert.throws(() => checkPodPatch(patch), (error) => error instanceof PodOverrideError && sentence.test(error.message));
  });
}
