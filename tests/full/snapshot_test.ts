import { assertRestorable } from "../network/support/restorable.ts";

Deno.test("whatever there is, a run that is restored after any event ends as the one that was not: a thousand networks", () => {
  assertRestorable(1000);
});
