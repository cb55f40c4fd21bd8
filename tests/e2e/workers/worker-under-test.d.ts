declare module "worker-under-test" {
  const worker: {
    fetch(request: Request, env: object, context: unknown): Promise<Response>;
    scheduled(event: unknown, env: object, context: unknown): Promise<void>;
  };
  export default worker;
}
