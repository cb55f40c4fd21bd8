import { createClient } from "@libsql/client/web";
import { openWith } from "./libsql-shaped.mjs";

/** @param {string} url */
export const open = (url) => openWith(createClient, url);
