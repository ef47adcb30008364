/**
 * The Deployment `hook` of a test, with Pods that Pod Security `restricted` admits.
 *
 * @param container its one container, without name and security context
 * @param volumes of its Pods
 */
export function hookDeployment(
  labels: Readonly<Record<string, string>>,
  replicas: number,
  container: Readonly<Record<string, unknown>>,
  volumes: readonly unknown[] = [],
): Record<string, unknown> {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "hook" },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
          volumes,
          containers: [{
            name: "hook",
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
            ...container,
          }],
        },
      },
    },
  };
}
