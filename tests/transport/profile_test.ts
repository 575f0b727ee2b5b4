import { assert, assertEquals, assertThrows } from "@std/assert";
import { DEFAULT_PROFILE, makeProfile, type Profile, ProfileTable } from "../../src/transport/profile.ts";

Deno.test("the default profile is Linux's, and passes its own checks", () => {
  assertEquals(makeProfile({ ...DEFAULT_PROFILE }), DEFAULT_PROFILE);
  assertEquals(DEFAULT_PROFILE.ephemeralPortHigh - DEFAULT_PROFILE.ephemeralPortLow + 1, 28232);
  assert(Object.isFrozen(makeProfile({ synRetries: 0 })));
});

Deno.test("a profile that makes no sense is refused with a sentence that names the field", () => {
  const refused: [Partial<Record<keyof Profile | "x", unknown>>, string][] = [
    [
      { ephemeralPortLow: 61000 },
      "The profile's ephemeralPortLow (61000) must not be greater than its ephemeralPortHigh (60999).",
    ],
    [
      { ephemeralPortLow: 0 },
      "The profile's ephemeralPortLow is 0; it must be a whole number from 1 to 65535.",
    ],
    [{ synRetries: 2.5 }, "The profile's synRetries is 2.5; it must be a whole number from 0 to 255."],
    [{ somaxconn: Infinity }, "The profile's somaxconn is Infinity; it must be a whole number from 0 to 2147483647."],
    [
      { maxFiles: -1 },
      "The profile's maxFiles is -1; it must be a whole number from 0 to 2147483647, or Infinity for no limit.",
    ],
    [{ nagle: 1 }, "The profile's nagle is 1; it must be true or false."],
    [
      { portAllocation: "random" },
      'The profile\'s portAllocation is "random"; it must be linux, rfc6056-1, rfc6056-2, rfc6056-3, rfc6056-4, ' +
      "rfc6056-5 or host-wide.",
    ],
    [{ x: 1 }, "A profile has no field named x."],
  ];
  for (const [changes, sentence] of refused) {
    assertThrows(() => makeProfile(changes as Partial<Profile>), RangeError, sentence);
  }
});

Deno.test("what is undefined keeps its default, and Infinity means no limit", () => {
  assertEquals(makeProfile({ synRetries: undefined, maxFiles: Infinity, memoryBytes: Infinity }), DEFAULT_PROFILE);
});

Deno.test("a profile table gives one number to one profile, and 0 to the default", () => {
  const table = new ProfileTable();
  assertEquals(table.add(DEFAULT_PROFILE), 0);
  const other = makeProfile({ nagle: false });
  assertEquals(table.add(other), 1);
  assertEquals(table.add(other), 1);
  assertEquals(table.get(1), other);
  assertEquals(table.size, 2);
  assertThrows(() => table.get(2), RangeError, "No profile has the number 2; there are 2, counted from 0.");
});
