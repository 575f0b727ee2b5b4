import { assertEquals, assertInstanceOf } from "@std/assert";
import { ERRNO, errnoName, InputError, nearest, SocketError } from "../../src/base/errors.ts";

Deno.test("every error number has its name, also when negated, and no two share a number", () => {
  for (const [name, n] of Object.entries(ERRNO)) {
    assertEquals(errnoName(n), name);
    assertEquals(errnoName(-n), name);
  }
  assertEquals(new Set(Object.values(ERRNO)).size, Object.keys(ERRNO).length);
  assertEquals(errnoName(999), "E?999");
});

Deno.test("a socket error carries its code and says what was tried", () => {
  const error = new SocketError("ECONNREFUSED", "connect 10.0.0.2:80");
  assertInstanceOf(error, Error);
  assertEquals([error.name, error.code, error.message], [
    "SocketError",
    "ECONNREFUSED",
    "ECONNREFUSED: connect 10.0.0.2:80",
  ]);
  assertEquals(new SocketError("EPIPE").message, "EPIPE");
});

Deno.test("an input error keeps its sentence and its position apart", () => {
  const error = new InputError("The host has no address.", { file: "a.yaml", line: 3, column: 5, path: "hosts[0]" });
  assertEquals(error.message, "The host has no address.");
  assertEquals([error.file, error.line, error.column, error.path], ["a.yaml", 3, 5, "hosts[0]"]);
});

Deno.test("the nearest name is suggested within an edit distance of 2 or a third of the name", () => {
  const fields = ["ephemeralPortLow", "ephemeralPortHigh", "timeWaitNs", "mtu"];
  assertEquals(nearest("ephemeralPortLo", fields), "ephemeralPortLow");
  assertEquals(nearest("EPHEMERALPORTHIGH", fields), "ephemeralPortHigh");
  assertEquals(nearest("timeWiatNs", fields), "timeWaitNs");
  assertEquals(nearest("mut", fields), "mtu");
  assertEquals(nearest("timeWaitNanoseconds", ["timeWaitNs"]), undefined);
  assertEquals(nearest("something", fields), undefined);
  assertEquals(nearest("ephemeralPort", fields), "ephemeralPortLow");
});

Deno.test("names with nothing in common are not suggested however short, and letter case breaks ties", () => {
  assertEquals(nearest("ab", ["xy"]), undefined);
  assertEquals(nearest("", ["ms"]), undefined);
  assertEquals(nearest("mbps", ["kbps", "Mbps"]), "Mbps");
  assertEquals(nearest("Ms", ["ms", "Ms"]), "Ms");
  assertEquals(nearest("x", []), undefined);
});
