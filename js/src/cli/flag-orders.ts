// What operators said of flags, read together: the document that is published, and what is turned off at once.

import type { Api, Order } from "./api.ts";
import type { FlagDocument, Kill } from "./flag-document.ts";

export interface FlagOrders {
  flags: Order<FlagDocument>;
  kill: Order<Kill>;
}

export async function flagOrders(api: Api): Promise<FlagOrders> {
  const [flags, kill] = await Promise.all([
    api.admin<Order<FlagDocument>>("/orders/flags"),
    api.admin<Order<Kill>>("/orders/kill"),
  ]);
  return { flags, kill };
}
