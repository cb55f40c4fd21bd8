declare module "cloudflare:workers" {
  // biome-ignore lint/suspicious/noExplicitAny: each Worker under test has bindings of its own.
  export const env: any;
  export class DurableObject {}
  export class WorkerEntrypoint {}
}
