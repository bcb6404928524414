// ESLint finds bugs and keeps the architecture; formatting is biome's.
import tseslint from "typescript-eslint";

/** What each folder may import besides itself. This table is the architecture (ARCHITECTURE.md). */
const may = {
  core: [],
  device: ["core/base"],
  network: ["core/base"],
  host: ["core/base"],
  volume: ["core", "device", "host"],
  remotecopy: ["core/base", "device", "host"],
  arbiter: ["core/base", "device", "host"],
  agent: ["core", "device", "volume", "network", "host", "remotecopy", "arbiter"],
  console: ["core", "host"],
  demo: ["core", "device"],
  simulation: ["core", "device", "volume", "network", "host", "remotecopy", "arbiter", "agent"],
  verbs: [
    "demo",
    "simulation",
    "core",
    "device",
    "volume",
    "network",
    "host",
    "remotecopy",
    "arbiter",
    "agent",
    "console",
  ],
};
/** The way of the data through src/core: a stage may import only stages to its left. */
const way = ["base", "sector", "record", "observation", "verdict", "decision", "step"];

const folders = [...Object.keys(may), "main"].join("|");
const restrict = (patterns) => ({ "no-restricted-imports": ["error", { patterns }] });
const folderRule = (folder) => {
  const allowed = [folder, ...may[folder]].map((path) => `${path}(/|\\.ts)`).join("|");
  return {
    regex: `^(\\.\\./)+(?!${allowed})(${folders})(/|\\.ts)`,
    message: `src/${folder} may import only: ${may[folder].join(", ") || "itself"}.`,
  };
};
const stageRule = (stage) => ({
  regex: `^\\.{1,2}/(${way.slice(way.indexOf(stage) + 1).join("|")})(/|\\.ts)`,
  message: `Data flows ${way.join(" -> ")}.`,
});
const outside = {
  regex: "^(node:|[a-z@](?!inary-parser))",
  message: "src/core imports nothing from outside but binary-parser, which is pure.",
};

export default tseslint.config(
  {
    files: ["src/**/*.ts"],
    languageOptions: { parser: tseslint.parser, parserOptions: { projectService: true } },
    plugins: { "@typescript-eslint": tseslint.plugin },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/no-misused-promises": "error",
      "no-unused-vars": "off",
      "no-constant-condition": ["error", { checkLoops: false }],
      eqeqeq: "error",
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/**/*.test.ts", "src/testing/**"],
    rules: { "max-lines": ["error", 420], "max-lines-per-function": ["error", 80] },
  },
  ...Object.keys(may).map((folder) => ({
    files: [`src/${folder}/**/*.ts`],
    ignores: ["**/*.test.ts", "**/testing/**"],
    rules: restrict([folderRule(folder)]),
  })),
  ...way.map((stage) => ({
    files: [`src/core/${stage}.ts`, `src/core/${stage}/**/*.ts`],
    ignores: ["**/*.test.ts"],
    rules: restrict(
      [folderRule("core"), stageRule(stage), outside].filter(
        (rule) => rule.regex !== "^\\.{1,2}/()(/|\\.ts)",
      ),
    ),
  })),
  {
    // Time and randomness are arguments: the real ones enter in src/host/clock.ts only.
    files: ["src/core/**/*.ts", "src/agent/**/*.ts"],
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-properties": [
        "error",
        { object: "Date", property: "now" },
        { object: "Math", property: "random" },
        { object: "process", property: "hrtime" },
      ],
      "no-restricted-syntax": [
        "error",
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: "Take the time as an argument.",
        },
      ],
    },
  },
);
