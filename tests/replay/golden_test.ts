import { assert, assertEquals, AssertionError, assertRejects, assertStringIncludes } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { VERSION } from "../../src/base/version.ts";
import { Network } from "../../src/network/network.ts";
import { type GoldenOptions, type GoldenScenario, goldenTrace } from "../../testing.ts";
import { otherEngine } from "../trace/other_engine.ts";
import { inDirectory } from "../cli/spawn.ts";

const OFFICE = `name: office
nodes:
  client: { kind: host, address: 198.51.100.1/24 }
  server: { kind: host, address: 192.0.2.1/24, listen: [443] }
links:
  - { between: [client, server], rate: 1Gbit/s, delay: 5ms }
workloads:
  - { name: load, kind: request-response, from: client, to: server:443, connections: 3, request: 100, reply: 3000 }
`;

function office(connections = 3): Network {
  const network = new Network({ name: "office", seed: 1 });
  network.host("client", { address: "198.51.100.1/24" });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
  network.link("client", "server", { rateBps: 1e9, delayNs: 5e6 });
  network.workload({
    name: "load",
    kind: "request-response",
    from: ["client"],
    to: ["server:80"],
    connections,
    close: "client",
  });
  return network;
}

/** A folder with office.yaml, and `goldenTrace` of a test in it. */
function inFolder(
  name: string,
  action: (
    golden: (scenario: GoldenScenario, options?: GoldenOptions, file?: string) => ReturnType<typeof goldenTrace>,
    folder: string,
  ) => Promise<void>,
): void {
  Deno.test(name, () =>
    inDirectory((folder) => {
      Deno.writeTextFileSync(`${folder}/office.yaml`, OFFICE);
      const t = { name: "a test", origin: `file://${folder}/some_test.ts` };
      return action(
        (scenario, options = { update: false }, file = "traces/deep/x.cbor") => goldenTrace(t, scenario, file, options),
        folder,
      );
    }));
}

inFolder(
  "what was recorded with update is the same run later, whatever kind of scenario it is",
  async (golden, folder) => {
    const scenarios: GoldenScenario[] = [
      "office.yaml",
      new URL(`file://${folder}/office.yaml`),
      office(),
      () => office(),
      () => office().build(),
      () => Promise.resolve(office()),
    ];
    for (const scenario of scenarios) {
      const recorded = await golden(scenario, { update: true });
      assertEquals([recorded.outcome, recorded.path], ["recorded", `${folder}/traces/deep/x.cbor`]);
      assertEquals(await golden(scenario), { ...recorded, outcome: "same" });
    }
    assertEquals([...Deno.readDirSync(`${folder}/traces/deep`)].map(({ name }) => name), ["x.cbor"], "nothing else");
  },
);

inFolder("a network that is run until some time stays so", async (golden) => {
  await golden(office(), { update: true, untilNs: 30e6 });
  assertEquals((await golden(office(), { untilNs: 30e6 })).outcome, "same");
  const error = await assertRejects(() => golden(office()), AssertionError);
  assertStringIncludes(error.message, "It was recorded until 30 ms, and this is run until it was at rest.");
});

inFolder("sockets that code opens are frozen with the rest", async (golden) => {
  const talking = (words: string) => () => {
    const network = new Network();
    network.host("a", { address: "10.0.0.1/24" });
    network.host("b", { address: "10.0.0.2/24" });
    network.link("a", "b", { delayNs: 1e6 });
    const simulation = network.build();
    simulation.host("b").listen({ port: 7 }, (socket) => socket.on("data", (bytes) => socket.end(bytes)));
    const socket = simulation.host("a").connect({ address: "10.0.0.2", port: 7 }, () => socket.end(words));
    return simulation;
  };
  await golden(talking("hello"), { update: true });
  assertEquals((await golden(talking("hello"))).outcome, "same");
  const error = await assertRejects(() => golden(talking("hullo")), AssertionError);
  assertStringIncludes(error.message, "payload (hash of its bytes)");
});

inFolder("a missing recording says how to make one, and none is made", async (golden, folder) => {
  const error = await assertRejects(() => golden("office.yaml"), AssertionError);
  assertStringIncludes(error.message, `There is no ${folder}/traces/deep/x.cbor yet.`);
  assertStringIncludes(error.message, "--update");
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["office.yaml"]);
});

