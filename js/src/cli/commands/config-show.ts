// `config:show [component]`: every setting with what it is, and who says so.

import { SETTINGS } from "../../config/list.ts";
import type { Api, Order } from "../api.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { printable } from "../printable.ts";
import { componentOf, keyOf, knownComponent } from "../setting-names.ts";
import { isSaid, type LocalFlags, type Settings, said, sound } from "../setting-orders.ts";
import { table } from "../table.ts";
import type { Terminal } from "../terminal.ts";

export interface ShowFlags extends LocalFlags {
  origin?: boolean;
}

/** @throws CliError for a component that there is not, before anybody is asked. */
export async function configShow(
  api: () => Api,
  terminal: Terminal,
  flags: ShowFlags,
  asked?: string,
): Promise<ExitCode> {
  const component = asked === undefined ? undefined : knownComponent(asked);
  const { scope, order, options, environment } = await said(api, flags);
  const { config } = await sound(options, "These settings cannot be used");
  const rows = Object.entries(config.settings)
    .map(([path, { value, source }]) => ({
      component: componentOf(path),
      key: keyOf(path),
      value,
      origin: originOf(path, source, order),
    }))
    .filter((row) => component === undefined || row.component === component);
  if (terminal.isJson) {
    const settings: Record<string, Record<string, object>> = {};
    for (const { component, key, value, origin } of rows)
      settings[component] = { ...settings[component], [key]: { value, origin } };
    const { version = null, by = null, reason = null } = order ?? {};
    terminal.json({ scope, environment, version, by, reason, settings, warnings: config.warnings });
  } else {
    const isWithOrigin = flags.origin === true;
    terminal.say(
      table([
        ["COMPONENT", "KEY", "VALUE", ...(isWithOrigin ? ["ORIGIN"] : [])],
        ...rows.map(({ component, key, value, origin }) => [
          component,
          key,
          String(value),
          ...(isWithOrigin ? [{ text: origin, paint: origin === "default" ? terminal.colors.dim : String }] : []),
        ]),
      ]),
    );
    if (order !== undefined && order.version > 0)
      terminal.say(
        terminal.colors.dim(`\nversion ${order.version} by ${printable(order.by)}: ${printable(order.reason)}`),
      );
  }
  for (const warning of config.warnings) terminal.note(`warning: ${warning}`);
  if (scope === "orders")
    terminal.note(
      "What nobody ordered is shown as its default: the deployment's own code and variables may say otherwise.",
    );
  return EXIT.ok;
}

function originOf(path: string, source: string, order: Order<Settings> | undefined): string {
  const setting = SETTINGS.find((it) => it.path === path);
  if (order !== undefined && setting !== undefined && isSaid(order.value, setting)) return `order ${order.version}`;
  if (source !== "option") return source;
  return path === "environment" ? "profile" : "default";
}
