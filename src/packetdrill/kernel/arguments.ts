/**
 * A call's arguments as numbers, lists and structures.
 *
 * @module
 */
import { CONSTANTS } from "../constants.ts";
import type { Value } from "../script.ts";
import { CallError } from "./result.ts";

/** The number that a value stands for: `3`, `SO_SNDBUF`, `POLLIN|POLLOUT`, `-1`, `htons(8080)`. */
export function numberOf(value: Value): number {
  switch (value.kind) {
    case "number":
      return value.value;
    case "symbol": {
      const known = CONSTANTS.get(value.name);
      if (known === undefined) throw new CallError(`there is no constant named ${value.name}`);
      return known;
    }
    case "or":
      return value.parts.reduce((bits, part) => (bits | numberOf(part)) >>> 0, 0);
    case "negated": {
      const n = numberOf(value.value);
      return value.operator === "-" ? -n : ~n;
    }
    case "list":
      if (value.items.length === 1) return numberOf(value.items[0]);
      throw new CallError("a number was expected, not a list");
    case "function":
      if (value.name === "htons" && value.args.length === 1) return numberOf(value.args[0]);
      throw new CallError(`${value.name}(…) is no number`);
    default:
      throw new CallError(`a number was expected, not a value of kind ${value.kind}`);
  }
}

/** A field of a structure, undefined if it has none of the name. */
export function fieldOf(value: Value, name: string): Value | undefined {
  if (value.kind !== "struct") throw new CallError("a structure was expected");
  return value.fields.find((field) => field.name === name)?.value;
}

/** The arguments of one call. */
export class Arguments {
  declare readonly name: string;
  readonly #values: readonly Value[];

  /** The values as the script writes them. */
  constructor(name: string, values: readonly Value[]) {
    this.name = name;
    this.#values = values;
  }

  /** How many there are. */
  get count(): number {
    return this.#values.length;
  }

  /** Argument `i`. */
  at(i: number): Value {
    const value = this.#values[i];
    if (value === undefined) throw new CallError(`${this.name} takes more than ${this.#values.length} arguments`);
    return value;
  }

  /** Argument `i` as a number. */
  number(i: number): number {
    return numberOf(this.at(i));
  }

  /** Is argument `i` left open (`...`)? */
  isOpen(i: number): boolean {
    return this.at(i).kind === "any";
  }

  /** Bytes in the vector of buffers `[{..., 1000}, {..., 400}]`. */
  vector(value: Value): number[] {
    if (value.kind !== "list") throw new CallError("a list of buffers was expected");
    return value.items.map((item) => {
      if (item.kind === "list" && item.items.length === 2) return numberOf(item.items[1]);
      if (item.kind === "struct" && item.fields.length === 2) return numberOf(item.fields[1].value);
      throw new CallError("a buffer is {..., length}");
    });
  }
}

/** The message header of `sendmsg` and `recvmsg`. */
export interface MessageHeader {
  /** An address is given. */
  named: boolean;
  /** Buffer sizes. */
  lengths: number[];
  /** `msg_flags`, 0 if not said. */
  flags: number;
  /** Control messages; null if not said. */
  control: readonly Value[] | null;
}

/** Reads `{msg_name(...)=..., msg_iov(2)=[…], msg_flags=0, msg_control=[…]}`. */
export function messageHeader(args: Arguments, i: number): MessageHeader {
  const value = args.at(i);
  if (value.kind !== "struct") throw new CallError(`${args.name} takes a message header`);
  const vector = fieldOf(value, "msg_iov");
  const flags = fieldOf(value, "msg_flags");
  const control = fieldOf(value, "msg_control");
  return {
    named: value.fields.some((field) => field.name === "msg_name"),
    lengths: vector === undefined ? [] : args.vector(vector),
    flags: flags === undefined ? 0 : numberOf(flags),
    control: control?.kind === "list" ? control.items : null,
  };
}
