/**
 * Tests that need more than Node: root, loop devices, a Debian package. Where the need is not met
 * the test is not run and says so in one line, which the runner collects.
 */
import { accessSync, constants } from "node:fs";
import path from "node:path";

type Register = (name: string, body: () => Promise<void> | void) => void;

/** null where the need is met, else the reason in words. */
export type Need = string | null;

export const needRoot: Need = process.getuid?.() === 0 ? null : "needs root";

/** The program on PATH, with the Debian package that brings it. */
export function needProgram(program: string, debianPackage: string): Need {
  const found = (process.env["PATH"] ?? "").split(":").some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return found ? null : `needs ${program} (apt-get install ${debianPackage})`;
}

export function testWhere(
  register: Register,
  needs: readonly Need[],
  name: string,
  body: () => Promise<void> | void,
): void {
  const unmet = needs.filter((need) => need !== null);
  if (unmet.length > 0) console.log(`skipped: ${name}: ${unmet.join(", ")}`);
  else register(name, body);
}
