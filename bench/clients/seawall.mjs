import { createClient } from "seawall";
import { openWith } from "./libsql-shaped.mjs";

/** @param {string} url */
export const open = (url) => openWith(createClient, url);
