import { createClient } from "seawall";

/** The database of the application, in which the orders of its operators are as well. */
export const db = createClient({
  url: process.env.TURSO_DATABASE_URL ?? "http://127.0.0.1:8080",
  authToken: process.env.TURSO_AUTH_TOKEN,
});
