import type { SeawallOptions } from "seawall";

declare global {
  namespace Cloudflare {
    /** What wrangler.toml binds. */
    interface Env {
      TURSO_DATABASE_URL: string;
      TURSO_AUTH_TOKEN?: string;
      SEAWALL_KV: KVNamespace;
      SEAWALL?: SeawallOptions;
    }
  }
}
