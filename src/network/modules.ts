/**
 * Code that a snapshot can name: modules that register congestion controls and applications when they are imported.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";

const registered: string[] = [];

/** URLs of the modules that were registered, in that order. */
export function registeredModules(): readonly string[] {
  return registered;
}

/**
 * Imports a module by its URL, so that it can register congestion controls (`registerCongestionControl`) and applications
 * (`registerApplication`), and notes the URL: snapshots taken from then on name it, and `Simulation.restoreWithModules` imports it again. Import it in no other
 * way before. Throws `InputError` for what is no URL; whatever the module throws.
 *
 * @example
 * ```ts ignore
 * await registerModule(new URL("./my_control.ts", import.meta.url));
 * ```
 */
export async function registerModule(url: string | URL): Promise<void> {
  const { href } = absolute(url);
  if (registered.includes(href)) return;
  await import(href);
  // (It may have been registered meanwhile.)
  if (!registered.includes(href)) registered.push(href);
}

function absolute(url: string | URL): URL {
  try {
    return new URL(url);
  } catch {
    throw new InputError(`A module is registered by its whole URL (file:, https:, data: ...), not by "${url}".`);
  }
}
