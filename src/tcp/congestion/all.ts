/**
 * Registers every algorithm that comes with the stack.
 *
 * @module
 */
import "./newreno.ts";
import "./cubic.ts";
import "./dctcp.ts";
import "./bbr.ts";
import "./vegas.ts";
