/** A sleep that something may end early. */
const napMsMax = 60_000;

export class Nap {
  private end: () => void = () => undefined;

  /** Ends the sleep that is under way; none is no matter. */
  wake(): void {
    this.end();
  }

  /** Even a sleep of no time lets the sockets and signals of this process be served. */
  async sleep(waitMs: number): Promise<void> {
    if (waitMs <= 0) {
      await new Promise((resolve) => setImmediate(resolve));
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.ceil(Math.min(napMsMax, waitMs)));
      this.end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.end = () => undefined;
  }
}