inFolder(
  "a run that differs fails with the first packet that does, after what changed in the scenario",
  async (golden) => {
    await golden("office.yaml", { update: true });
    const error = await assertRejects(
      () => golden("office.yaml", { set: ["workloads.load.reply=3001", "description=of two"] }),
      AssertionError,
    );
    const lines = error.message.split("\n");
    assertStringIncludes(lines[0], "This is not the run of ");
    assertEquals(lines[1], "It was recorded from another scenario:");
    assertEquals(lines.slice(2, 4).toSorted(), [
      '  description: nothing -> "of two"',
      "  workloads[load].reply: 3000 -> 3001",
    ]);
    assertStringIncludes(lines[4], "the first packet that differs is event ");
    for (const part of ["recorded  ", "now       ", "what differs:", "the connection now:", "--update"]) {
      assertStringIncludes(error.message, part);
    }
  },
);

inFolder("what changes nothing of the run is no difference", async (golden) => {
  await golden("office.yaml", { update: true });
  const options = { set: ["description=another", "expect=['connections.established == 3']"] };
  assertEquals((await golden("office.yaml", options)).outcome, "same");
});

inFolder(
  "a trace of another engine version says so before anything else, and only where the run differs",
  async (golden, folder) => {
    const { path } = await golden("office.yaml", { update: true });
    Deno.writeFileSync(`${folder}/old.cbor`, otherEngine(Deno.readFileSync(path), "0.0.9"));
    assertEquals((await golden("office.yaml", {}, "old.cbor")).outcome, "same");
    const error = await assertRejects(() => golden("office.yaml", { set: ["seed=2"] }, "old.cbor"), AssertionError);
    assertEquals(error.message.split("\n")[1], `It was recorded by fourtuple 0.0.9, and this is ${VERSION}.`);
  },
);

inFolder("a trace that is none, or of a network, is told apart", async (golden, folder) => {
  Deno.writeTextFileSync(`${folder}/bad.cbor`, "hello");
  await assertRejects(() => golden("office.yaml", {}, "bad.cbor"), InputError, `${folder}/bad.cbor: `);
  await golden(office(), { update: true });
  const error = await assertRejects(() => golden("office.yaml"), AssertionError);
  assertStringIncludes(error.message, "It was recorded from a network, and this is a scenario.");
});

inFolder("a recording that fails leaves the one before it", async (golden) => {
  const { path } = await golden(office(), { update: true });
  const before = Deno.readFileSync(path);
  const failing = () => {
    const simulation = office().build();
    simulation.at(12e6, () => {
      throw new Error("on purpose");
    });
    return simulation;
  };
  await assertRejects(() => golden(failing, { update: true }), Error, "on purpose");
  assertEquals(Deno.readFileSync(path), before);
  assertEquals([...Deno.readDirSync(path.replace(/[^/]*$/, ""))].length, 1);
});

inFolder("bad scenarios and options are said in a sentence", async (golden, folder) => {
  await assertRejects(() => golden("nowhere.yaml"), InputError, `${folder}/nowhere.yaml: there is no such file.`);
  await assertRejects(() => golden("office.yaml", { set: ["nodes.nobody.count=3"] }), InputError, "nobody");
  await assertRejects(() => golden("office.yaml", { untilNs: 3 }), TypeError, "run.until");
  await assertRejects(() => golden(office(), { set: ["seed=3"] }), TypeError, "scenario file");
});

inFolder("in a test of its own it needs no more than to read, and with --update to write there", async (_, folder) => {
  const root = new URL("../../", import.meta.url);
  Deno.writeTextFileSync(
    `${folder}/office_test.ts`,
    `import { goldenTrace } from "${root}testing.ts";
Deno.test("office", async (t) => {
  const { outcome } = await goldenTrace(t, "office.yaml", "traces/office.cbor");
  console.log("outcome:", outcome);
});
`,
  );
  const test = async (permissions: string[], args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["test", "--no-prompt", "--no-check", `--config=${new URL("deno.json", root).pathname}`],
        ...permissions,
        `${folder}/office_test.ts`,
        ...args,
      ],
      env: { NO_COLOR: "1" },
    }).output();
    return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  };
  const read = `--allow-read=${folder}`;
  const forbidden = await test([read], ["--", "--update"]);
  assert(forbidden.code !== 0 && forbidden.text.includes("cannot be written"), forbidden.text);
  const recorded = await test([read, `--allow-write=${folder}/traces`], ["--", "--update"]);
  assert(recorded.code === 0 && recorded.text.includes("outcome: recorded"), recorded.text);
  const same = await test([read], []);
  assert(same.code === 0 && same.text.includes("outcome: same"), same.text);
});
