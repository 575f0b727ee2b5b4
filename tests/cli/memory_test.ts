import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { availableMemory, checkMemory } from "../../src/cli/memory.ts";

Deno.test("a workload that fits is let through", () => {
  checkMemory(1e9, 2e9, "a.yaml");
  checkMemory(1e15, Infinity, "a.yaml");
});

Deno.test("a workload larger than the machine's memory is refused with the estimate", () => {
  const error = assertThrows(() => checkMemory(40e12, 16e9, "a.yaml"), InputError);
  assertEquals(
    error.message,
    "a.yaml: this workload needs about 40 TB of memory, and this machine has 16 GB available: " +
      "fewer connections or hosts at once would fit.",
  );
});

Deno.test("the machine tells how much memory it has", () => {
  assertEquals(availableMemory() > 1e6, true);
});
