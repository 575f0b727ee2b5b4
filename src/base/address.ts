/**
 * IP addresses: text and numbers (`ip.ts`), and ids (`address_table.ts`).
 *
 * @module
 */
export * from "./ip.ts";
export * from "./address_table.ts";
