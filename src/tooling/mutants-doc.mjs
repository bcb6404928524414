// docs/mutants.md: what is broken, and which checker catches it.

const head = `# Do the checkers bite?

A simulator that finds nothing may be blind. So the product is broken on purpose, one mistake at a
time, and histories are simulated until a checker says so (\`./build.sh mutants\`). A mistake is
made while bundling, in a copy; the histories that catch it find nothing in the program as it is
shipped. A mutant that survives fails the test.

Many rules stand on two legs: what one lets through another stops. There a mutant breaks both, for
breaking one alone changes nothing that anybody could see.

"seed N": of generated histories, the N-th is the first that catches it. "kept": a history written
by hand, in \`fixtures/simulation/mutants\`, where the mistake needs more chance than a few hundred
histories have. The set-ups and faults from which histories are made are narrowed where a mistake
needs certain ones.

<!-- table: rewritten by UPDATE_FIXTURES=1 ./build.sh mutants -->
`;

const cell = (text) => text.replaceAll("|", "\\|");
const afterText = (by) => (by.seed === undefined ? `kept: ${by.scenario}` : `seed ${by.seed}`);

function rowOf({ name, breaks, setups, faults }, by) {
  const made = [setups?.join(", ") ?? "all", faults?.join(", ") ?? "all"].join("; ");
  return `| ${cell(name)} | ${cell(breaks)} | ${by ? by.checker : "-"} | ${by ? afterText(by) : "survives"} | ${made} |\n`;
}

export function docText(mutants, caught) {
  const parts = [...new Set(mutants.map(({ part }) => part))];
  const tables = parts.map((part) => {
    const rows = mutants
      .filter((one) => one.part === part)
      .map((one) => rowOf(one, caught[one.name]));
    const title = `## ${part[0].toUpperCase()}${part.slice(1)}\n\n`;
    return `${title}| mistake | rule that it breaks | caught by | after | set-ups; faults |\n|---|---|---|---|---|\n${rows.join("")}`;
  });
  return `${head}\n${tables.join("\n")}<!-- end of table -->\n`;
}
