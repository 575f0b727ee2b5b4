/** Every program under examples/ runs, with no permissions but to read code, and shows what it claims. (Scenarios: tests/scenario.) */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";

const FOLDER = new URL("../examples/", import.meta.url);

/** What each one must print. */
const SHOWN: Record<string, string[]> = {
  "hello_sockets.ts": [
    "browser  is connected",
    "server   GET / HTTP/1.0",
    "browser  HTTP/1.0 200 OK",
    "browser  has read 20076 bytes, and the server has closed",
    "browser  is done",
  ],
  "sweep.ts": ["16,000", "80,000", "the wall is the clients', and its name is EADDRNOTAVAIL"],
  "nat_walls.ts": [
    "endpoint-independent                    1000        2000        2000",
    "address-dependent                       1000        1000        1000",
    "address-and-port-dependent              1000        1000        1000",
    "the same, overloading ports             1000        2000        2000",
  ],
  "proxy_remedies.ts": [
    "a connection for every request             10     1.0",
    "4 source addresses                         40     4.0",
    "5 back ends                                50     5.0",
    "3 ports on the back end                    30     3.0",
    "4 sources, 5 back ends                    200    20.0          200  10 ports x 4 sources x 5 back ends = 200",
    "a pool (keep-alive)                       990    99.0           10  10 ports x 100 round trips = 1000",
    "a pool, 10 requests at once on each      9827   982.7           10  10 ports x 100 round trips x 10 at once = 10000",
  ],
  // (The other twins of the seven questions are run by seven_questions_test.ts.)
  "7-ipv6.ts": ["What bound: nat64's pool of external ports was empty at 2.05 s", "Expectations: all 7 held"],
  // RFC 5128, and what everybody who has tried it knows.
  "hole_punching.ts": [
    "full cone             they meet             they meet             they meet             they meet",
    "restricted cone       they meet             they meet             they meet             they meet",
    "port-restricted cone  they meet             they meet             they meet             -",
    "symmetric             they meet             they meet             -                     -",
  ],
};

async function run(name: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", new URL(name, FOLDER).href, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""], name);
  return new TextDecoder().decode(stdout);
}

Deno.test("every program among the examples is known here", () => {
  const programs = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.endsWith(".ts"))
    .filter((name) => !/^[1-6]-/.test(name));
  assertEquals(programs.toSorted(), Object.keys(SHOWN).toSorted());
});

Deno.test("every program among the examples is short and tells how to run it", () => {
  for (const name of Object.keys(SHOWN)) {
    const text = Deno.readTextFileSync(new URL(name, FOLDER));
    assertStringIncludes(text, `deno run examples/${name}`);
    assert(text.split("\n").length <= 90, name);
  }
});

for (const [name, lines] of Object.entries(SHOWN)) {
  Deno.test(`examples/${name} shows what it claims`, async () => {
    const output = await run(name);
    for (const line of lines) assertStringIncludes(output, line);
  });
}

Deno.test("examples/sweep.ts --csv prints a header and fifteen rows", async () => {
  const rows = (await run("sweep.ts", "--csv")).trimEnd().split("\n");
  assertEquals([rows.length, rows[0]], [16, "clients,ports,held,refused,reason"]);
  assertEquals(rows.at(-1), "16,5000,80000,4000,EADDRNOTAVAIL");
});
