/**
 * The version of fourtuple, as the engine knows it: snapshots say whose they are.
 *
 * @module
 */

/** The same as in the configuration file, which the engine does not read. */
export const VERSION = "0.1.0";
