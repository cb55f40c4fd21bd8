import { Hono } from "hono";
import { type FlagsEnv, userFlags } from "./flags";

const app = new Hono<FlagsEnv>();

app.use(userFlags);

app.get("/", ({ var: { user, visitor }, json }) =>
  json({
    visitor,
    checkout: user.boolean("new-checkout") ? "new" : "old",
    headline: user.string("headline", "Parcels"),
    invoices: user.boolean("invoices"),
  }),
);

/** What is not there for somebody is not there: 404. */
app.get("/invoices", (c) => (c.var.user.boolean("invoices") ? c.json([]) : c.notFound()));

export default app;
