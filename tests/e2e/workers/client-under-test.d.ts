declare module "client-under-test" {
  export { createClient, LibsqlError } from "@libsql/client/web";
}
