import { importSuite } from "./support/plan.ts";

await importSuite("golden");
