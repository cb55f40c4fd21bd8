// The manifest that ships, read as Kubernetes reads it.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";

interface Probe {
  httpGet: { path: string; port: number };
  initialDelaySeconds: number;
  periodSeconds: number;
  timeoutSeconds?: number;
}

const text = readFileSync(new URL("../../examples/kubernetes.yaml", import.meta.url), "utf8");
const manifest = parse(text, { strict: true }) as {
  kind: string;
  spec: {
    selector: { matchLabels: object };
    template: {
      metadata: { labels: object };
      spec: {
        containers: [{ ports: { containerPort: number }[]; livenessProbe: Probe; readinessProbe: Probe }];
      };
    };
  };
};
const [container] = manifest.spec.template.spec.containers;

test("HLT-24: the liveness probe asks /api/health/live on port 3000, after 30 s and every 10 s", () => {
  expect(container.livenessProbe).toStrictEqual({
    httpGet: { path: "/api/health/live", port: 3000 },
    initialDelaySeconds: 30,
    periodSeconds: 10,
  });
});

test("HLT-25: the readiness probe asks /api/health/ready, after 5 s and every 5 s, and waits longer than a probe takes", () => {
  expect(container.readinessProbe).toStrictEqual({
    httpGet: { path: "/api/health/ready", port: 3000 },
    initialDelaySeconds: 5,
    periodSeconds: 5,
    timeoutSeconds: 5,
  });
});

test("the manifest is a deployment whose pods are its own and whose port is the one that is asked", () => {
  expect(manifest.kind).toBe("Deployment");
  expect(manifest.spec.template.metadata.labels).toStrictEqual(manifest.spec.selector.matchLabels);
  expect(container.ports.map(({ containerPort }) => containerPort)).toContain(3000);
  expect(text).not.toMatch(/eyJ|token: *\S/);
});
