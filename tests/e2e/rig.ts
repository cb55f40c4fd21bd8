// What the tests of this ring play with. The programs in scripts/ play with the same.
export { startRig, until } from "../support/rig.mjs";

export type Rig = import("../support/rig.mjs").Rig;
export type TestWorker = import("../support/rig.mjs").TestWorker;
