// The module that the Workers runtime provides; what it exports depends on the runtime's age.
declare module "cloudflare:workers" {
  const nothing: undefined;
  export default nothing;
}
