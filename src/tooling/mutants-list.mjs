// Every mutant there is, in the order of the table.
import { installMutants } from "./mutants-list-install.mjs";
import { leaseMutants } from "./mutants-list-lease.mjs";
import { recordMutants, shellMutants } from "./mutants-list-record.mjs";
import { rowMutants } from "./mutants-list-rows.mjs";
import { siteMutants } from "./mutants-list-site.mjs";
import { stepMutants } from "./mutants-list-steps.mjs";
import { verdictMutants } from "./mutants-list-verdict.mjs";
import { completed } from "./mutants-search.mjs";

const of = (part, mutants) => mutants.map((mutant) => completed({ part, ...mutant }));

export const mutants = [
  ...of("what is concluded", verdictMutants),
  ...of("rows of the table", rowMutants),
  ...of("lease and wait", leaseMutants),
  ...of("sites and witnesses", siteMutants),
  ...of("order of steps", stepMutants),
  ...of("mirrors installed and removed", installMutants),
  ...of("what is believed", recordMutants),
  ...of("the shell", shellMutants),
];
